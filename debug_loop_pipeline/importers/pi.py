"""Reads sessions of pi (the coding agent of pi-mono): JSONL of messages behind a session line.

Usage is per message and already in disjoint buckets, with the cost. The format tells exit codes in the shell tool's
text only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from debug_loop_pipeline.importers.base import ImportReport, TranscriptImporter, head_records
from debug_loop_pipeline.importers.documents import (
    cost_text,
    count_of,
    file_time,
    fingerprint,
    listing,
    mapping,
    parse_time,
    string,
    text_of,
)
from debug_loop_pipeline.importers.jsonl_lines import read_objects
from debug_loop_pipeline.importers.tool_calls import tool_call
from debug_loop_pipeline.models.trajectory import (
    ApiError,
    Step,
    StepSource,
    ToolCall,
    ToolKind,
    ToolResult,
    Trajectory,
    Usage,
)

_EXIT = re.compile(r"(?:\A|\n)Command exited with code (\d+)\s*\Z")
_TIMED_OUT = re.compile(r"(?:\A|\n)Command timed out")
_ABORTED = re.compile(r"(?:\A|\n)(?:Command|Operation) aborted")


class PiImporter(TranscriptImporter):
    """pi sessions."""

    name = "pi"

    def sniff(self, path: Path, head: bytes) -> bool:
        """A first line of type `session` with a working directory."""
        first = next(head_records(head, limit=3), None)
        return first is not None and first.get("type") == "session" and {"id", "cwd"} <= first.keys()

    def default_folders(self) -> list[Path]:
        """Where pi keeps its sessions."""
        return [Path.home() / ".pi" / "agent" / "sessions"]

    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        """The one session of the file."""
        records = read_objects(path, report)
        first = next(records, None)
        if first is None:
            report.problem(path, None, "no session")
        else:
            yield _Session(path, first, records, report).trajectory()


class _Session:
    """One session while it is read."""

    def __init__(
        self,
        path: Path,
        first: tuple[int, int, dict[str, Any]],
        records: Iterator[tuple[int, int, dict[str, Any]]],
        report: ImportReport,
    ) -> None:
        self.path = path
        self.records = records
        self.report = report
        self.first = first
        header = first[2] if first[2].get("type") == "session" else {}
        self.header = header
        self.session_id = string(header.get("id")) or fingerprint(first[2])
        self.model = string(header.get("modelId"))
        self.provider = string(header.get("provider"))
        self.cwd = string(header.get("cwd"))
        self.calls: dict[str, ToolCall] = {}

    def trajectory(self) -> Trajectory:
        return Trajectory(
            format="pi",
            session_id=self.session_id,
            run_key=self.session_id,
            steps=self.steps(),
            agent_name="pi",
            model=self.model,
            provider=self.provider,
            started_at=parse_time(self.header.get("timestamp")),
            cwd=self.cwd,
            file=str(self.path),
            file_time=file_time(self.path),
        )

    def steps(self) -> Iterator[Step]:
        if not self.header:
            yield from self._step(*self.first)
        for record in self.records:
            yield from self._step(*record)

    def _step(self, line: int, _: int, record: dict[str, Any]) -> Iterator[Step]:
        kind = record.get("type")
        if kind == "model_change":
            self.model = string(record.get("modelId")) or self.model
            self.provider = string(record.get("provider")) or self.provider
            return
        message = mapping(record.get("message"))
        if kind != "message" or not message:
            self.report.skip(f"line of type {kind}")
            return
        role = message.get("role")
        stamp = message.get("timestamp")
        ref = (
            string(record.get("id"))
            or string(message.get("toolCallId"))
            or f"{role}-{stamp or record.get('timestamp')}"
        )
        step = Step(
            ref,
            StepSource.SYSTEM,
            timestamp=parse_time(record.get("timestamp")) or parse_time(stamp),
            text=text_of(message.get("content")),
            cwd=self.cwd,
            line=line,
        )
        if role == "user":
            step.source = StepSource.HUMAN
        elif role == "assistant":
            self._assistant(step, message)
        elif role == "toolResult":
            step.source = StepSource.TOOL
            step.results = [self._result(message, step.text)]
            step.text = ""
        elif role == "bashExecution":
            self._human_command(step, message)
        else:
            self.report.skip(f"message of role {role}")
            return
        yield step

    def _assistant(self, step: Step, message: dict[str, Any]) -> None:
        step.source = StepSource.AGENT
        step.model = string(message.get("model")) or self.model
        for block in listing(message.get("content")):
            if isinstance(block, dict) and block.get("type") == "toolCall" and string(block.get("id")):
                name = string(block.get("name")) or "?"
                call = tool_call(block["id"], name, mapping(block.get("arguments")), self.cwd)
                step.calls.append(call)
                self.calls[call.id] = call
        reason = message.get("stopReason")
        if reason == "aborted":
            step.interrupted = True
        elif reason == "error":
            step.api_error = ApiError(string(message.get("errorMessage")) or "the request failed")
        if reason in ("aborted", "error"):
            never_run = string(message.get("errorMessage")) or str(reason)
            step.results = [ToolResult(call.id, never_run, is_error=True, cancelled=True) for call in step.calls]
        raw = mapping(message.get("usage"))
        own_id = string(message.get("responseId")) or (step.calls[0].id if step.calls else None)
        usage = Usage(
            message_id=own_id or fingerprint(message.get("timestamp"), step.model, raw),
            request_id="",
            model=step.model,
            provider=string(message.get("provider")) or self.provider,
            at=step.timestamp,
            tokens_input=count_of(raw.get("input")),
            tokens_cache_read=count_of(raw.get("cacheRead")),
            tokens_cache_write_5m=count_of(raw.get("cacheWrite")),
            tokens_output=count_of(raw.get("output")),
            cost_usd=cost_text(mapping(raw.get("cost")).get("total")),
        )
        step.usage = usage if usage.total else None

    def _result(self, message: dict[str, Any], output: str) -> ToolResult:
        call_id = string(message.get("toolCallId")) or "?"
        call = self.calls.pop(call_id, None)
        failed = message.get("isError")
        result = ToolResult(call_id, output, is_error=failed if isinstance(failed, bool) else None)
        if call is None:
            self.report.skip("tool result without a call")
        elif call.kind is ToolKind.SHELL:
            code = _EXIT.search(output)
            if code:
                result.exit_code = int(code[1])
                result.output = output[: code.start()].rstrip()
            elif failed is False:
                result.exit_code = 0
            result.timed_out = bool(failed and _TIMED_OUT.search(output))
        result.cancelled = bool(failed and _ABORTED.search(output))
        return result

    def _human_command(self, step: Step, message: dict[str, Any]) -> None:
        """A command that the human ran in the session."""
        call = ToolCall(f"{step.ref}.0", "bash", ToolKind.SHELL, command=string(message.get("command")), cwd=self.cwd)
        code = message.get("exitCode")
        exit_code = code if isinstance(code, int) else None
        step.calls = [call]
        step.results = [
            ToolResult(
                call.id,
                string(message.get("output")) or "",
                is_error=None if exit_code is None else exit_code != 0,
                exit_code=exit_code,
                cancelled=message.get("cancelled") is True,
            )
        ]
