"""Which call of which session started a Claude Code sub-agent, and whose session a file is (LOG_FORMATS 2).

Sub-agents live in files of their own (`<sessionId>/subagents/agent-<agentId>.jsonl`) or, in older versions, as
sidechain lines inside the session's file.
"""

from __future__ import annotations

import re
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


def parent_file(path: Path) -> Path | None:
    """The transcript that started the sub-agent of a file, where the file lies in its place beside it."""
    if path.parent.name != "subagents":
        return None
    parent = path.parents[2] / f"{path.parents[1].name}.jsonl"
    return parent if parent.is_file() else None


def parent_call(path: Path, parent_session: str, agent_id: str, prompt: str) -> str | None:
    """The tool call that started the sub-agent of this file, where a note beside it or the parent's file tells."""
    noted = _read_object(path.with_suffix(".meta.json")).get("toolUseId")
    if isinstance(noted, str) and noted:
        return noted
    if not is_plain_name(parent_session):
        return None
    for folder in (path.parent, path.parent.parent.parent):
        parent = folder / f"{parent_session}.jsonl"
        try:
            stat = parent.stat()
        except OSError:
            continue
        calls = _starting_calls(parent, stat.st_size, stat.st_mtime_ns)
        return calls.get(agent_id) or calls.get(prompt_key(prompt))
    return None


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


@lru_cache(maxsize=16)
def _starting_calls(parent: Path, _size: int, _changed: int) -> dict[str, str]:
    """Sub-agent's id, and key of its prompt, to tool call id, of one session; read once for all of its sub-agents."""
    calls: dict[str, str] = {}
    for _, _, line in split_lines(parent, ImportReport()):
        if _CALL_NAME.search(line) is None and b"agentId" not in line:
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
                given = block.get("input")
                if isinstance(given, dict) and isinstance(given.get("prompt"), str):
                    calls.setdefault(prompt_key(given["prompt"]), str(block.get("id")))
            elif block.get("type") == "tool_result":
                agent = agent_of(record.get("toolUseResult"), content_text(block.get("content")))
                if agent is not None:
                    calls.setdefault(agent, str(block.get("tool_use_id")))
    return calls


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return value if isinstance(value, dict) else {}
