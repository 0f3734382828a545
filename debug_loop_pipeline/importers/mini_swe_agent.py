"""Reads mini-swe-agent runs: `.traj.json` of versions 1 and 2, and the bare message lists of the first releases.

Every message of the run becomes a step; the evaluation beside the file becomes the run's verdict. Not here: what an
attempt is, and what a shell command edits. The format cannot tell which files a command changed: only the submitted
patch says so, at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from debug_loop_pipeline.importers.base import ImportReport, TranscriptImporter, top_level_keys
from debug_loop_pipeline.importers.diffs import diff_edits
from debug_loop_pipeline.importers.documents import (
    file_time,
    fingerprint,
    listing,
    load_document,
    mapping,
    parse_time,
    string,
    text_of,
)
from debug_loop_pipeline.importers.swebench_report import is_instance_id, repository_of, verdict_beside
from debug_loop_pipeline.importers.tool_calls import arguments_of, command_of
from debug_loop_pipeline.importers.usage import service_usage, split_model
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

_MARKS = (
    b"<returncode>",
    b"COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT",
    b"MINI_SWE_AGENT_FINAL_OUTPUT",
    b"MICRO_SWE_AGENT_FINAL_OUTPUT",
)
"""Texts of the agent's own prompts and observations, which a bare message list is told by."""

_ACTION = re.compile(r"```(?:mswea_bash_command|bash|sh)\s*\n(.*?)\n?```", re.DOTALL)
_ACTION_XML = re.compile(r"<mswea_bash_command>(.*?)</mswea_bash_command>", re.DOTALL)
_RETURN_CODE = re.compile(r"<returncode>\s*(-?\d+)\s*</returncode>")
_OUTPUT = re.compile(r"<output>\n?(.*?)\n?</output>", re.DOTALL)
_HEAD_TAIL = re.compile(r"<output_(?:head|tail)>\n?(.*?)\n?</output_(?:head|tail)>", re.DOTALL)
_EXCEPTION = re.compile(r"<exception>(.*?)</exception>", re.DOTALL)
_TASK = re.compile(r"<(?:pr_description|task)>\s*(.*?)\s*</(?:pr_description|task)>", re.DOTALL)
_TASK_LEAD = re.compile(r"^(?:Consider the following PR description:|Please solve this issue:)\s*")
_TIMED_OUT = re.compile(r"timed out|TimeoutExpired", re.IGNORECASE)
_REJECTED = ("Interrupted by user", "Command not executed", "Command rejected", "The user rejected")
_MALFORMED = ("Please always provide", "Tool call error", "Format error", "Please format your action")
"""How replies begin to a message that had no, or too many, actions: none was run."""
_LIMITS = frozenset({"LimitsExceeded", "Submitted", "UserInterruption", "FormatError", "NonTerminatingException"})
"""Exit statuses that are no failure of the service or the agent program."""


class MiniSweAgentImporter(TranscriptImporter):
    """mini-swe-agent trajectories."""

    name = "mini-swe-agent"

    def sniff(self, path: Path, head: bytes) -> bool:
        """An object with `info` and `messages` of this agent, or a list of chat messages with its marks."""
        start = head.lstrip()[:1]
        if start == b"{":
            keys = top_level_keys(head)
            if keys.keys() & {"trajectory", "history", "steps", "schema_version", "sessionId", "resolved"}:
                return False
            if b"mini-swe-agent" in keys.get("trajectory_format", b""):
                return True
            ours = b'"mini_version"' in head or b"minisweagent" in head
            old = b'"model_stats"' in head and b'"exit_status"' in head
            return (ours and bool(keys.keys() & {"info", "messages"})) or (old and {"info", "messages"} <= keys.keys())
        if start == b"[":
            keys = top_level_keys(head, head.index(b"[") + 1)
            return {"role", "content"} <= keys.keys() and any(mark in head for mark in _MARKS)
        return False

    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        """The one run of the file."""
        data = load_document(path, report)
        document = {"messages": data} if isinstance(data, list) else mapping(data)
        messages = [message for message in listing(document.get("messages")) if isinstance(message, dict)]
        if not messages:
            if data is not None:
                report.problem(path, None, "no messages")
            return
        strays = len(listing(document.get("messages"))) - len(messages)
        if strays:
            report.skip("message that is no object", strays)
        yield _Run(path, document, messages, report).trajectory()


