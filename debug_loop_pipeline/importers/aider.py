"""Reads Aider chat histories (`.aider.chat.history.md`) and its benchmark's logs with the results beside them.

A heading `# aider chat started at` opens a run. Lines of the human begin with `#### `, lines of the tool with `> `
(both end in two spaces), all others are the model's. The history tells neither times beyond the start, nor tests
that pass; the benchmark's results tell the latter. Not
here: the tool's lines (`aider_log`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debug_loop_pipeline.importers.aider_log import (
    CommandRun,
    ToolLines,
    UsageLine,
    read_tool_lines,
    test_command,
    usage_line,
    working_directory,
)
from debug_loop_pipeline.importers.base import ImportReport, TranscriptImporter
from debug_loop_pipeline.importers.diffs import SearchReplace, diff_edits, search_replace_blocks
from debug_loop_pipeline.importers.documents import (
    beside,
    decode,
    file_time,
    fingerprint,
    listing,
    load_document,
    parse_time,
    string,
)
from debug_loop_pipeline.importers.jsonl_lines import split_lines
from debug_loop_pipeline.importers.swebench_report import repository_of
from debug_loop_pipeline.importers.usage import split_model
from debug_loop_pipeline.models.trajectory import (
    ApiError,
    FileEdit,
    RunVerdict,
    Step,
    StepSource,
    ToolCall,
    ToolKind,
    ToolResult,
    Trajectory,
    Usage,
)

_START = re.compile(r"^# aider chat started at (?P<at>.+?)\s*$")
_SNIFF = re.compile(rb"\A[\s\x00]*(?:\xef\xbb\xbf)?\s*# aider chat started at \d{4}-")
_VERSION = re.compile(r"^Aider v(?P<version>\S+)")
_MODEL = re.compile(r"^(?:Models?|Main model): (?P<model>\S+)")
_COMMAND = re.compile(r"^(?:/(?:run|test|lint|git)\b|!)\s*(?P<command>.*)$", re.DOTALL)
_FENCE = re.compile(r"^\s*(?P<open>```+|~~~+|<(?P<tag>source|code|pre|codeblock|sourcecode)>)")
_COST_SLACK = 1e-4
"""How far the costs of a run's lines may add up from its result's: each line is rounded."""


@dataclass(frozen=True, slots=True)
class _Block:
    kind: StepSource
    lines: list[str]
    line: int


class AiderImporter(TranscriptImporter):
    """Aider chat histories."""

    name = "aider"

    def sniff(self, path: Path, head: bytes) -> bool:
        """A text whose first line opens a chat."""
        return _SNIFF.match(head) is not None

    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        """Each run of the history, with its result where the benchmark's results lie beside it."""
        results = _Results.beside(path, report)
        for number, (started, line, blocks) in enumerate(_runs(path, report)):
            yield _Run(path, started, line, blocks, results, number).trajectory()
            for _ in blocks:
                pass


def _runs(path: Path, report: ImportReport) -> Iterator[tuple[str, int, Iterator[_Block]]]:
    """Start, line and blocks of each run. A run's blocks are to be read before the next run is asked for."""
    lines = ((number, decode(raw).rstrip("\r")) for number, _, raw in split_lines(path, report))
    following: list[tuple[int, str]] = []
    for number, line in lines:
        report.lines += 1
        if _START.match(line):
            following.append((number, line))
            break
        if line.strip():
            report.skip("line before the first chat")
    while following:
        number, line = following.pop()
        match = _START.match(line)
        yield (match["at"] if match else ""), number, _blocks(lines, following, report)


def _blocks(
    lines: Iterator[tuple[int, str]], following: list[tuple[int, str]], report: ImportReport
) -> Iterator[_Block]:
    """Stretches of lines of one speaker, up to the next run's heading, which is left in `following`."""
    kind, block, begun = StepSource.AGENT, list[str](), 0
    quoting = False
    for number, line in lines:
        report.lines += 1
        if _START.match(line):
            following.append((number, line))
            break
        now, text = _speaker(line)
        quoting = (quoting and now is StepSource.AGENT) or line.startswith("> I ran this command:")
        if quoting:
            now, text = StepSource.TOOL, line.removeprefix("> ")
        if now is not kind and not (now is StepSource.AGENT and not line.strip() and kind is not StepSource.HUMAN):
            if any(part.strip() for part in block):
                yield _Block(kind, block, begun)
            kind, block, begun = now, [], number
        if not block:
            begun = number
        block.append(text)
    if any(part.strip() for part in block):
        yield _Block(kind, block, begun)


