"""Reads OpenHands runs: lists of events, the server's store of them (`events/<number>.json`, an event a file), and the output
lines of its resolver and benchmarks that wrap them in `history`.

An observation answers the action that its `cause` names; older histories have no ids and are paired in order. Usage
is that of the model's responses where the events carry them, else the run's total. Not here: what single actions
mean (`openhands_events`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from debug_loop_pipeline.importers.base import ImportReport, TranscriptImporter, top_level_keys
from debug_loop_pipeline.importers.documents import (
    beside,
    cost_text,
    count_of,
    file_time,
    fingerprint,
    listing,
    load_document,
    mapping,
    parse_time,
    string,
    text_of,
)
from debug_loop_pipeline.importers.jsonl_lines import read_objects
from debug_loop_pipeline.importers.openhands_events import (
    SAYING_ACTIONS,
    SILENT_ACTIONS,
    SILENT_OBSERVATIONS,
    call_of,
    result_of,
    working_dir_of,
)
from debug_loop_pipeline.importers.swebench_report import report_verdict, repository_of
from debug_loop_pipeline.importers.usage import service_usage, split_model
from debug_loop_pipeline.models.trajectory import (
    ApiError,
    RunVerdict,
    Step,
    StepSource,
    ToolCall,
    ToolResult,
    Trajectory,
    Usage,
)

_WRAPPERS = frozenset({"git_patch", "metrics", "test_result", "instruction", "metadata", "instance_id", "issue"})


class OpenHandsImporter(TranscriptImporter):
    """OpenHands event lists and outputs."""

    name = "openhands"

    def sniff(self, path: Path, head: bytes) -> bool:
        """A list of events, an event a line, or objects that wrap a `history`; of a store the newest event, which stands for all."""
        if _is_stored(path) and path.with_name(f"{int(path.stem) + 1}.json").exists():
            return False
        start = head.lstrip()[:1]
        if start == b"[":
            return _is_event(top_level_keys(head, head.index(b"[") + 1))
        keys = top_level_keys(head)
        return _is_event(keys) or ("history" in keys and len(keys.keys() & _WRAPPERS) >= 2) or _wraps_later(keys)

    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        """Each run of the file."""
        if _is_stored(path):
            events = [beside(load_document, file, report) for file in _store_of(path)]
            yield from self._run(path, {"history": [event for event in events if event is not None]}, report)
            return
        if _is_list(path):
            document = load_document(path, report)
            if document is not None:
                yield from self._run(path, {"history": document}, report)
            return
        loose: list[dict[str, Any]] = []
        for _, _, record in read_objects(path, report):
            if "history" in record:
                yield from self._run(path, record, report)
            elif _is_event(record):
                loose.append(record)
            else:
                report.skip("object without a history")
        if loose:
            yield from self._run(path, {"history": loose}, report)

    def _run(self, path: Path, record: dict[str, Any], report: ImportReport) -> Iterator[Trajectory]:
        events: list[dict[str, Any]] = []
        for entry in listing(record.get("history")):
            events += [event for event in (entry if isinstance(entry, list) else [entry]) if isinstance(event, dict)]
        if not events:
            report.problem(path, None, "no events")
            return
        if not any(event.keys() & {"action", "observation"} for event in events):
            report.problem(
                path, None, "no event has an action or an observation; events with a `kind` (OpenHands 1) are not read"
            )
            return
        yield _Run(path, record, events, report).trajectory()


def _is_list(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _is_stored(path: Path) -> bool:
    """Whether a file is where the server keeps a conversation's events, each in a file that is called by its number."""
    return path.parent.name == "events" and path.suffix == ".json" and path.stem.isdecimal()


def _store_of(path: Path) -> list[Path]:
    return sorted(filter(_is_stored, path.parent.iterdir()), key=lambda file: int(file.stem))


def _is_event(keys: dict[str, Any]) -> bool:
    return bool(keys.keys() & {"action", "observation"}) and bool(keys.keys() & {"source", "args", "extras", "cause"})


def _wraps_later(keys: dict[str, Any]) -> bool:
    """An output line whose history begins after the head: long instructions come first."""
    return {"instance_id", "instruction"} <= keys.keys() or {"issue", "instruction"} <= keys.keys()


