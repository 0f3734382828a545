"""Reads Gemini CLI sessions: one object with all messages, or (later versions) one object a line behind a header.

Cached tokens are inside the input, thoughts outside the output. The format tells the project by a hash only, so no
working directory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from debug_loop_pipeline.importers.base import ImportReport, TranscriptImporter, top_level_keys
from debug_loop_pipeline.importers.diffs import changed_parts
from debug_loop_pipeline.importers.documents import (
    count_of,
    file_time,
    fingerprint,
    listing,
    mapping,
    parse_time,
    read_text,
    string,
    text_of,
)
from debug_loop_pipeline.importers.jsonl_lines import recover_objects
from debug_loop_pipeline.importers.tool_calls import tool_call
from debug_loop_pipeline.models.trajectory import (
    ApiError,
    FileEdit,
    Step,
    StepSource,
    ToolCall,
    ToolKind,
    ToolResult,
    Trajectory,
    Usage,
)

_EXIT = re.compile(r"^Exit Code: (-?\d+)\s*$", re.MULTILINE)
_OUTPUT = re.compile(
    r"^(?:Output|Stdout): (.*?)(?=^(?:Error|Stderr|Exit Code|Signal|Background PIDs|Process Group PGID): |\Z)",
    re.DOTALL | re.MULTILINE,
)
_ERROR = re.compile(
    r"^(?:Error|Stderr): (.*?)(?=^(?:Exit Code|Signal|Background PIDs|Process Group PGID): |\Z)",
    re.DOTALL | re.MULTILINE,
)
_NOTHING = ("(empty)", "(none)")
_INJECTED = ("System: ",)
_CANCELLED = ("Request cancelled", "User cancelled")


class GeminiImporter(TranscriptImporter):
    """Gemini CLI sessions."""

    name = "gemini"

    def sniff(self, path: Path, head: bytes) -> bool:
        """An object with a session id, a project's hash and messages."""
        keys = top_level_keys(head)
        return "sessionId" in keys and bool(keys.keys() & {"projectHash", "messages"}) and "startTime" in keys

    def default_folders(self) -> list[Path]:
        """Where Gemini CLI keeps its sessions."""
        return [Path.home() / ".gemini" / "tmp"]

    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        """The one session of the file."""
        text = read_text(path, report)
        if text is None:
            return
        report.lines += text.count("\n") + 1
        header, messages = _parse(text, path, report)
        if not header and not messages:
            report.problem(path, None, "no session")
            return
        session_id = string(header.get("sessionId")) or fingerprint(messages[:1])
        yield Trajectory(
            format="gemini",
            session_id=session_id,
            run_key=session_id,
            steps=_steps(session_id, messages, report),
            agent_name="gemini-cli",
            model=next((model for message in messages if (model := string(message.get("model")))), None),
            provider="google",
            started_at=parse_time(header.get("startTime")),
            file=str(path),
            file_time=file_time(path),
        )


def _parse(text: str, path: Path, report: ImportReport) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and messages; a message told again (the session was saved anew) counts as it was told last."""
    try:
        records = [orjson.loads(text)]
    except orjson.JSONDecodeError:
        records = [
            record
            for number, line in enumerate(text.split("\n"), 1)
            for record in recover_objects(line.encode(), path, number, report)
        ]
    header: dict[str, Any] = {}
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        if not isinstance(record, dict):
            continue
        if "sessionId" in record:
            header = {**record, **header}
        own = [record] if "type" in record and "id" in record else listing(record.get("messages"))
        for message in own:
            if isinstance(message, dict):
                found[string(message.get("id")) or fingerprint(message)] = message
    return header, list(found.values())


def _steps(session_id: str, messages: list[dict[str, Any]], report: ImportReport) -> Iterator[Step]:
    for number, message in enumerate(messages, 1):
        kind = message.get("type")
        content = text_of(message.get("content"))
        ref = string(message.get("id")) or f"{session_id}#{number}"
        step = Step(ref, StepSource.SYSTEM, timestamp=parse_time(message.get("timestamp")), text=content, line=number)
        if kind == "user":
            if not content.startswith(_INJECTED):
                step.source = StepSource.HUMAN
        elif kind == "gemini":
            yield from _answer(step, message)
            continue
        elif kind == "error":
            step.api_error = ApiError(content)
        elif kind in ("info", "warning"):
            step.interrupted = content.startswith(_CANCELLED)
        else:
            report.skip(f"message of type {kind}")
            continue
        yield step


def _answer(step: Step, message: dict[str, Any]) -> Iterator[Step]:
    step.source = StepSource.AGENT
    step.model = string(message.get("model"))
    tokens = mapping(message.get("tokens"))
    cached = count_of(tokens.get("cached"))
    thoughts = count_of(tokens.get("thoughts"))
    usage = Usage(
        message_id=step.ref,
        request_id="",
        model=step.model,
        provider="google",
        at=step.timestamp,
        tokens_input=max(0, count_of(tokens.get("input")) - cached) + count_of(tokens.get("tool")),
        tokens_cache_read=cached,
        tokens_output=count_of(tokens.get("output")) + thoughts,
        tokens_reasoning=thoughts,
    )
    step.usage = usage if usage.total else None
    answer = Step(f"{step.ref}.results", StepSource.TOOL, line=step.line)
    for index, raw in enumerate(listing(message.get("toolCalls"))):
        if not isinstance(raw, dict):
            continue
        call_id = string(raw.get("id")) or f"{step.ref}.{index}"
        call = tool_call(call_id, string(raw.get("name")) or "?", mapping(raw.get("args")))
        step.calls.append(call)
        answer.results.append(_result(call, raw))
        answer.timestamp = parse_time(raw.get("timestamp")) or step.timestamp
    yield step
    if answer.results:
        yield answer


def _result(call: ToolCall, raw: dict[str, Any]) -> ToolResult:
    status = raw.get("status")
    failed = None if status is None else status != "success"
    display = raw.get("resultDisplay")
    output = _response_text(raw.get("result")) or (display if isinstance(display, str) else "")
    result = ToolResult(call.id, output, is_error=failed, cancelled=status in ("cancelled", "canceled"))
    if call.kind is ToolKind.SHELL:
        code = _EXIT.search(output)
        parts = [match[1].strip("\n") for pattern in (_OUTPUT, _ERROR) if (match := pattern.search(output))]
        if code:
            result.exit_code = int(code[1])
            result.is_error = result.exit_code != 0
        elif parts and failed is False:
            result.exit_code = 0
        if parts:
            result.output = "\n".join(part for part in parts if part not in _NOTHING)
    elif call.kind is ToolKind.EDIT and isinstance(display, dict) and isinstance(display.get("newContent"), str):
        old, new = display.get("originalContent"), display["newContent"]
        path = call.target or string(display.get("fileName")) or ""
        if isinstance(old, str):
            result.edits = changed_parts(path, old, new)
        else:
            result.edits = [FileEdit(path, "" if display.get("isNewFile") else None, new, new)]
    return result


def _response_text(result: Any) -> str:
    texts: list[str] = []
    for part in result if isinstance(result, list) else [result]:
        response = mapping(mapping(part).get("functionResponse")).get("response")
        fields = mapping(response)
        text = string(fields.get("output")) or string(fields.get("error")) or text_of(part)
        texts.append(text)
    return "\n".join(text for text in texts if text)