def _speaker(line: str) -> tuple[StepSource, str]:
    marked = line.endswith("  ")
    if line.startswith("####") and marked:
        return StepSource.HUMAN, line[5:].rstrip()
    if line.startswith(">"):
        text = line[2:].rstrip()
        if marked or usage_line(text) or text.startswith("Applied edit to "):
            return StepSource.TOOL, text
    return StepSource.AGENT, line


class _Results:
    """A benchmark's results, one per run that did not die."""

    def __init__(self, document: dict[str, Any], costs: list[float], command: str | None, cwd: str | None) -> None:
        self.problem_id = string(document.get("instance_id"))
        self.command = command
        """The problem's test command, where any of its runs shows it; `cwd` is where it ran."""
        self.cwd = cwd
        self._patch = document.get("model_patch")
        self._resolved = document.get("resolved")
        entries = [entry for entry in listing(document.get("all_results")) if isinstance(entry, dict)]
        self._of_run = _aligned(costs, entries)
        same = [run for run, entry in self._of_run.items() if entry.get("model_patch") == self._patch]
        self._submitted = max(same, default=None)

    @classmethod
    def beside(cls, path: Path, report: ImportReport) -> _Results | None:
        """The results in the `.json` of the same name; None where there are none."""
        place = path.with_suffix(".json")
        if not place.is_file():
            return None
        sidecars = ImportReport()
        document = beside(load_document, place, sidecars)
        if not isinstance(document, dict) or "all_results" not in document:
            return None
        costs: list[float] = []
        command: str | None = None
        cwd: str | None = None
        for _, _, raw in split_lines(path, sidecars):
            line = decode(raw)
            if _START.match(line):
                costs.append(0.0)
            elif line.startswith("> ") and costs:
                usage = usage_line(line[2:].rstrip())
                if usage is not None and usage.cost:
                    costs[-1] += float(usage.cost.replace(",", ""))
                command = command or test_command(line[2:].rstrip())
                cwd = cwd or working_directory(line[2:])
        return cls(document, costs, command, cwd)

    def tests_passed(self, run: int) -> bool:
        """Whether the run's last tests passed, which the history does not show."""
        return self._of_run.get(run, {}).get("test_outcome") is True

    def verdict(self, run: int) -> RunVerdict | None:
        """The evaluation's verdict on the submitted run; of the others whether they failed; None for runs that died."""
        result = self._of_run.get(run)
        if result is None:
            return None
        resolved = result.get("resolved", self._resolved if run == self._submitted else None)
        if isinstance(resolved, bool):
            return RunVerdict(resolved, "benchmark results")
        failed = result.get("test_outcome") is False or result.get("edit_outcome") is False
        return RunVerdict(False if failed else None, "benchmark results")


