"""Reads ATIF trajectories (Agent Trajectory Interchange Format), version 1.x, leniently: unknown fields are no error.

Prompt tokens include cached ones. Beside a Harbor trial's trajectory its result is read as the verdict. Exit codes
are told by some agents' observation texts only.
"""

from __future__ import annotations

import re
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
    read_text,
    string,
    text_of,
)
from debug_loop_pipeline.importers.swebench_report import MAX_LOG_CHARS, repository_of
from debug_loop_pipeline.importers.tool_calls import arguments_of, tool_call
from debug_loop_pipeline.importers.usage import split_model
from debug_loop_pipeline.models.trajectory import (
    ApiError,
    RunVerdict,
    Step,
    StepSource,
    ToolKind,
    ToolResult,
    Trajectory,
    Usage,
)

_EXIT_CODES = (
    re.compile(r"<returncode>\s*(-?\d+)\s*</returncode>"),
    re.compile(r"\A\s*(?:Exit code:? |Process exited with code |\[exit code:? )(-?\d+)", re.IGNORECASE),
    re.compile(r"[(\[]?(?:exit code:? |exited with code |with exit code )(-?\d+)[.)\]]?\s*\Z", re.IGNORECASE),
)
_LOGS = ("test-stdout.txt", "test_stdout.txt", "stdout.txt", "test-output.txt")


class AtifImporter(TranscriptImporter):
    """ATIF trajectories."""

    name = "atif"

    def sniff(self, path: Path, head: bytes) -> bool:
        """An object whose schema version is ATIF's."""
        return top_level_keys(head).get("schema_version", b"").startswith(b'"ATIF-')

    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        """The one run of the file."""
        document = load_document(path, report)
        if document is None:
            return
        if not isinstance(document, dict) or not isinstance(document.get("steps"), list):
            report.problem(path, None, "no steps")
            return
        version = string(document.get("schema_version")) or ""
        if not version.startswith("ATIF-v1"):
            report.problem(
                path, None, f"schema version {version or 'missing'} is not ATIF 1.x; read as far as it is alike"
            )
        yield _Run(path, document, report).trajectory()