class _Run:
    """One run while it is read."""

    def __init__(
        self, path: Path, document: dict[str, Any], messages: list[dict[str, Any]], report: ImportReport
    ) -> None:
        self.path = path
        self.messages = messages
        self.info = mapping(document.get("info"))
        self.problem_id = string(document.get("instance_id")) or _problem_of(path)
        self.run_name = _run_name(path, self.problem_id)
        self.run_key = f"{self.problem_id or 'run'}/{_identity(messages, self.run_name)}"
        config = mapping(self.info.get("config"))
        environment = mapping(config.get("environment"))
        self.cwd = string(environment.get("cwd"))
        timeout = environment.get("timeout")
        self.timeout_s = float(timeout) if isinstance(timeout, int | float) and not isinstance(timeout, bool) else None
        self.model, self.provider = split_model(string(mapping(config.get("model")).get("model_name")))
        self.report = report
        self.pending: list[ToolCall] = []
        self.usages = 0

    def trajectory(self) -> Trajectory:
        times = (parse_time(mapping(message.get("extra")).get("timestamp")) for message in self.messages)
        first_user = next((text_of(m.get("content")) for m in self.messages if m.get("role") == "user"), "")
        return Trajectory(
            format="mini-swe-agent",
            session_id=self.run_key,
            run_key=self.run_key,
            steps=self.steps(),
            agent_name="mini-swe-agent",
            agent_version=string(self.info.get("mini_version")),
            model=self.model,
            provider=self.provider,
            started_at=next((time for time in times if time), None),
            cwd=self.cwd,
            repository=repository_of(self.problem_id),
            request=_task_of(first_user),
            problem_id=self.problem_id,
            verdict=verdict_beside(self.path, self.problem_id, self.report, run_name=self.run_name),
            file=str(self.path),
            file_time=file_time(self.path),
        )

    def steps(self) -> Iterator[Step]:
        last = len(self.messages) - 1
        told_user = False
        for number, message in enumerate(self.messages):
            role = message.get("role")
            extra = mapping(message.get("extra"))
            step = Step(
                ref=f"{self.run_key}#{number}",
                source=StepSource.SYSTEM,
                timestamp=parse_time(extra.get("timestamp") or message.get("timestamp")),
                text=text_of(message.get("content")),
                cwd=self.cwd,
                line=number + 1,
            )
            if role == "assistant":
                self._assistant(step, number, message, extra)
            elif role == "tool":
                self._observation(step, extra, string(message.get("tool_call_id")))
            elif role == "exit":
                self._exit(step, extra)
            elif role == "user":
                if not told_user:
                    told_user = True
                    step.source = StepSource.HUMAN
                else:
                    self._later_user(step, extra)
            elif role != "system":
                self.report.skip(f"message of role {role}")
                continue
            if number == last:
                self._close(step, role)
            yield step

    def _assistant(self, step: Step, number: int, message: dict[str, Any], extra: dict[str, Any]) -> None:
        step.source = StepSource.AGENT
        response = mapping(extra.get("response"))
        step.model = string(response.get("model")) or self.model
        for index, (call_id, command) in enumerate(_actions(message, extra, step.text)):
            step.calls.append(
                ToolCall(
                    id=call_id or f"{self.run_key}#{number}.{index}",
                    name="bash",
                    kind=ToolKind.SHELL,
                    command=command,
                    cwd=self.cwd,
                    timeout_s=self.timeout_s,
                )
            )
        self.pending = list(step.calls)
        step.usage = service_usage(
            response.get("usage"),
            message_id=string(response.get("id")) or f"{self.run_key}#{number}",
            model=step.model,
            provider=self.provider,
            at=step.timestamp or parse_time(response.get("created")),
            cost=extra.get("cost"),
        )
        self.usages += step.usage is not None

    def _observation(self, step: Step, extra: dict[str, Any], call_id: str | None) -> None:
        step.source = StepSource.TOOL
        call = next((call for call in self.pending if call.id == call_id), None)
        if call is None and self.pending:
            call = self.pending[0]
        if call is None:
            self.report.skip("observation without an action")
            return
        self.pending.remove(call)
        step.results.append(_result(call.id, step.text, extra))
        step.text = ""

    def _later_user(self, step: Step, extra: dict[str, Any]) -> None:
        """A user message after the task: in text mode the observation, else a complaint about the format, else a
        person.
        """
        rejected = bool(extra.get("interrupt_type")) or step.text.startswith(_REJECTED)
        if rejected or step.text.lstrip().startswith(_MALFORMED):
            if rejected:
                step.source = StepSource.HUMAN
                step.interrupted = True
            step.results = [ToolResult(call.id, step.text, is_error=True, cancelled=True) for call in self.pending]
            self.pending = []
        elif self.pending and step.line == len(self.messages) and self.info.get("exit_status") == "Submitted":
            self._exit(step, {"exit_status": "Submitted", "submission": step.text})
        elif self.pending:
            self._observation(step, extra, None)

    def _exit(self, step: Step, extra: dict[str, Any]) -> None:
        """The end: the submitted patch answers the action that asked for submission."""
        status = string(extra.get("exit_status")) or ""
        if self.pending and status == "Submitted":
            submission = extra.get("submission")
            step.source = StepSource.TOOL
            step.results = [
                ToolResult(call.id, step.text if call is self.pending[-1] else "", exit_code=0) for call in self.pending
            ]
            if isinstance(submission, str):
                step.results[-1].edits = diff_edits(submission) or None
            step.text = ""
        self.pending = []

    def _close(self, step: Step, role: Any) -> None:
        """What the run as a whole says: how it ended, and its cost where no message has its own."""
        ending = mapping(self.messages[-1].get("extra"))
        status = string(self.info.get("exit_status")) or string(ending.get("exit_status"))
        message = string(self.info.get("exception_str")) or (step.text if role == "exit" else None)
        failed = bool(self.info.get("traceback") or self.info.get("exception_str"))
        failed = failed or "exception_str" in ending
        if status and status not in _LIMITS and (failed or status.endswith(("Error", "Timeout", "Exception"))):
            text = message or string(self.info.get("submission")) or status
            step.api_error = ApiError(message=text, kind=status)
        cost = mapping(self.info.get("model_stats")).get("instance_cost")
        if self.usages == 0 and step.usage is None and cost:
            step.usage = Usage(
                f"{self.run_key}#total", "", self.model, self.provider, step.timestamp, cost_usd=str(cost)
            )


