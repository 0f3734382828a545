"""Reads GitHub Copilot CLI sessions: JSONL of events.

Messages tell their output tokens; input and cache only the totals of each shutdown, per model. A session that was
not shut down (or is still going on) has no input tokens: its usage is marked as estimated. Input includes what was
read from the cache.

What a sub-agent does stands among the rest, under its own id (`agentId`) or that of the call that started it; it is a run of its own. The totals
of a shutdown are of all of them and stay with the session's.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from debug_loop_pipeline.importers.base import ImportReport, TranscriptImporter, head_records
from debug_loop_pipeline.importers.documents import (
    count_of,
    file_time,
    fingerprint,
    listing,
    mapping,
    parse_time,
    string,
    text_of,
)
from debug_loop_pipeline.importers.jsonl_lines import read_objects, read_objects_at
from debug_loop_pipeline.importers.tool_calls import arguments_of, tool_call
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

_TYPES = frozenset(
    {"session.start", "session.resume", "assistant.turn_start", "assistant.message", "tool.execution_start"}
)
_EXIT = re.compile(
    r"\n?<(?:shellId: \S+ |command with \S+ |)(?:completed|exited) with (?:exit code|exitCode:?) (-?\d+)>?\s*\Z"
)
_SILENT = re.compile(
    r"^(?:hook|permission|system|session|assistant\.(?:turn|reasoning|intent|usage|streaming)|tool\.(?:execution_(?:progress|partial)|user_requested)|skill"
    r"|subagent|pending_messages|exit_plan_mode|user_input|elicitation|external_tool|command)"
)


_Located = tuple[int, int, dict[str, Any]]


class CopilotImporter(TranscriptImporter):
    """Copilot CLI sessions."""

    name = "copilot"

    def sniff(self, path: Path, head: bytes) -> bool:
        """Lines of events with a type of this agent, data and a parent."""
        return any(
            record.get("type") in _TYPES and isinstance(record.get("data"), dict) and "id" in record
            for record in head_records(head, limit=10)
        )

    def default_folders(self) -> list[Path]:
        """Where Copilot CLI keeps its sessions."""
        return [Path.home() / ".copilot" / "session-state"]

    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        """The session of the file, then its sub-agents' runs."""
        records = read_objects(path, report)
        opening: list[_Located] = []
        for record in records:
            opening.append(record)
            if record[2].get("type") in ("session.start", "user.message") or len(opening) >= 20:
                break
        if opening:
            yield from _Session(path, opening, records, report).trajectories()
        else:
            report.problem(path, None, "no session")