class _Run:
    """One trajectory while it is read."""

    def __init__(self, path: Path, document: dict[str, Any], report: ImportReport) -> None:
        self.path = path
        self.report = report
        self.document = document
        self.records = [record for record in document["steps"] if isinstance(record, dict)]
        self.session_id = string(document.get("session_id")) or fingerprint(self.records[:3])
        self.run_key = string(document.get("trajectory_id")) or self.session_id
        self.agent = mapping(document.get("agent"))
        self.model, self.provider = split_model(string(self.agent.get("model_name")))
        self.result = _trial_result(path, report)
        self.counted = False

    def trajectory(self) -> Trajectory:
        problem_id = string(self.result.get("task_name"))
        return Trajectory(
            format="atif",
            session_id=self.session_id,
            run_key=self.run_key,
            steps=self.steps(),
            agent_name=string(self.agent.get("name")) or "unknown",
            agent_version=string(self.agent.get("version")),
            model=self.model,
            provider=self.provider,
            started_at=next((at for record in self.records if (at := parse_time(record.get("timestamp")))), None),
            repository=repository_of(problem_id),
            problem_id=problem_id,
            verdict=_verdict(self.path, self.result, self.report),
            file=str(self.path),
            file_time=file_time(self.path),
        )

    def steps(self) -> Iterator[Step]:
        last = len(self.records) - 1
        for number, record in enumerate(self.records):
            own = record.get("step_id", number + 1)
            step = Step(
                f"{self.run_key}#{own}",
                StepSource.SYSTEM,
                timestamp=parse_time(record.get("timestamp")),
                text=text_of(record.get("message")),
                line=number + 1,
            )
            source = record.get("source")
            if source == "agent":
                step.source = StepSource.AGENT
                step.model = split_model(string(record.get("model_name")))[0] or self.model
                self._calls(step, record)
                step.usage = self._usage(step, mapping(record.get("metrics")), record)
            elif source == "user":
                step.source = StepSource.HUMAN
            elif source != "system":
                self.report.skip(f"step of source {source}")
            answer = self._observation(step, mapping(record.get("observation")))
            if number == last:
                self._close(step)
            yield step
            if answer is not None:
                yield answer

    def _calls(self, step: Step, record: dict[str, Any]) -> None:
        for index, raw in enumerate(listing(record.get("tool_calls"))):
            call = mapping(raw)
            name = string(call.get("function_name")) or string(call.get("name")) or "?"
            # Agents number their calls anew in each run (call_1, call_1_2): only with the run are they an id.
            own = string(call.get("tool_call_id")) or f"{step.ref}.{index}"
            call_id = own if len(own) >= 20 else f"{self.run_key}#{record.get('step_id', step.line)}/{own}"
            step.calls.append(tool_call(call_id, name, arguments_of(call.get("arguments"))))

    def _observation(self, step: Step, observation: dict[str, Any]) -> Step | None:
        """The tool's step to a step's observation: each result goes to the call it names, else to the next one
        without any.
        """
        results = [result for result in listing(observation.get("results")) if isinstance(result, dict)]
        if not results:
            return None
        answer = Step(f"{step.ref}.o", StepSource.TOOL, timestamp=step.timestamp, line=step.line)
        open_calls = list(step.calls)
        unclaimed: list[str] = []
        for raw in results:
            named = string(raw.get("source_call_id"))
            call = next((c for c in open_calls if named and (c.id == named or c.id.endswith(f"/{named}"))), None)
            if call is None and named is None and open_calls:
                call = open_calls[0]
            text = text_of(raw.get("content"))
            if call is None:
                unclaimed.append(text)
                continue
            open_calls.remove(call)
            result = ToolResult(call.id, text)
            extra = mapping(raw.get("extra"))
            code = next(
                (
                    v
                    for v in (raw.get("exit_code"), extra.get("exit_code"), extra.get("returncode"))
                    if isinstance(v, int)
                ),
                None,
            )
            if code is None and call.kind is ToolKind.SHELL:
                match = next((found for pattern in _EXIT_CODES if (found := pattern.search(text))), None)
                code = int(match[1]) if match else None
            failed = raw.get("is_error", extra.get("is_error"))
            result.exit_code = code
            result.is_error = failed if isinstance(failed, bool) else None if code is None else code != 0
            answer.results.append(result)
        answer.text = "\n".join(text for text in unclaimed if text)
        if not answer.results:
            answer.source = StepSource.SYSTEM
        return answer

    def _usage(self, step: Step, metrics: dict[str, Any], record: dict[str, Any]) -> Usage | None:
        if not metrics or record.get("is_copied_context") is True:
            return None
        extra = mapping(metrics.get("extra"))
        cached = count_of(metrics.get("cached_tokens"))
        write = count_of(extra.get("cache_creation_input_tokens") or extra.get("cache_write_tokens"))
        usage = Usage(
            message_id=f"{step.ref}",
            request_id="",
            model=step.model,
            provider=self.provider,
            at=step.timestamp,
            tokens_input=max(0, count_of(metrics.get("prompt_tokens")) - cached - write),
            tokens_cache_read=cached,
            tokens_cache_write_5m=write,
            tokens_output=count_of(metrics.get("completion_tokens")),
            tokens_reasoning=count_of(extra.get("reasoning_tokens")),
            cost_usd=cost_text(metrics.get("cost_usd")),
        )
        self.counted = self.counted or usage.total > 0
        return usage if usage.total or usage.cost_usd is not None else None

    def _close(self, step: Step) -> None:
        """The totals, where no step has its own; and what ended the run, where that was no doing of the agent."""
        final = mapping(self.document.get("final_metrics"))
        if not self.counted and final:
            cached = count_of(final.get("total_cached_tokens"))
            usage = Usage(
                message_id=f"{self.run_key}#total",
                request_id="",
                model=self.model,
                provider=self.provider,
                at=step.timestamp,
                tokens_input=max(0, count_of(final.get("total_prompt_tokens")) - cached),
                tokens_cache_read=cached,
                tokens_output=count_of(final.get("total_completion_tokens")),
                cost_usd=cost_text(final.get("total_cost_usd")),
            )
            step.usage = usage if usage.total or usage.cost_usd is not None else step.usage
        failure = mapping(self.result.get("exception_info"))
        kind = string(failure.get("exception_type"))
        if kind:
            step.api_error = ApiError(string(failure.get("exception_message")) or kind, kind)


def _trial_result(path: Path, report: ImportReport) -> dict[str, Any]:
    """The `result.json` of the Harbor trial that the trajectory is of (in its folder or the one above); empty where
    there is none.
    """
    for place in (path.parent / "result.json", path.parent.parent / "result.json"):
        if place.is_file():
            sidecars = ImportReport()
            result = mapping(beside(load_document, place, sidecars))
            for problem in sidecars.problems:
                report.problem(problem.file, problem.line, problem.reason)
            if result.keys() & {"trial_name", "verifier_result", "task_name"}:
                return {**result, "_folder": place.parent}
    return {}


def _verdict(path: Path, result: dict[str, Any], report: ImportReport) -> RunVerdict | None:
    verifier = mapping(result.get("verifier_result"))
    rewards = mapping(verifier.get("rewards"))
    reward = rewards.get("reward", verifier.get("reward"))
    if isinstance(reward, bool) or not isinstance(reward, int | float):
        return None
    output = ""
    for name in _LOGS:
        place = result["_folder"] / "verifier" / name
        if place.is_file():
            output = (beside(read_text, place, ImportReport()) or "")[-MAX_LOG_CHARS:]
            break
    passed = True if reward >= 1 else False if reward <= 0 else None
    return RunVerdict(passed, "result.json", output=output, at=parse_time(result.get("finished_at")))
