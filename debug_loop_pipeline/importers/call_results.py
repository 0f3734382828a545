"""What the result of a call adds to its attempt: edits, commands, verifications, errors.

Belongs here: one call and its result. Which attempt a call belongs to, and where attempts end, is `segmenter`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from debug_loop_pipeline.compute.commands.command_meaning import meaning_of
from debug_loop_pipeline.compute.commands.error_cutting import MAX_MESSAGE, MAX_STACK, CutError, cut_errors
from debug_loop_pipeline.compute.commands.goals import Goal, GoalRun
from debug_loop_pipeline.compute.commands.meanings import CHANGE, CONFIGURES, Action, Meaning
from debug_loop_pipeline.compute.commands.script_echoes import (
    Echo,
    echoes_in,
    failed_script,
    goal_runs,
    may_echo,
    names_all,
)
from debug_loop_pipeline.compute.commands.shell_status import Ran, commands_of
from debug_loop_pipeline.compute.commands.task_files import TaskFiles
from debug_loop_pipeline.compute.commands.verdicts import Judged, Others, Output, call_verdict, exit_code_in, judge
from debug_loop_pipeline.importers.attempt import Attempt, language_name, verification_of
from debug_loop_pipeline.models.base import Verdict
from debug_loop_pipeline.models.execution import Command, Edit, ExecutionError
from debug_loop_pipeline.models.trajectory import FileEdit, RunVerdict, ToolCall, ToolKind, ToolResult
from debug_loop_pipeline.models.unchecked import unchecked

_MAX_SAID = 200
_MAX_COMMAND = 20_000
_MAX_CODE = 400_000
_MAX_ERRORS_IN_ATTEMPT = 60
_ERRORS_OF_A_CALL = 3
_OUTSIDE_ERRORS = 20
_QUIET_FAILURES = frozenset(
    [
        "grep",
        "rg",
        "egrep",
        "fgrep",
        "ag",
        "test",
        "[",
        "[[",
        "diff",
        "cmp",
        "which",
        "command",
        "type",
        "find",
        "ls",
        "pgrep",
        "false",
        "exit",
    ]
)
"""Programs that say "no" with their exit code: silent, it is no error."""
_DEFINES_SCRIPTS = re.compile(
    r"(?i)(?:^|/)(?:package\.json|composer\.json|deno\.jsonc?|(?:gnu)?makefile|[^/]*\.mk|\.?justfile|taskfile\.ya?ml|\.?mise[^/]*\.toml|tox\.ini"
    r"|noxfile\.py|pyproject\.toml|pixi\.toml|turbo\.json|(?:nx|project)\.json)$"
)


@dataclass(slots=True)
class WaitingCall:
    """A call whose result has not come."""

    call: ToolCall
    call_id: str
    attempt: Attempt
    step: int
    said: str | None
    """What the agent wrote before it, whole."""
    cwd: str
    files: TaskFiles
    """What the task has written and built so far."""
    meanings: list[Meaning] = field(default_factory=list)
    last_program: str = ""
    """The program that a command line ends with."""
    base: str = ""
    """The run's own directory."""
    told_at: int | None = None
    """Where its command stands in the attempt, once it is told (a background command is told twice)."""
    as_check: list[Meaning] | None = None
    """Of a line that only configures a build, or lints and fixes: what it means where it verifies. Else, and until then, it is a change."""
    fixes: bool = False
    """Whether it is a linter's fixer that `as_check` is about."""

    def mean(self, meanings: list[Meaning]) -> None:
        """Takes in what the commands of its line mean."""
        goals = [meaning.goal.tool for meaning in meanings if meaning.goal is not None]
        if goals and CONFIGURES.issuperset(goals):
            self.as_check = meanings
            meanings = [CHANGE if meaning.goal is not None else meaning for meaning in meanings]
        elif not goals and any(meaning.checks is not None for meaning in meanings):
            self.fixes = True
            self.as_check = [
                Meaning(Action.VERIFY, meaning.checks) if meaning.checks is not None else meaning
                for meaning in meanings
            ]
        self.meanings = meanings

    @property
    def verifies(self) -> bool:
        """Whether any command of its line has a goal."""
        return any(meaning.goal is not None for meaning in self.meanings)