def _aligned(costs: list[float], results: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Which run each result is of: in order, told by what they cost; runs without a result died. Else the last runs
    have the results.
    """
    found: dict[int, dict[str, Any]] = {}
    waiting = list(results)
    for run, cost in enumerate(costs):
        spent = waiting[0].get("cost") if waiting else None
        if isinstance(spent, int | float) and abs(spent - cost) <= _COST_SLACK:
            found[run] = waiting.pop(0)
    if waiting:
        begin = max(0, len(costs) - len(results))
        return dict(zip(range(begin, len(costs)), results[-len(costs) :] if costs else [], strict=False))
    return found


class _Run:
    """One run while it is read."""

    def __init__(
        self, path: Path, started: str, line: int, blocks: Iterator[_Block], results: _Results | None, number: int
    ) -> None:
        self.path = path
        self.started_at = parse_time(started)
        self.results = results
        self.number = number
        self.blocks = blocks
        self.opening: list[_Block] = []
        for block in blocks:
            self.opening.append(block)
            if block.kind is StepSource.HUMAN:
                break
        asked = self.opening[-1].lines if self.opening and self.opening[-1].kind is StepSource.HUMAN else []
        self.problem_id = results.problem_id if results else None
        self.run_key = f"{self.problem_id or 'chat'}/{fingerprint(started, asked)}"
        preamble = [text for block in self.opening if block.kind is StepSource.TOOL for text in block.lines]
        version = next((match for text in preamble if (match := _VERSION.match(text))), None)
        named = next((match for text in preamble if (match := _MODEL.match(text))), None)
        self.version = version["version"] if version else None
        self.model, self.provider = split_model(named["model"] if named else None)
        self.usages = 0
        self.steps_made = 0

    def trajectory(self) -> Trajectory:
        return Trajectory(
            format="aider",
            session_id=self.run_key,
            run_key=self.run_key,
            steps=self.steps(),
            agent_name="aider",
            agent_version=self.version,
            model=self.model,
            provider=self.provider,
            started_at=self.started_at,
            repository=repository_of(self.problem_id),
            problem_id=self.problem_id,
            verdict=self.results.verdict(self.number) if self.results else None,
            file=str(self.path),
            file_time=file_time(self.path),
        )

    def steps(self) -> Iterator[Step]:
        agent: Step | None = None
        blocks: list[SearchReplace] = []
        waiting: list[UsageLine] = []
        for block in self._all_blocks():
            if block.kind is StepSource.TOOL:
                said = read_tool_lines(block.lines)
                after = [usage for usage in said.usages if not usage.before_reply]
                if agent is not None and after:
                    agent.usage = self._usage([*waiting, *after])
                    waiting = []
                elif after:
                    waiting += after
                yield from self._answers(agent, blocks, said, block.line)
                agent, blocks = None, []
                waiting += [usage for usage in said.usages if usage.before_reply]
                continue
            if agent is not None:
                yield from self._answers(agent, blocks, ToolLines(), block.line)
                agent, blocks = None, []
            text = "\n".join(block.lines).strip("\n")
            if block.kind is StepSource.HUMAN:
                yield self._step(StepSource.HUMAN, block.line, text)
                yield from self._asked_command(text, block.line)
                continue
            agent = self._step(StepSource.AGENT, block.line, text)
            blocks = search_replace_blocks(text)
            if waiting:
                agent.usage = self._usage(waiting)
                waiting = []
        if agent is not None:
            yield from self._answers(agent, blocks, ToolLines(), 0)
        if waiting:
            last = self._step(StepSource.AGENT, 0, "")
            last.usage = self._usage(waiting)
            yield last
        yield from self._silent_pass()

    def _all_blocks(self) -> Iterator[_Block]:
        yield from self.opening
        yield from self.blocks

    def _step(self, source: StepSource, line: int, text: str) -> Step:
        self.steps_made += 1
        ref = f"{self.run_key}#{self.steps_made}"
        return Step(ref, source, text=text, model=self.model if source is StepSource.AGENT else None, line=line or None)

    def _usage(self, lines: list[UsageLine]) -> Usage:
        """Requests that have one reply between them (the others were cut off) count together."""
        self.usages += 1
        hit = sum(line.cache_hit for line in lines)
        write = sum(line.cache_write for line in lines)
        costs = [float(line.cost.replace(",", "")) for line in lines if line.cost]
        return Usage(
            message_id=f"{self.run_key}#u{self.usages}",
            request_id="",
            model=self.model,
            provider=self.provider,
            at=None,
            tokens_input=max(0, sum(line.sent for line in lines) - hit - write),
            tokens_cache_read=hit,
            tokens_cache_write_5m=write,
            tokens_output=sum(line.received for line in lines),
            estimated=any(line.rounded for line in lines),
            cost_usd=lines[0].cost if len(costs) == len(lines) == 1 else f"{sum(costs):.6f}" if costs else None,
        )

    def _answers(self, agent: Step | None, blocks: list[SearchReplace], said: ToolLines, line: int) -> Iterator[Step]:
        """The agent's message with its edits, what became of them, and what the tool ran and said next."""
        if agent is not None:
            results = self._edits(agent, blocks, said)
            yield agent
            if results:
                answer = self._step(StepSource.TOOL, line, "")
                answer.results = results
                yield answer
        for run in said.runs:
            yield from self._command(run, line)
        if said.rest or said.interrupted or said.service_error:
            note = self._step(StepSource.SYSTEM, line, "\n".join(said.rest))
            note.interrupted = said.interrupted
            if said.service_error is not None:
                note.api_error = ApiError(kind=said.service_error[0], message=said.service_error[1])
            yield note

    def _edits(self, agent: Step, blocks: list[SearchReplace], said: ToolLines) -> list[ToolResult]:
        """One call for each edit of the message; files reported as edited without a block of their own get one too."""
        results: list[ToolResult] = []
        named = {block.path for block in blocks}
        other = [path for path in dict.fromkeys(said.applied) if path not in named]
        asked: list[tuple[str, list[FileEdit]]] = [(block.path, [block.edit()]) for block in blocks]
        asked += [(path, _other_edits(agent.text, path)) for path in other]
        for index, (path, edits) in enumerate(asked):
            call = ToolCall(f"{agent.ref}.{index}", "edit", ToolKind.EDIT, target=path or None, edits=edits)
            agent.calls.append(call)
            mismatch = any(e.before == m.search and e.after == m.replace for e in edits for m in said.mismatches)
            done = path in said.applied or (said.others_applied and not mismatch)
            result = ToolResult(call.id, "", is_error=not done)
            if path in said.refused or not (done or said.mismatch_text or said.applied):
                result.cancelled = True
            elif not done:
                result.output = said.mismatch_text or "not applied"
            else:
                result.output = f"Applied edit to {path}"
            results.append(result)
        return results

    def _command(self, run: CommandRun, line: int) -> Iterator[Step]:
        step = self._step(StepSource.AGENT, line, "")
        kind = ToolKind.SHELL if run.command else ToolKind.OTHER
        call = ToolCall(f"{step.ref}.0", run.name, kind, command=run.command, cwd=run.cwd)
        step.calls = [call]
        yield step
        answer = self._step(StepSource.TOOL, line, "")
        answer.results = [ToolResult(call.id, run.output, is_error=run.failed, exit_code=run.exit_code)]
        yield answer

    def _asked_command(self, text: str, line: int) -> Iterator[Step]:
        """A command that the human ran with `/run`, `/test` or `!`; the history does not hold what it printed."""
        match = _COMMAND.match(text)
        command = match["command"].strip() if match else ""
        if match is None or not command or text.startswith("/lint"):
            return
        if text.startswith("/git"):
            command = f"git {command}"
        yield from self._command(CommandRun("run", command), line)

    def _silent_pass(self) -> Iterator[Step]:
        """The tests that passed at the end, where the results say so: Aider ran them and printed nothing."""
        if self.results is None or self.results.command is None or not self.results.tests_passed(self.number):
            return
        run = CommandRun("test", self.results.command, exit_code=0, failed=False, cwd=self.results.cwd)
        yield from self._command(run, 0)


def _other_edits(text: str, path: str) -> list[FileEdit]:
    """Edits of a file in a message without SEARCH/REPLACE blocks: a diff, or the whole file in a fence under its
    name.
    """
    edits = [edit for edit in diff_edits(text) if edit.path == path or edit.path.endswith(f"/{path}")]
    if edits:
        return [FileEdit(path, edit.before, edit.after, edit.content) for edit in edits]
    lines = text.splitlines()
    for index, line in enumerate(lines):
        fence = _FENCE.match(line)
        if fence is None or index == 0 or lines[index - 1].strip(" `*#:") != path:
            continue
        closing = f"</{fence['tag']}>" if fence["tag"] else fence["open"]
        end = next((i for i in range(index + 1, len(lines)) if lines[i].strip() == closing), None)
        if end is not None:
            content = "".join(f"{part}\n" for part in lines[index + 1 : end])
            return [FileEdit(path, None, content, content)]
    return []