class _Session:
    """One session while it is read."""

    def __init__(
        self,
        path: Path,
        opening: list[_Located],
        records: Iterator[_Located],
        report: ImportReport,
    ) -> None:
        self.path = path
        self.opening = opening
        self.records = records
        self.report = report
        start = next((mapping(r.get("data")) for _, _, r in opening if r.get("type") == "session.start"), {})
        self.start = start
        self.context = mapping(start.get("context"))
        self.session_id = string(start.get("sessionId")) or fingerprint(opening[0][2])
        self.model = string(start.get("selectedModel"))
        self.calls: dict[str, ToolCall] = {}
        self.denied: set[str] = set()
        self.counted: dict[str | None, int] = {}
        """Output tokens of messages since the last shutdown, by model."""
        self.run = self.session_id
        self.subagents: dict[str, array[int]] = {}
        """Where the lines of each sub-agent stand, by the call that started it."""
        self.calls_of_agents: dict[str, str] = {}
        """Sub-agent's id -> the call that started it, where they differ."""
        self.started: dict[str, tuple[str, str | None]] = {}
        """Call that starts a sub-agent -> the run it is made in, and what it asks for."""

    def trajectories(self) -> Iterator[Trajectory]:
        steps = self._steps(self._own(chain(self.opening, self.records)))
        yield self._trajectory(steps, self.opening[0][2])
        for _ in steps:
            pass
        if self.counted:
            self.report.skip("session without totals: input tokens unknown")
        for call, spans in self.subagents.items():
            located = read_objects_at(self.path, spans)
            first = next(located, None)
            if first is None:
                continue
            self.run = f"{self.session_id}/agent-{call}"
            self.context = mapping(self.start.get("context"))
            # A glued line may hold an object of the session's as well.
            steps = self._steps(one for one in chain([first], located) if self._subagent(one[2]) is not None)
            trajectory = self._trajectory(steps, first[2])
            trajectory.agent_type = "subagent"
            trajectory.parent_session_id, trajectory.request = self.started.get(call, (self.session_id, None))
            trajectory.parent_call_id = call
            yield trajectory
            for _ in steps:
                pass

    def _own(self, located: Iterable[_Located]) -> Iterator[_Located]:
        """The session's own lines; where those of its sub-agents stand is kept for these."""
        for one in located:
            call = self._subagent(one[2])
            if call is None:
                yield one
                continue
            self.subagents.setdefault(call, array("Q")).extend(one[:2])
            if one[2].get("type") == "assistant.message":
                self._count(mapping(one[2].get("data")))

    def _subagent(self, record: dict[str, Any]) -> str | None:
        """The call that started the sub-agent of a line; None for a line of the session itself, or about its agents."""
        data = mapping(record.get("data"))
        agent = string(record.get("agentId"))
        if str(record.get("type")).startswith("subagent."):
            call = string(data.get("toolCallId"))
            if agent and call:
                self.calls_of_agents[agent] = call
            return None
        return string(data.get("parentToolCallId")) or (self.calls_of_agents.get(agent, agent) if agent else None)

    def _trajectory(self, steps: Iterator[Step], first: dict[str, Any]) -> Trajectory:
        return Trajectory(
            format="copilot",
            session_id=self.run,
            run_key=self.run,
            steps=steps,
            agent_name="copilot-cli",
            agent_version=string(self.start.get("copilotVersion")),
            model=self.model,
            provider=None,
            started_at=(parse_time(self.start.get("startTime")) if self.run == self.session_id else None)
            or parse_time(first.get("timestamp")),
            cwd=string(self.context.get("cwd")),
            repository=string(self.context.get("repository")),
            branch=string(self.context.get("branch")),
            commit=string(self.context.get("headCommit")),
            file=str(self.path),
            file_time=file_time(self.path),
        )

    def _steps(self, located: Iterable[_Located]) -> Iterator[Step]:
        for line, _, record in located:
            yield from self._of(line, record)

    def _of(self, line: int, record: dict[str, Any]) -> Iterator[Step]:
        kind = string(record.get("type")) or "?"
        data = mapping(record.get("data"))
        step = Step(
            string(record.get("id")) or f"{self.session_id}#{line}",
            StepSource.SYSTEM,
            timestamp=parse_time(record.get("timestamp")),
            cwd=string(self.context.get("cwd")),
            branch=string(self.context.get("branch")),
            line=line,
        )
        if kind in ("session.start", "session.resume", "session.context_changed"):
            self.context = mapping(data.get("context")) or (data if "cwd" in data else self.context)
        elif kind == "session.model_change":
            self.model = string(data.get("newModel")) or self.model
        elif kind == "user.message":
            if data.get("source") in (None, "user"):
                step.source = StepSource.HUMAN
            step.text = text_of(data.get("content"))
            yield step
        elif kind == "assistant.message":
            self._message(step, data)
            yield step
        elif kind == "tool.execution_start":
            yield from self._unannounced(step, data)
        elif kind == "tool.execution_complete":
            self._result(step, data)
            yield step
        elif kind == "permission.completed":
            if (string(mapping(data.get("result")).get("kind")) or "").startswith("denied"):
                self.denied.add(string(data.get("toolCallId")) or "")
        elif kind == "abort":
            step.interrupted = True
            step.text = string(data.get("reason")) or ""
            yield step
        elif kind == "session.error":
            step.api_error = ApiError(string(data.get("message")) or "error", string(data.get("errorType")))
            yield step
        elif kind == "session.shutdown":
            yield from self._totals(step, data)
        elif not _SILENT.match(kind):
            self.report.skip(f"event of type {kind}")

    def _message(self, step: Step, data: dict[str, Any]) -> None:
        step.source = StepSource.AGENT
        step.text = text_of(data.get("content")) or string(data.get("reasoningText")) or ""
        step.model = string(data.get("model")) or self.model
        for request in listing(data.get("toolRequests")):
            call_id = string(mapping(request).get("toolCallId"))
            if call_id and call_id not in self.calls:
                step.calls.append(self._call(call_id, mapping(request).get("name"), mapping(request).get("arguments")))
        output = self._count(data)
        if output:
            step.usage = Usage(
                message_id=string(data.get("apiCallId")) or string(data.get("messageId")) or step.ref,
                request_id="",
                model=step.model,
                provider=None,
                at=step.timestamp,
                tokens_output=output,
                estimated=True,
            )

    def _count(self, data: dict[str, Any]) -> int:
        """The output tokens that a message tells, which the totals of the next shutdown contain."""
        output = count_of(data.get("outputTokens"))
        if output:
            model = string(data.get("model")) or self.model
            self.counted[model] = self.counted.get(model, 0) + output
        return output

    def _call(self, call_id: str, name: Any, arguments: Any) -> ToolCall:
        call = tool_call(call_id, string(name) or "?", arguments_of(arguments), string(self.context.get("cwd")))
        self.calls[call_id] = call
        if call.kind is ToolKind.SUBAGENT:
            self.started[call_id] = self.run, string(arguments_of(arguments).get("prompt"))
        return call

    def _unannounced(self, step: Step, data: dict[str, Any]) -> Iterator[Step]:
        """A call that no message asked for: the human's own, or one whose message is lost."""
        call_id = string(data.get("toolCallId"))
        if call_id and call_id not in self.calls:
            step.source = StepSource.AGENT
            step.calls = [self._call(call_id, data.get("toolName"), data.get("arguments"))]
            yield step

    def _result(self, step: Step, data: dict[str, Any]) -> None:
        step.source = StepSource.TOOL
        call_id = string(data.get("toolCallId")) or "?"
        call = self.calls.get(call_id)
        if call is None:
            self.report.skip("tool result without a call")
        success = data.get("success")
        error = mapping(data.get("error"))
        output = text_of(mapping(data.get("result")).get("content")) or string(error.get("message")) or ""
        result = ToolResult(call_id, output, is_error=None if not isinstance(success, bool) else not success)
        if call is not None and call.kind is ToolKind.SHELL:
            code = _EXIT.search(output)
            if code:
                result.exit_code = int(code[1])
                result.output = output[: code.start()]
                result.is_error = result.exit_code != 0
        result.cancelled = call_id in self.denied or error.get("code") in ("denied", "rejected", "aborted", "cancelled")
        step.results = [result]

    def _totals(self, step: Step, data: dict[str, Any]) -> Iterator[Step]:
        """What the messages did not tell of the totals of a shutdown: one record per model."""
        for number, (model, metrics) in enumerate(sorted(mapping(data.get("modelMetrics")).items())):
            raw = mapping(mapping(metrics).get("usage"))
            read, write = count_of(raw.get("cacheReadTokens")), count_of(raw.get("cacheWriteTokens"))
            usage = Usage(
                message_id=f"{step.ref}/{model}",
                request_id="",
                model=model,
                provider=None,
                at=step.timestamp,
                tokens_input=max(0, count_of(raw.get("inputTokens")) - read - write),
                tokens_cache_read=read,
                tokens_cache_write_5m=write,
                tokens_output=max(0, count_of(raw.get("outputTokens")) - self.counted.get(model, 0)),
                tokens_reasoning=count_of(raw.get("reasoningTokens")),
            )
            if usage.total:
                yield Step(
                    f"{step.ref}/{number}", StepSource.SYSTEM, timestamp=step.timestamp, usage=usage, line=step.line
                )
        self.counted = {}
