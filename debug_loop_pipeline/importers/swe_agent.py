"""Reads SWE-agent `.traj` files of its versions: with and without `info`, with function calls, XML or backticks,
with retries.

Each entry of `trajectory` becomes an agent's step and a tool's; a retry agent's `attempts` are runs of their own, in
order. The format has no times, no exit codes, and usage for the run as a whole only. Not here: the agent's editor
(`swe_agent_tools`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from debug_loop_pipeline.importers.base import ImportReport, TranscriptImporter, top_level_keys
from debug_loop_pipeline.importers.documents import (
    cost_text,
    count_of,
    file_time,
    fingerprint,
    listing,
    load_document,
    mapping,
    string,
    text_of,
)
from debug_loop_pipeline.importers.swe_agent_tools import Editor
from debug_loop_pipeline.importers.swebench_report import is_instance_id, repository_of, verdict_beside
from debug_loop_pipeline.importers.tool_calls import arguments_of
from debug_loop_pipeline.importers.usage import split_model
from debug_loop_pipeline.models.trajectory import ApiError, Step, StepSource, Trajectory, Usage

_TASK = re.compile(r"<pr_description>\s*(.*?)\s*</pr_description>", re.DOTALL)
_ISSUE = re.compile(r"Here's the issue text:\s*(?:ISSUE:)?\s*(.*?)\s*(?:^INSTRUCTIONS:|\Z)", re.DOTALL | re.MULTILINE)
_PROMPT = re.compile(r"\n\(Open file: (?P<file>.*)\)\n\(Current directory: (?P<cwd>.*)\)\nbash-\$\s*\Z")
_FAILURES = ("exit_api", "exit_error", "exit_environment_error")
"""Ends that are the model service's or the environment's doing."""


class SweAgentImporter(TranscriptImporter):
    """SWE-agent trajectories."""

    name = "swe-agent"

    def sniff(self, path: Path, head: bytes) -> bool:
        """An object with a `trajectory` of actions and observations, `attempts` of such, or a `history` of this
        agent's messages.
        """
        keys = top_level_keys(head)
        if not keys or keys.keys() & {"schema_version", "steps", "messages", "instruction", "git_patch", "metrics"}:
            return False
        if keys.keys() & {"trajectory", "attempts"}:
            return b'"action"' in head and b'"observation"' in head
        if "history" not in keys:
            return False
        message = top_level_keys(head, head.find(b"{", head.index(b'"history"')))
        return "role" in message and bool(message.keys() & {"agent", "thought", "message_type"})

    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        """The run of the file, or each attempt of a retry agent."""
        document = load_document(path, report)
        if document is None:
            return
        if not isinstance(document, dict):
            report.problem(path, None, "not a trajectory")
            return
        problem_id = _problem_of(path, document)
        attempts = [attempt for attempt in listing(document.get("attempts")) if isinstance(attempt, dict)]
        verdict = verdict_beside(path, problem_id, report)
        if not attempts:
            run = _Run(path, document, document, problem_id, report)
            if run.entries:
                yield run.trajectory(verdict)
            else:
                report.problem(path, None, "no steps")
            return
        chosen = mapping(document.get("info")).get("best_attempt_idx")
        submitted = chosen if isinstance(chosen, int) and 0 <= chosen < len(attempts) else len(attempts) - 1
        reviewer = mapping(mapping(document.get("info")).get("rloop_model_stats"))
        for number, attempt in enumerate(attempts):
            last = number == len(attempts) - 1
            run = _Run(path, document, attempt, problem_id, report, number, reviewer if last else {})
            trajectory = run.trajectory(verdict if number == submitted else None)
            trajectory.retry = number > 0
            yield trajectory


class _Run:
    """One run while it is read."""

    def __init__(
        self,
        path: Path,
        document: dict[str, Any],
        run: dict[str, Any],
        problem_id: str | None,
        report: ImportReport,
        attempt: int | None = None,
        reviewer: dict[str, Any] | None = None,
    ) -> None:
        self.path = path
        self.info = mapping(run.get("info"))
        self.report = report
        self.problem_id = problem_id
        self.config = _config(run) or _config(document)
        history = [message for message in listing(run.get("history")) if isinstance(message, dict)]
        first = next((i for i, message in enumerate(history) if message.get("role") == "assistant"), len(history))
        first = next((i for i in range(first, len(history)) if not _is_demo(history, i)), len(history))
        self.prompts = [message for message in history[:first] if not message.get("is_demo")]
        self.functions = _functions(history[first:])
        self.entries = [entry for entry in listing(run.get("trajectory")) if isinstance(entry, dict)]
        self.entries = self.entries or _entries_of_history(history[first:])
        identity = fingerprint(self.prompts, self.entries[:1], _without_paths(self.config))
        self.run_key = f"{problem_id or 'run'}/{identity}" + ("" if attempt is None else f"/{attempt}")
        agent = mapping(self.config.get("agent"))
        self.model, self.provider = split_model(string(mapping(agent.get("model")).get("name")))
        self.reviewer = reviewer or {}

    def trajectory(self, verdict: Any) -> Trajectory:
        statement = mapping(self.config.get("problem_statement"))
        asked = next((text_of(m.get("content")) for m in self.prompts if m.get("role") == "user"), "")
        return Trajectory(
            format="swe-agent",
            session_id=self.run_key,
            run_key=self.run_key,
            steps=self.steps(),
            agent_name="swe-agent",
            agent_version=string(self.info.get("swe_agent_version")),
            model=self.model,
            provider=self.provider,
            repository=repository_of(self.problem_id),
            commit=string(mapping(mapping(self.config.get("env")).get("repo")).get("base_commit")),
            request=string(statement.get("text")) or _task_of(asked),
            problem_id=self.problem_id,
            verdict=verdict,
            file=str(self.path),
            file_time=file_time(self.path),
        )

    def steps(self) -> Iterator[Step]:
        for number, message in enumerate(self.prompts):
            source = StepSource.HUMAN if message.get("role") == "user" else StepSource.SYSTEM
            yield Step(f"{self.run_key}#p{number}", source, text=text_of(message.get("content")))
        editor = Editor()
        cwd: str | None = None
        for number, entry in enumerate(self.entries):
            ref = f"{self.run_key}#{number}"
            action = string(entry.get("action")) or ""
            open_file, working, after = _state(entry.get("state"))
            before = cwd or working if after else working or cwd
            said = string(entry.get("thought")) or string(entry.get("response")) or ""
            step = Step(ref, StepSource.AGENT, text=said, cwd=before, model=self.model, line=number + 1)
            observation = text_of(entry.get("observation")).replace("\r\n", "\n")
            if action.strip():
                step.calls = [editor.call(ref, action, self._function(number, action, entry), before)]
            last = number == len(self.entries) - 1
            if last:
                self._close(step)
            yield step
            answer = Step(f"{ref}.o", StepSource.TOOL, cwd=before, line=number + 1)
            if step.calls:
                answer.results = [editor.result(step.calls[0], observation, open_file, working)]
            else:
                answer.source, answer.text = StepSource.SYSTEM, observation
            yield answer
            cwd = working or cwd

    def _function(self, number: int, action: str, entry: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """The model's function call behind an action: in the entry, or in the history's message with the same
        action.
        """
        own = _function_of(entry)
        if own is not None:
            return own
        while self.functions:
            known_action, function = self.functions[0]
            if known_action.strip() == action.strip():
                self.functions.pop(0)
                return function
            if any(known.strip() == action.strip() for known, _ in self.functions[:4]):
                self.functions.pop(0)
                continue
            return None
        return None

    def _close(self, step: Step) -> None:
        status = (string(self.info.get("exit_status")) or "").lower()
        if any(failure in status for failure in _FAILURES):
            step.api_error = ApiError(message=step.text or status, kind=status)
        stats = mapping(self.info.get("model_stats"))
        cost = cost_text(stats.get("instance_cost"))
        usage = Usage(
            message_id=f"{self.run_key}#total",
            request_id="",
            model=self.model,
            provider=self.provider,
            at=None,
            tokens_input=count_of(stats.get("tokens_sent")) + count_of(self.reviewer.get("tokens_sent")),
            tokens_output=count_of(stats.get("tokens_received")) + count_of(self.reviewer.get("tokens_received")),
            cost_usd=cost if cost and float(cost) > 0 else None,
        )
        if usage.total or usage.cost_usd:
            step.usage = usage


def _problem_of(path: Path, document: dict[str, Any]) -> str | None:
    first_attempt = next(iter(listing(document.get("attempts"))), None)
    config = _config(document) or _config(mapping(first_attempt))
    named = string(mapping(config.get("problem_statement")).get("id"))
    if named:
        return named
    environment = string(document.get("environment"))
    stem = path.name.removesuffix(".traj").removesuffix(".json")
    return next((name for name in (environment, stem, path.parent.name) if is_instance_id(name)), None)


def _config(run: dict[str, Any]) -> dict[str, Any]:
    raw = run.get("replay_config")
    if isinstance(raw, str):
        try:
            raw = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return {}
    return mapping(raw)


def _without_paths(config: dict[str, Any]) -> dict[str, Any]:
    """What of a run's configuration tells it from others, wherever it was run."""
    return {key: value for key, value in config.items() if key not in ("output_dir", "env_var_path", "actions")}


