"""What an agent runs at its hooks: asks `debug-loop serve` and prints what it says, or nothing.

Run as a file by `python -I -S`, so it may import the standard library only, and of that next to nothing: `json`, `socket` and
`signal` with what they import take as long as the interpreter itself (`re`, `enum`, `functools`), so their C parts are used
without them. An agent waits at most 200 ms. Whatever goes wrong it says nothing and ends well: an agent must never be held
up or blocked by us. One deadline bounds it all, reading the payload included.

    agent_hook.py AGENT DATA_DIR SOCKET < payload

Prints for Claude Code JSON with `additionalContext` and ends with 0. For Copilot CLI plain text, and ends with SPEAK:
the command line in its settings turns that into the 2 by which Copilot knows advice, and anything else into 0.
"""

from __future__ import annotations

import _json
import _signal  # type: ignore[import-not-found]
import _socket
import os
import sys

TYPE_CHECKING = False  # the checker takes it for True; importing `typing` would cost milliseconds
if TYPE_CHECKING:
    from typing import Any

DEADLINE_S = 0.150
GRACE_S = 1.0
"""For what comes after the answer: printing it, or starting the import of a session."""
SPEAK = 42
MAX_TEXT = 48_000
"""Of an error or prompt, in characters; of a longer one the beginning and the end."""
MAX_ANSWER = 1 << 20


def main(arguments: list[str]) -> int:
    """One payload in, an answer out."""
    _signal.signal(_signal.SIGALRM, lambda *_: os._exit(0))
    _signal.setitimer(_signal.ITIMER_REAL, DEADLINE_S)
    try:
        agent, data_dir, address = arguments[1:4]
        payload = from_json(sys.stdin.buffer.read())
        event = payload.get("hook_event_name")
        if agent == "copilot":
            event, payload = claude_form(payload)
        if event == "SessionEnd":
            return session_end(agent, data_dir, address, payload)
        question = question_of(event, payload)
        if question is None:
            return 0
        text = ask(address, dict(question, agent=agent)).get("markdown")
    except Exception:
        return 0
    _signal.setitimer(_signal.ITIMER_REAL, GRACE_S)
    if not isinstance(text, str) or not text:
        return 0
    if agent == "copilot":
        say(text)
        return SPEAK
    say(to_json({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}))
    return 0


def question_of(event: object, payload: dict[str, Any]) -> dict[str, Any] | None:
    """What to ask because of an event; None where it calls for nothing."""
    question = {
        "op": "manifest",
        "session_id": payload.get("session_id"),
        "cwd": payload.get("cwd"),
    }
    if event == "UserPromptSubmit":
        text = payload.get("prompt")
        question.update(occasion="prompt", request=cut(text))
    elif event == "PostToolUseFailure" and not payload.get("is_interrupt"):
        text = payload.get("error")
        question.update(occasion="failure", error=cut(text), tool_call_id=payload.get("tool_use_id"))
    else:
        return None
    return question if isinstance(text, str) and text.strip() else None


def claude_form(payload: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """(event, payload) of Copilot CLI with Claude Code's names; its payloads do not name their event."""
    names = {"session_id": payload.get("sessionId"), "cwd": payload.get("cwd")}
    if "error" in payload and "toolName" in payload:
        return "PostToolUseFailure", dict(names, error=payload["error"])
    if "reason" in payload:
        return "SessionEnd", names
    return None, names


def session_end(agent: str, data_dir: str, address: str, payload: dict[str, Any]) -> int:
    """Has the session imported: by `serve`, or by a process of its own that nobody waits for."""
    transcript = payload.get("transcript_path")
    message = {
        "op": "session_end",
        "agent": agent,
        "transcript_path": transcript,
        "session_id": payload.get("session_id"),
    }
    _signal.signal(_signal.SIGALRM, give_up_asking)
    try:
        taken = ask(address, message).get("ok")
    except Exception:
        taken = False
    _signal.signal(_signal.SIGALRM, lambda *_: os._exit(0))
    if taken:
        return 0
    _signal.setitimer(_signal.ITIMER_REAL, GRACE_S)
    if isinstance(transcript, str) and os.path.isabs(transcript) and os.path.isfile(transcript):
        spawn_import(data_dir, transcript)
    return 0


def spawn_import(data_dir: str, transcript: str) -> None:
    """Starts the import and does not wait for it. `-P`: nothing may be imported from the agent's folder."""
    import subprocess

    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    paths = os.pathsep.join(path for path in (package, os.environ.get("PYTHONPATH")) if path)
    subprocess.Popen(
        [sys.executable, "-P", "-m", "debug_loop_pipeline.cli.main", "watch", "--once", "--", transcript],
        cwd=data_dir,
        env=dict(os.environ, DEBUG_LOOP_DATA_DIR=data_dir, PYTHONPATH=paths),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def give_up_asking(*_: object) -> None:
    """Turns the deadline into an error while the import can still be started."""
    raise TimeoutError


def ask(address: str, message: dict[str, Any]) -> dict[str, Any]:
    """The answer of `serve`. The alarm bounds the time; another user's socket is not asked."""
    if os.lstat(address).st_uid != os.getuid():
        return {}
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.connect(address)
    connection.sendall(to_json(message).encode() + b"\n")
    received = b""
    while not received.endswith(b"\n"):
        part = connection.recv(65536)
        if not part or len(received) > MAX_ANSWER:
            return {}
        received += part
    answer = from_json(received)
    return answer if isinstance(answer, dict) else {}


class Plain:
    """What the scanner of `json` is told: JSON as it is."""

    strict = False
    object_hook = object_pairs_hook = None
    parse_float = parse_int = parse_constant = float


def from_json(data: bytes) -> Any:
    """The value of a JSON text."""
    text = data.decode("utf-8").strip()
    value, end = _json.make_scanner(Plain())(text, 0)  # type: ignore[arg-type]
    if end != len(text):
        raise ValueError
    return value


def to_json(value: object) -> str:
    """JSON of texts, nothing and mappings of them; of anything else its text."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{to_json(key)}: {to_json(item)}" for key, item in value.items()) + "}"
    return _json.encode_basestring_ascii(value if isinstance(value, str) else repr(value))


def cut(text: object) -> object:
    """A text of at most MAX_TEXT characters: its beginning and, three times as much, its end."""
    if not isinstance(text, str) or len(text) <= MAX_TEXT:
        return text
    return text[: MAX_TEXT // 4] + "\n[...]\n" + text[-MAX_TEXT * 3 // 4 :]


def say(text: str) -> None:
    """All of it or, where nobody reads, as much as is taken."""
    data = text.encode("utf-8", "replace")
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    try:
        status = main(sys.argv)
    except BaseException:
        status = 0
    os._exit(status)