class _Run:
    """One run while it is read."""

    def __init__(self, path: Path, record: dict[str, Any], events: list[dict[str, Any]], report: ImportReport) -> None:
        self.path = path
        self.record = record
        self.events = events
        self.report = report
        issue = mapping(record.get("issue"))
        owner, repo = string(issue.get("owner")), string(issue.get("repo"))
        self.problem_id = string(record.get("instance_id"))
        self.repository = repository_of(self.problem_id)
        if owner and repo:
            self.repository = f"{owner}/{repo}"
            self.problem_id = self.problem_id or f"{owner}/{repo}#{issue.get('number')}"
        self.run_key = f"{self.problem_id or 'run'}/{fingerprint(events[:4])}"
        configured = mapping(mapping(record.get("metadata")).get("llm_config")).get("model")
        self.model, self.provider = split_model(string(configured))
        self.model = self.model or next((model for event in events if (model := _model_of(event))), None)
        self.cwd: str | None = None
        self.calls: dict[str, ToolCall] = {}
        self.used: set[str] = set()
        self.responses: set[str] = set()
        self.last_call: ToolCall | None = None

    def trajectory(self) -> Trajectory:
        return Trajectory(
            format="openhands",
            session_id=self.run_key,
            run_key=self.run_key,
            steps=self.steps(),
            agent_name="openhands",
            agent_type=string(mapping(self.record.get("metadata")).get("agent_class")),
            model=self.model,
            provider=self.provider,
            started_at=next((at for event in self.events if (at := parse_time(event.get("timestamp")))), None),
            repository=self.repository,
            commit=string(self.record.get("base_commit")),
            request=self._request(),
            problem_id=self.problem_id,
            verdict=_verdict(self.record, self.problem_id),
            file=str(self.path),
            file_time=file_time(self.path),
        )

    def _request(self) -> str | None:
        issue = mapping(self.record.get("issue"))
        parts = [string(issue.get("title")), string(issue.get("body"))]
        return "\n\n".join(part for part in parts if part) or string(self.record.get("instruction"))

    def steps(self) -> Iterator[Step]:
        last: Step | None = None
        for number, event in enumerate(self.events):
            own = event.get("id")
            step = Step(
                f"{self.run_key}#{own if isinstance(own, int | str) else number}",
                StepSource.SYSTEM,
                timestamp=parse_time(event.get("timestamp")),
                cwd=self.cwd,
                line=number + 1,
            )
            if not event.keys() & {"action", "observation"}:
                self.report.skip(f"event {event.get('kind')}")
                continue
            known = self._action(step, event) if "action" in event else self._observation(step, event)
            if not known:
                continue
            if last is not None:
                yield last
            last = step
        if last is not None:
            self._close(last)
            yield last

    def _action(self, step: Step, event: dict[str, Any]) -> bool:
        action = str(event.get("action"))
        arguments = mapping(event.get("args")) or event
        said = string(arguments.get("content")) if action == "message" else string(arguments.get("thought"))
        step.text = said or (text_of(event.get("message")) if action in SAYING_ACTIONS else "")
        human = event.get("source") == "user" or (
            event.get("source") is None and action == "message" and step.line == 1
        )
        if action in SILENT_ACTIONS:
            self.report.skip(f"action {action}")
            return False
        step.source = StepSource.HUMAN if human else StepSource.AGENT
        if human:
            return True
        metadata = mapping(event.get("tool_call_metadata"))
        response = mapping(metadata.get("model_response"))
        step.model = string(response.get("model")) or self.model
        call_id = string(metadata.get("tool_call_id"))
        if call_id is None or call_id in self.used:
            call_id = f"{step.ref}.call"
        call = call_of(call_id, event, self.cwd)
        if call is not None:
            self.used.add(call_id)
            self.calls[_key(event.get("id"))] = self.last_call = call
            step.calls = [call]
        response_id = string(response.get("id"))
        if response_id and response_id not in self.responses:
            self.responses.add(response_id)
            step.usage = service_usage(
                response.get("usage"),
                message_id=response_id,
                model=step.model,
                provider=self.provider,
                at=step.timestamp or parse_time(response.get("created")),
            )
        return True

    def _observation(self, step: Step, event: dict[str, Any]) -> bool:
        kind = str(event.get("observation"))
        if kind in SILENT_OBSERVATIONS:
            self.report.skip(f"observation {kind}")
            return False
        cause = event.get("cause")
        call = self.calls.pop(_key(cause), None) if cause is not None else self.last_call
        self.cwd = working_dir_of(event) or self.cwd
        if call is None:
            step.text = text_of(event.get("content"))
            if kind == "error":
                step.api_error = ApiError(step.text, string(mapping(event.get("extras")).get("error_id")))
            return bool(step.text)
        self.last_call = None
        step.source = StepSource.TOOL
        step.results = [result_of(call, event)]
        return True

    def _close(self, step: Step) -> None:
        """The run's totals where no response told its usage, and what ended it, where that was an error of the
        program.
        """
        metrics = mapping(self.record.get("metrics"))
        if not self.responses and metrics:
            used = [mapping(entry) for entry in listing(metrics.get("token_usages"))]
            read = sum(count_of(entry.get("cache_read_tokens")) for entry in used)
            write = sum(count_of(entry.get("cache_write_tokens")) for entry in used)
            usage = Usage(
                message_id=f"{self.run_key}#total",
                request_id="",
                model=self.model,
                provider=self.provider,
                at=step.timestamp,
                tokens_input=max(0, sum(count_of(entry.get("prompt_tokens")) for entry in used) - read - write),
                tokens_cache_read=read,
                tokens_cache_write_5m=write,
                tokens_output=sum(count_of(entry.get("completion_tokens")) for entry in used),
                cost_usd=cost_text(metrics.get("accumulated_cost")),
            )
            step.usage = usage if usage.total or usage.cost_usd is not None else None
        failure = string(self.record.get("error"))
        if failure and step.api_error is None:
            step.api_error = ApiError(failure)
        if self.last_call is not None and step.calls and step.calls[-1] is self.last_call and not step.results:
            step.results = [ToolResult(self.last_call.id, "", cancelled=True)]


def _key(event_id: Any) -> str:
    """An event's id as some versions write it (a number) and others (a text)."""
    return str(event_id)


def _model_of(event: dict[str, Any]) -> str | None:
    return string(mapping(mapping(event.get("tool_call_metadata")).get("model_response")).get("model"))


def _verdict(record: dict[str, Any], problem_id: str | None) -> RunVerdict | None:
    """The benchmark's report, else what the resolver found."""
    result = mapping(record.get("test_result"))
    for report in (result.get("report"), record.get("report"), result):
        verdict = report_verdict(report, problem_id)
        if verdict is not None:
            verdict.output = string(result.get("test_output")) or ""
            return verdict
    for value in (result.get("result"), result.get("resolved"), record.get("success")):
        if isinstance(value, bool):
            return RunVerdict(value, "output.jsonl", output=string(result.get("test_output")) or "")
    return None