def _is_demo(history: list[dict[str, Any]], index: int) -> bool:
    return history[index].get("role") != "assistant" or bool(history[index].get("is_demo"))


def _functions(history: list[dict[str, Any]]) -> list[tuple[str, tuple[str, dict[str, Any]] | None]]:
    return [
        (string(message.get("action")) or "", _function_of(message))
        for message in history
        if message.get("role") == "assistant"
    ]


def _function_of(message: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    calls = listing(message.get("tool_calls"))
    function = mapping(mapping(calls[0]).get("function")) if calls else {}
    name = string(function.get("name"))
    return (name, arguments_of(function.get("arguments"))) if name else None


def _entries_of_history(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries for a file that has the messages only: each assistant message and what follows it, up to the next."""
    entries: list[dict[str, Any]] = []
    for message in history:
        if message.get("role") == "assistant":
            entry = {key: message.get(key) for key in ("action", "thought", "tool_calls")}
            entries.append({**entry, "response": text_of(message.get("content")), "observation": ""})
        elif entries and message.get("role") in ("user", "tool"):
            text = text_of(message.get("content")).removeprefix("OBSERVATION:\n")
            prompt = _PROMPT.search(text)
            if prompt:
                entries[-1]["state"] = {"open_file": prompt["file"], "working_dir": prompt["cwd"]}
                text = text[: prompt.start()]
            entries[-1]["observation"] = text
    return entries


def _state(raw: Any) -> tuple[str | None, str | None, bool]:
    """Open file, working directory, and whether the state was taken after the action (version 1) or before it (JSON
    text).
    """
    after = isinstance(raw, dict)
    if isinstance(raw, str):
        try:
            raw = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raw = {}
    state = mapping(raw)
    open_file = string(state.get("open_file"))
    return open_file if open_file != "n/a" else None, string(state.get("working_dir")), after


def _task_of(text: str) -> str | None:
    match = _TASK.search(text) or _ISSUE.search(text)
    return (match[1] if match else text).strip() or None