class ResultRecorder:
    """Writes results into attempts; knows how texts are redacted and cut."""

    def __init__(self, redact: Callable[[str], str] | None) -> None:
        self.redact = redact
        self._said: tuple[str, str] | None = None
        self._echoed: dict[Goal, tuple[Echo, ...]] = {}
        """What scripts were seen to run, until a file that may define them is edited."""
        self._called: dict[Goal, dict[Goal, None]] = {}
        """Scripts that were seen to fail inside others, as long."""

    def limited(self, text: str | None, limit: int) -> str:
        """`text` within `limit`; what is over is cut after redaction, so that no secret is cut in half."""
        if text is None:
            return None  # type: ignore[return-value]
        if len(text) <= limit:
            return text
        return (self.redact(text) if self.redact is not None else text)[:limit]

    def said(self, waiting: WaitingCall) -> str | None:
        """What the agent wrote before a call, within its limit; several calls share their words."""
        whole = waiting.said
        if whole is None or len(whole) <= _MAX_SAID:
            return whole
        if self._said is None or self._said[0] is not whole:
            self._said = whole, self.limited(whole, _MAX_SAID)
        return self._said[1]

    def _clean(self, text: str) -> str:
        return self.redact(text) if self.redact is not None and text else text

    def edited(self, waiting: WaitingCall, edits: list[FileEdit]) -> None:
        """Edits that were carried out."""
        attempt = waiting.attempt
        for edit in edits:
            content = edit.content if edit.content is None or len(edit.content) <= _MAX_CODE else None
            attempt.write(edit, content)
            waiting.files.record_edit(edit.path, edit.content)
            if _DEFINES_SCRIPTS.search(edit.path):
                self._echoed.clear()
                self._called.clear()
            language = language_name(edit.path)
            attempt.edits.append(
                unchecked(
                    Edit,
                    path=edit.path,
                    language=None if language == "text" else language,
                    before=self.limited(edit.before, _MAX_CODE),
                    after=self.limited(edit.after, _MAX_CODE),
                    said=self.said(waiting),
                    step=waiting.step,
                    tool_call_id=waiting.call_id,
                )
            )

    def shell_result(self, waiting: WaitingCall, result: ToolResult, at: datetime | None) -> None:
        """A command line's result: verdicts where it verifies, else an error where it failed; the command itself."""
        attempt = waiting.attempt
        code, text = result.exit_code, result.output
        if code is None:
            code, text = exit_code_in(text)
        told = code
        if told is None and result.is_error is not None and not result.cancelled:
            told = 1 if result.is_error else 0
        if waiting.verifies:
            self._verified(waiting, result, told, text, at)
        elif result.cancelled:
            pass
        elif told not in (0, None) or result.timed_out:
            self.failed_call(waiting, result, code)
        else:
            attempt.clean_end = True
        if not result.cancelled:
            # A failure that tells no exit code and prints nothing but a line is the agent program's own: nothing ran.
            ran = code is not None or told != 1 or result.timed_out or "\n" in text.strip()
            self.commands(waiting, code if code is not None else (0 if told == 0 else None), ran=ran)
            if result.edits:
                self.edited(waiting, result.edits)

    def late_verdict(self, waiting: WaitingCall, result: ToolResult) -> Verdict | None:
        """The verdict of a line that only configures a build, or lints and fixes, if it is a check."""
        code, text = (result.exit_code, result.output) if result.exit_code is not None else exit_code_in(result.output)
        if code is None and result.is_error is not None and not result.cancelled:
            code = 1 if result.is_error else 0
        ran = commands_of(waiting.call.command or "", waiting.cwd, code, text)
        goals = [(one, m.goal) for one, m in zip(ran, waiting.as_check or (), strict=False) if m.goal is not None]
        return call_verdict(
            [one.verdict for one in judge(goals, Output(text, code, result.cancelled, result.timed_out))]
        )

    def commands(self, waiting: WaitingCall, code: int | None, *, ran: bool = True) -> None:
        """The command line, whether it changes something (nothing, where it did not run), and the files it says it writes."""
        attempt = waiting.attempt
        command = waiting.call.command
        assert command is not None
        changes = [m for m in waiting.meanings if m.action is Action.CHANGE] if ran else []
        files = tuple(dict.fromkeys(path for m in changes for path in m.files))
        for meaning in changes:
            if meaning.content is not None and len(meaning.files) == 1 and len(meaning.content) <= _MAX_CODE:
                attempt.write(FileEdit(meaning.files[0], None, meaning.content), meaning.content)
        for path in files:
            attempt.files[path] = None
        told = unchecked(
            Command,
            command=self.limited(command, _MAX_COMMAND),
            exit_code=code,
            mutating=bool(changes),
            said=self.said(waiting),
            step=waiting.step,
            tool_call_id=waiting.call_id,
            files_modified=files,
        )
        if waiting.told_at is None:
            waiting.told_at = len(attempt.commands)
            attempt.commands.append(told)
        else:
            attempt.commands[waiting.told_at] = told

    def _verified(
        self, waiting: WaitingCall, result: ToolResult, code: int | None, text: str, at: datetime | None
    ) -> None:
        attempt = waiting.attempt
        command = waiting.call.command
        assert command is not None
        ran = commands_of(command, waiting.cwd, code, text)
        goals = []
        changes_before = others = False
        for one, meaning in zip(ran, waiting.meanings, strict=False):
            if meaning.goal is not None:
                goals.append((one, meaning.goal))
            elif meaning.action is Action.CHANGE and not goals:
                changes_before = True
            elif one.may_have_failed:
                others = True
        output = Output(self._clean(text), code, result.cancelled, result.timed_out)
        judged = judge(goals, output, Others(changes_before, others))
        attempt.timed_out = attempt.timed_out or result.timed_out
        for told in judged:
            told.checks = self._checks(
                told,
                [goal for ran, goal in goals if goal is not told.goal and not ran.view.opaque],
                output.text,
                waiting.base,
            )
        self._keep_judged(waiting, judged, at)

    def _checks(self, one: Judged, others: list[Goal], text: str, base: str) -> tuple[GoalRun, ...]:
        """What a script is seen to have run, where it got to a result."""
        passed = one.verdict is Verdict.PASS
        if not may_echo(one.goal) or not (passed or one.verdict is Verdict.FAIL):
            return ()
        echoes = echoes_in(text, one.goal, others)
        if echoes and (passed or (len(echoes) == 1 and echoes[0].whole)):
            self._echoed[one.goal] = echoes
        elif (
            echoes and not others and names_all(echoes[0], one.goal) and (echoes[0].script or one.ran.view.shows(text))
        ):
            # It failed half-way, but its own line tells all that it runs.
            self._echoed.setdefault(one.goal, echoes[:1])
        elif not echoes:
            # `npm test | tail`: an earlier call of the same script told what it runs.
            echoes = self._echoed.get(one.goal, ())
        named = None if passed else failed_script(one.goal, text, others)
        if named is not None:
            self._called.setdefault(one.goal, {})[named] = None
        runs = goal_runs(
            one.goal, echoes, one.errors, passed=passed, base=base, meaning_of=_meaning_of_echo, failed_as=named
        )
        return runs + self._passed_inside(one.goal, runs, base) if passed else runs

    def _passed_inside(self, goal: Goal, runs: tuple[GoalRun, ...], base: str) -> tuple[GoalRun, ...]:
        """What had failed inside a script before, and has passed with it now; with what that was seen to run."""
        found: list[GoalRun] = []
        part = max((run.part for run in runs), default=-1) + 1
        for called in self._called.get(goal, ()):
            if any(called == run.goal for run in runs):
                continue
            found.append(GoalRun(called, part))
            inner = goal_runs(
                called, self._echoed.get(called, ()), (), passed=True, base=base, meaning_of=_meaning_of_echo
            )
            found += [replace(run, part=part + 1 + run.part) for run in inner]
            part = found[-1].part + 1
        return tuple(found)

    def _keep_judged(self, waiting: WaitingCall, judged: list[Judged], at: datetime | None) -> None:
        attempt = waiting.attempt
        command = self.limited(waiting.call.command or "", _MAX_COMMAND)
        for one in judged:
            index = len(attempt.verifications)
            attempt.verifications.append(verification_of(one, command, waiting.step, waiting.call_id, at))
            attempt.errors_not_kept += one.errors_not_kept
            attempt.errors += [_error(e, waiting, index, one.exit_code) for e in one.errors]

    def failed_call(self, waiting: WaitingCall, result: ToolResult, code: int | None) -> None:
        """A call that failed and verifies nothing: an error inside the attempt."""
        attempt = waiting.attempt
        attempt.clean_end = False
        text = exit_code_in(result.output)[1]
        shell = waiting.call.kind is ToolKind.SHELL
        if shell and not result.timed_out and not text.strip() and waiting.last_program in _QUIET_FAILURES:
            attempt.clean_end = True
            return
        if len(attempt.errors) >= _MAX_ERRORS_IN_ATTEMPT:
            attempt.errors_not_kept += 1
            return
        text = self._clean(text)
        if result.timed_out:
            found = [CutError("Command timed out", type="Timeout")]
        elif shell:
            found = cut_errors(text, waiting.last_program or None, code)[0][:_ERRORS_OF_A_CALL]
        else:
            found = [CutError(_first_line(text) or f"{waiting.call.name} failed", tool=waiting.call.name)]
        for error in found:
            if error.path is None and not shell:
                error.path = waiting.call.target
            attempt.errors.append(_error(error, waiting, None, code))

    def without_result(self, waiting: WaitingCall, at: datetime | None) -> None:
        """A command whose result never came: its goals are unclear."""
        if waiting.verifies:
            ran = commands_of(waiting.call.command or "", waiting.cwd)
            goals = [(one, m.goal) for one, m in zip(ran, waiting.meanings, strict=False) if m.goal is not None]
            self._keep_judged(waiting, judge(goals, Output("", missing=True)), at)
            self.commands(waiting, None)
        elif waiting.told_at is None:
            self.commands(waiting, None)

    def outside_errors(self, attempt: Attempt, verdict: RunVerdict, index: int, step: int) -> None:
        """What a failing verdict from outside showed: errors in its log, else its failing tests by name."""
        found: list[CutError] = []
        if verdict.output:
            found, more = cut_errors(self._clean(verdict.output), verdict.source)
            attempt.errors_not_kept += more
        told = {e.test for e in found if e.test}
        whole = bool(found) and not told
        missing = (
            [] if whole else [t for t in verdict.failing_tests if not any(t in known or known in t for known in told)]
        )
        found += [
            CutError("test failed", tool=verdict.source, test=test)
            for test in missing[: max(0, _OUTSIDE_ERRORS - len(found))]
        ]
        for error in found or [CutError("not resolved", tool=verdict.source)]:
            attempt.errors.append(
                unchecked(
                    ExecutionError,
                    type=error.type,
                    message=error.message,
                    stacktrace=error.stacktrace,
                    tool=error.tool,
                    test=error.test,
                    path=error.path,
                    line=error.line,
                    step=step,
                    verification=index,
                )
            )


def _meaning_of_echo(ran: Ran, base: str) -> Meaning:
    return meaning_of(ran, TaskFiles(), base)


def _first_line(text: str) -> str:
    for line in text.split("\n"):
        if line.strip():
            return line.strip()[:MAX_MESSAGE]
    return ""


def _error(error: CutError, waiting: WaitingCall, verification: int | None, code: int | None) -> ExecutionError:
    return unchecked(
        ExecutionError,
        type=error.type,
        message=error.message[:MAX_MESSAGE] or "failed",
        stacktrace=error.stacktrace[:MAX_STACK] if error.stacktrace else None,
        tool=error.tool,
        test=error.test,
        package=error.package,
        path=error.path,
        line=error.line,
        exit_code=code,
        step=waiting.step,
        verification=verification,
        tool_call_id=waiting.call_id,
    )
