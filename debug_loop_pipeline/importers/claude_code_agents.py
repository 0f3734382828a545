"""Which call of which run started a Claude Code sub-agent, and whose session a file is (LOG_FORMATS 2).

Sub-agents live in files of their own (`<sessionId>/subagents/agent-<agentId>.jsonl`) or, in older versions, as
sidechain lines inside the session's file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.claude_code_tools import content_text
from debug_loop_pipeline.importers.jsonl_lines import split_lines

_TAIL_BYTES = 1 << 16
_CALL_NAME = re.compile(rb'"name":\s*"(?:Task|Agent)"')
_PLAIN_NAME = re.compile(r"\w[\w-]*")
_AGENT_ID = re.compile(r"agentId: ([0-9A-Za-z_-]+)")


def own_session_id(path: Path, first: dict[str, Any]) -> str:
    """The session a file belongs to: the one that wrote its last line.

    The lines before may bear others' ids (a resumed or forked session repeats its parent's), and the file's name may be
    anything.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read(_TAIL_BYTES)
    end = len(tail)
    while end >= 0:
        start = tail.rfind(b"\n", 0, end) + 1
        line, end = tail[start:end], start - 1
        if b'"sessionId"' not in line:
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(record, dict) and isinstance(record.get("sessionId"), str):
            return str(record["sessionId"])
    return str(first.get("sessionId") or path.stem)


@dataclass(frozen=True, slots=True)
class Start:
    """What started a sub-agent: a tool call of a run, and the transcript that this stands in, where it was found."""

    session_id: str
    call_id: str
    file: Path | None


def start_of(path: Path, session: str, agent_id: str, prompt: str) -> Start | None:
    """What started the sub-agent of this file, where a note beside it, the session's file or another sub-agent's tells.

    Args:
        path: the sub-agent's file.
        session: the session that it and those that may have started it are of.
        agent_id: its own id.
        prompt: its first message.
    """
    noted = _read_object(path.with_suffix(".meta.json")).get("toolUseId")
    keys = [noted] if isinstance(noted, str) and noted else [agent_id, prompt_key(prompt)]
    for run, file in _runs_around(path, session):
        try:
            stat = file.stat()
        except OSError:
            continue
        calls = _starting_calls(file, stat.st_size, stat.st_mtime_ns)
        call = next((calls[key] for key in keys if key in calls), None)
        if call is not None:
            return Start(run, call, file)
    return Start(session, noted, None) if isinstance(noted, str) and noted else None


def run_key(session: str, agent_id: str) -> str:
    """The run of a sub-agent."""
    return f"{session}/agent-{agent_id}"


def _runs_around(path: Path, session: str) -> Iterator[tuple[str, Path]]:
    """The runs that may have started the sub-agent of a file, with their transcripts: the session, its other sub-agents."""
    home = next((folder for folder in path.parents if folder.name == "subagents"), None)
    if is_plain_name(session):
        for folder in (path.parent, *(home.parents[1:2] if home is not None else ())):
            yield session, folder / f"{session}.jsonl"
    if home is not None:
        for other in sorted(home.rglob("agent-*.jsonl")):
            if other != path:
                yield run_key(session, other.stem.removeprefix("agent-")), other


def is_plain_name(name: str) -> bool:
    """Whether an id out of a transcript may be part of a path: it cannot lead out of its folder."""
    return _PLAIN_NAME.fullmatch(name) is not None


def prompt_key(prompt: str) -> str:
    """What a sub-agent's first message and the call that started it have in common."""
    return f"prompt {hash(prompt.strip())}"


def agent_of(details: object, output: str) -> str | None:
    """The id of the sub-agent that a finished Task or Agent call started."""
    if isinstance(details, dict) and isinstance(details.get("agentId"), str):
        return str(details["agentId"])
    found = _AGENT_ID.search(output, max(0, len(output) - 2000))
    return found[1] if found else None


@lru_cache(maxsize=256)
def _starting_calls(transcript: Path, _size: int, _changed: int) -> dict[str, str]:
    """Of the calls that start sub-agents in a transcript: id, key of the prompt and sub-agent's id to the call's id.

    Read once for all sub-agents of a session.
    """
    calls: dict[str, str] = {}
    unanswered: set[bytes] = set()
    for _, _, line in split_lines(transcript, ImportReport()):
        if _CALL_NAME.search(line) is None and not any(call in line for call in unanswered):
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        message = record.get("message") if isinstance(record, dict) else None
        blocks = message.get("content") if isinstance(message, dict) else None
        for block in blocks if isinstance(blocks, list) else ():
            if not isinstance(block, dict):
                continue
            if block.get("type") == "tool_use" and block.get("name") in ("Task", "Agent"):
                call, given = str(block.get("id")), block.get("input")
                calls[call] = call
                unanswered.add(call.encode())
                if isinstance(given, dict) and isinstance(given.get("prompt"), str):
                    calls.setdefault(prompt_key(given["prompt"]), call)
            elif block.get("type") == "tool_result" and (call := str(block.get("tool_use_id"))) in calls:
                unanswered.discard(call.encode())
                agent = agent_of(record.get("toolUseResult"), content_text(block.get("content")))
                if agent is not None:
                    calls.setdefault(agent, call)
    return calls


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return value if isinstance(value, dict) else {}