def _problem_of(path: Path) -> str | None:
    stem = path.name.removesuffix(".json").removesuffix(".traj")
    return next((name for name in (stem, path.parent.name) if is_instance_id(name)), None)


def _run_name(path: Path, problem_id: str | None) -> str | None:
    """The folder between the problem's and the file (`<problem>/<run>/<file>`), or the one above the problem's
    (`<run>/<problem>/<file>`).
    """
    parent = path.parent
    if problem_id is not None and parent.name == problem_id:
        return parent.parent.name or None
    return parent.name if problem_id is not None and parent.parent.name == problem_id else None


def _identity(messages: list[dict[str, Any]], run_name: str | None) -> str:
    """What tells this run from others on its problem, out of the messages themselves: the first response's id or
    time, else what was said.
    """
    for message in messages:
        extra = mapping(message.get("extra"))
        known = string(mapping(extra.get("response")).get("id")) or extra.get("timestamp")
        if known:
            return str(known)
    return fingerprint([message.get("content") for message in messages[:4]], run_name)


def _task_of(text: str) -> str | None:
    match = _TASK.search(text)
    return _TASK_LEAD.sub("", match[1] if match else text).strip() or None


def _actions(message: dict[str, Any], extra: dict[str, Any], text: str) -> list[tuple[str | None, str]]:
    """Id and command of each action of an assistant message."""
    found: list[tuple[str | None, str]] = []
    for action in listing(extra.get("actions")):
        if isinstance(action, str):
            found.append((None, action))
        elif isinstance(action, dict) and isinstance(action.get("command"), str):
            found.append((string(action.get("tool_call_id")), action["command"]))
    if found:
        return found
    for call in listing(message.get("tool_calls")):
        command = command_of(arguments_of(mapping(mapping(call).get("function")).get("arguments")))
        if command:
            found.append((string(mapping(call).get("id")), command))
    if found:
        return found
    return [(None, match.strip()) for match in _ACTION_XML.findall(text) or _ACTION.findall(text)]


def _result(call_id: str, text: str, extra: dict[str, Any]) -> ToolResult:
    match = _RETURN_CODE.search(text)
    code = extra.get("returncode")
    exit_code = code if isinstance(code, int) else int(match[1]) if match else None
    exception = string(extra.get("exception_info")) or next(iter(_EXCEPTION.findall(text)), None)
    raw = extra.get("raw_output")
    if isinstance(raw, str):
        output = raw
    else:
        whole = _OUTPUT.search(text)
        parts = [whole[1]] if whole else _HEAD_TAIL.findall(text)
        output = "\n".join(parts) if parts else _RETURN_CODE.sub("", text).strip()
    timed_out = bool(exception and _TIMED_OUT.search(exception)) or (
        not match and code is None and "timed out" in text[:400]
    )
    if exception:
        output = f"{output}\n{exception}".strip()
    if timed_out and exit_code == -1:
        exit_code = None
    return ToolResult(
        call_id,
        output,
        is_error=timed_out or exit_code != 0 if timed_out or exit_code is not None else None,
        exit_code=exit_code,
        timed_out=timed_out,
    )
