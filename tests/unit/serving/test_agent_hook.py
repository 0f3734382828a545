"""The hook says what `serve` says, or nothing, in time and with status 0, whatever it is given and whoever answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.serving import agent_hook

SCRIPT = Path(agent_hook.__file__)
FAILURE = {
    "session_id": "5b3c",
    "transcript_path": "/nowhere/5b3c.jsonl",
    "cwd": "/nowhere",
    "permission_mode": "default",
    "hook_event_name": "PostToolUseFailure",
    "tool_name": "Bash",
    "tool_input": {"command": "pytest -q"},
    "tool_use_id": "toolu_01",
    "error": "Exit code 1\nKeyError: 'name'",
    "is_interrupt": False,
    "duration_ms": 12,
}
PROMPT = {"session_id": "5b3c", "cwd": "/nowhere", "hook_event_name": "UserPromptSubmit", "prompt": "Fix it"}
COPILOT_FAILURE = {
    "sessionId": "c-1",
    "timestamp": 1704614600000,
    "cwd": "/nowhere",
    "toolName": "bash",
    "toolArgs": {"command": "pytest"},
    "error": "KeyError: 'name'",
}
Behaviour = Callable[[socket.socket], None]


class FakeServe:
    """A socket that treats each client as told. `asked` holds what came."""

    def __init__(self, path: Path, behaviour: Behaviour) -> None:
        self.asked: list[Any] = []
        self.path = path
        self._behaviour = behaviour
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._open: list[socket.socket] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            received = b""
            while not received.endswith(b"\n"):
                part = client.recv(1 << 16)
                if not part:
                    break
                received += part
            if received:
                self.asked.append(json.loads(received))
            self._behaviour(client)

    def close(self) -> None:
        self._listener.close()
        for client in self._open:
            client.close()


def says(text: str) -> Behaviour:
    def behave(client: socket.socket) -> None:
        client.sendall(json.dumps({"ok": True, "markdown": text}).encode() + b"\n")
        client.close()

    return behave


def sends(data: bytes, *, then_close: bool = True) -> Behaviour:
    def behave(client: socket.socket) -> None:
        client.sendall(data)
        if then_close:
            client.close()

    return behave


@pytest.fixture
def serve(short_directory: Path) -> Iterator[Callable[[Behaviour], FakeServe]]:
    made: list[FakeServe] = []

    def start(behaviour: Behaviour) -> FakeServe:
        made.append(FakeServe(short_directory / "s", behaviour))
        return made[-1]

    yield start
    for one in made:
        one.close()


def run(address: Path, payload: object, agent: str = "claude-code", **more: Any) -> subprocess.CompletedProcess[bytes]:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    command = [sys.executable, "-I", "-S", str(SCRIPT), agent, str(address.parent), str(address)]
    return subprocess.run(command, input=data, capture_output=True, timeout=20, check=False, **more)


def silent(done: subprocess.CompletedProcess[bytes]) -> bool:
    return (done.returncode, done.stdout) == (0, b"")


def test_a_known_fix_reaches_the_agent(serve: Callable[[Behaviour], FakeServe]) -> None:
    server = serve(says("Use `.get` — naïve «quotes» \U0001f600"))
    done = run(server.path, FAILURE)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "hookSpecificOutput": {
            "hookEventName": "PostToolUseFailure",
            "additionalContext": "Use `.get` — naïve «quotes» \U0001f600",
        }
    }
    assert server.asked == [
        {
            "op": "manifest",
            "session_id": "5b3c",
            "cwd": "/nowhere",
            "occasion": "failure",
            "error": FAILURE["error"],
            "tool_call_id": "toolu_01",
            "agent": "claude-code",
        }
    ]


def test_a_solution_is_asked_for_at_a_prompt(serve: Callable[[Behaviour], FakeServe]) -> None:
    server = serve(says("take this"))
    output = json.loads(run(server.path, PROMPT).stdout)["hookSpecificOutput"]
    assert output == {"hookEventName": "UserPromptSubmit", "additionalContext": "take this"}
    assert (server.asked[0]["request"], server.asked[0]["occasion"]) == ("Fix it", "prompt")


def test_nothing_known_is_nothing_said(serve: Callable[[Behaviour], FakeServe]) -> None:
    assert silent(run(serve(says("")).path, FAILURE))


@pytest.mark.parametrize(
    "payload",
    [
        FAILURE | {"is_interrupt": True},
        FAILURE | {"error": None},
        FAILURE | {"error": {"message": "an object"}},
        FAILURE | {"error": "  \n"},
        FAILURE | {"hook_event_name": "PostToolUse"},
        {k: v for k, v in FAILURE.items() if k != "hook_event_name"},
        {k: v for k, v in FAILURE.items() if k != "error"},
        PROMPT | {"prompt": 7},
        [],
        "text",
        None,
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"{} {}",
        b'{"a": nan}',
        b'{"hook_event_name": "PostToolUseFailure", "error": "' + b"x" * 1_000,
    ],
    ids=lambda payload: str(payload)[:40] if isinstance(payload, bytes) else None,
)
def test_payloads_that_call_for_nothing_are_not_asked_about(
    serve: Callable[[Behaviour], FakeServe], payload: object
) -> None:
    server = serve(says("never"))
    assert silent(run(server.path, payload))
    assert server.asked == []


def test_an_error_of_five_megabytes_is_cut_to_its_ends(serve: Callable[[Behaviour], FakeServe]) -> None:
    server = serve(says("cut"))
    done = run(server.path, FAILURE | {"error": "first line\n" + "é" * 5_000_000 + "\nlast line"})
    assert done.returncode == 0
    if server.asked:  # on a slow machine the deadline may come first
        told = server.asked[0]["error"]
        assert len(told) < agent_hook.MAX_TEXT + 100
        assert told.startswith("first line")
        assert told.endswith("last line")


def test_lone_surrogates_and_nul_pass(serve: Callable[[Behaviour], FakeServe]) -> None:
    server = serve(says("fine"))
    done = run(server.path, b'{"hook_event_name": "PostToolUseFailure", "error": "a\\ud800b\\u0000c"}')
    assert b"fine" in done.stdout
    assert server.asked[0]["error"] == "a\ud800b\x00c"


@pytest.mark.parametrize(
    "behaviour",
    [
        lambda client: None,
        sends(b"", then_close=True),
        sends(b'{"ok": true, "markdown": "half an ans', then_close=True),
        sends(b'{"ok": true, "markdown": "half an ans', then_close=False),
        sends(b"no JSON\n"),
        sends(b"[1, 2]\n"),
        sends(b'{"ok": true, "markdown": 7}\n'),
        sends(b'{"ok": false, "error": "busy"}\n'),
        sends(b"\xff\n"),
    ],
    ids=["hangs", "closes", "dies in its answer", "hangs in its answer", "text", "list", "number", "refuses", "bytes"],
)
def test_a_server_in_trouble_costs_an_answer_and_no_more_than_the_deadline(
    serve: Callable[[Behaviour], FakeServe], behaviour: Behaviour
) -> None:
    server = serve(behaviour)
    started = time.monotonic()
    assert silent(run(server.path, FAILURE))
    assert time.monotonic() - started < 3  # the deadline, and an interpreter's start on a busy machine


def test_an_endless_answer_is_given_up(serve: Callable[[Behaviour], FakeServe]) -> None:
    def flood(client: socket.socket) -> None:
        try:
            while True:
                client.sendall(b"x" * 100_000)
        except OSError:
            return

    assert silent(run(serve(flood).path, FAILURE))


def test_without_a_server_it_is_silent(short_directory: Path) -> None:
    assert silent(run(short_directory / "absent", FAILURE))
    (short_directory / "file").write_text("no socket", encoding="utf-8")
    assert silent(run(short_directory / "file", FAILURE))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(short_directory / "dead"))
    assert silent(run(short_directory / "dead", FAILURE))


def test_a_payload_that_never_ends_is_given_up(short_directory: Path) -> None:
    command = [sys.executable, "-I", "-S", str(SCRIPT), "claude-code", str(short_directory), "none"]
    reading, writing = os.pipe()
    try:
        with subprocess.Popen(command, stdin=reading, stdout=subprocess.PIPE) as hook:
            os.write(writing, b'{"hook_event_name": ')
            assert hook.wait(10) == 0
            assert hook.stdout is not None
            assert hook.stdout.read() == b""
    finally:
        os.close(reading)
        os.close(writing)


def test_missing_arguments_end_well() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", str(SCRIPT)], input=b"{}", capture_output=True, check=False)
    assert silent(done)


def test_a_reader_that_has_gone_is_no_trouble(serve: Callable[[Behaviour], FakeServe]) -> None:
    server = serve(says("x" * 500_000))
    command = [sys.executable, "-I", "-S", str(SCRIPT), "claude-code", "d", str(server.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as hook:
        assert hook.stdin is not None
        assert hook.stdout is not None
        hook.stdout.close()
        hook.stdin.write(json.dumps(FAILURE).encode())
        hook.stdin.close()
        assert hook.wait(10) == 0


def test_copilot_gets_text_and_the_status_that_stands_for_advice(serve: Callable[[Behaviour], FakeServe]) -> None:
    server = serve(says("Use .get"))
    done = run(server.path, COPILOT_FAILURE, "copilot")
    assert (done.returncode, done.stdout) == (agent_hook.SPEAK, b"Use .get")
    assert (server.asked[0]["session_id"], server.asked[0]["agent"]) == ("c-1", "copilot")
    nothing_known = {"sessionId": "c-1", "timestamp": 1, "cwd": "/", "prompt": "hello"}
    assert silent(run(server.path, nothing_known, "copilot"))


def test_the_end_of_a_session_is_told(serve: Callable[[Behaviour], FakeServe]) -> None:
    server = serve(says(""))
    ended = {"session_id": "s", "transcript_path": "/t/s.jsonl", "hook_event_name": "SessionEnd", "reason": "exit"}
    assert silent(run(server.path, ended))
    assert silent(run(server.path, {"sessionId": "c", "cwd": "/", "reason": "complete"}, "copilot"))
    assert [(a["op"], a["agent"], a["session_id"], a["transcript_path"]) for a in server.asked] == [
        ("session_end", "claude-code", "s", "/t/s.jsonl"),
        ("session_end", "copilot", "c", None),
    ]


def test_it_imports_next_to_nothing() -> None:
    script = (
        f"import os, sys; before = set(sys.modules); source = open({str(SCRIPT)!r}).read();"
        "exec(compile(source, 'hook', 'exec'), {'__name__': 'hook'}); print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['__future__', '_json', '_socket']"
