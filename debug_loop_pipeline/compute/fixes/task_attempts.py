"""Execution events as credit sees them: per task, verifications and parts of changes in one order (DOMAIN 3.8).

Here: building and ordering. Not here: what follows from it (`credit`). The order of the events does not matter.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from uuid import UUID

from debug_loop_pipeline.compute.commands.error_cutting.common import GENERIC
from debug_loop_pipeline.compute.commands.goals import (
    Checked,
    Goal,
    GoalRun,
    aimed_at,
    checks_again,
    compiles_again,
    covers,
    names_packages,
    speaks_for,
)
from debug_loop_pipeline.compute.commands.program_runs import PROJECT_RUNS
from debug_loop_pipeline.compute.commands.toolbox import TOOLS, GoalKind
from debug_loop_pipeline.compute.errors.error_identity import ErrorKey, error_key
from debug_loop_pipeline.compute.event_errors import pattern_of
from debug_loop_pipeline.compute.fixes.resolution import ChangePart
from debug_loop_pipeline.models.base import EvidenceTier, Origin, Status, Verdict
from debug_loop_pipeline.models.errors import ErrorPattern
from debug_loop_pipeline.models.execution import ExecutionError, ExecutionEvent, Verification
from debug_loop_pipeline.models.mapping import VerificationRef

SignatureOf = Callable[[ErrorPattern, ExecutionError], str]
"""The group of an error: its own signature, or another one where a person merged or split."""

_TOOLS_BY_NAME = {tool.name: tool for tool in TOOLS.values()}
_SAYS_NOTHING = re.compile(
    r"(?i)(?:.{1,40}: )?(?:not resolved|tests? failed|failed|no message|exit status -?\d+|exited with code -?\d+)\.?"
)
_BUILDS = re.compile(r"(?:^|[ :_-])(?:build|compile|bundle)(?:[:_-]|$)")
_RUNS = frozenset({"run", "", *(" ".join(words) for words in PROJECT_RUNS)})
"""Goal tools of programs that were run."""


_GO_TYPES = re.compile(
    r"undefined|undeclared|cannot \w+|(?:declared|imported) and not used|declared but not|missing return|not enough|too many|mismatched"
    r"|redeclared|unknown field|does not implement|syntax error|invalid operation|no required module|is not a type|no field or method"
    r"|could not import|no new variables|is not in std|unexpected"
)
"""What Go's compiler says, as opposed to go vet, whose findings stop no test."""
_WHOLE_ATTEMPT = "attempt"
"""Goal tool of an attempt whose outcome is known but not by which command."""


@dataclass(frozen=True, slots=True)
class TaskError:
    """One error that a verification showed."""

    key: ErrorKey
    signature: str
    pattern: ErrorPattern
    tool: str | None
    files: tuple[str, ...]
    package: str | None = None
    """Of a Go test: the package it is in."""
    shortened: bool = False
    """The runner cut its message to the width of a terminal."""
    generic: bool = False
    """It says only that something failed (a trailer, a bare count, "not resolved"): it teaches nothing."""
    message: str = ""
    """As it was shown."""

    @property
    def located(self) -> bool:
        """Whether it says where it is or what it is, and not only that there is one."""
        test, subjects = self.key[2], self.key[1]
        return bool(test or (not self.generic and (self.files or subjects or self.pattern.error_type)))


@dataclass(frozen=True, slots=True)
class TaskVerification:
    """One verification with its errors.

    complete False: what it does not show may still be there. cut: that is so because not all of it was kept.
    """

    ref: VerificationRef
    verification: Verification
    errors: tuple[TaskError, ...]
    infrastructure: bool
    complete: bool
    cut: bool
    at: datetime
    evidence: EvidenceTier
    session_id: str | None
    peer_id: str | None

    @property
    def decided(self) -> bool:
        """Whether it says anything about the code: not unclear, cancelled or the infrastructure's fault."""
        return self.verification.verdict in (Verdict.PASS, Verdict.FAIL) and not self.infrastructure

    @property
    def passed(self) -> bool:
        """Whether its goal was met."""
        return self.verification.verdict is Verdict.PASS

    @property
    def builds(self) -> bool:
        """Whether its goal is a build, by its tool or the name of its script."""
        return (
            _goal(self.verification).kind is GoalKind.BUILD or _BUILDS.search(self.verification.goal_tool) is not None
        )

    def same_goal(self, other: TaskVerification, *, at_build: bool = False) -> bool:
        """Whether its goal covers that of `other` as both are called, whatever they are known to run."""
        told, shown = self.verification, other.verification
        if told.outside or shown.outside:
            return told.outside
        mine, theirs = (replace(_goal(one), runners=()) for one in (told, shown))
        return covers(mine, theirs, ignore_filters=at_build)

    def covers(self, other: TaskVerification, error: TaskError | None = None, *, at_build: bool = False) -> bool:
        """Whether it speaks for the goal of `other` too, or for the check of it that showed `error`; a verdict from outside for everything.

        at_build: the error stopped the build, so that it does not depend on which tests run, and shows wherever the same is compiled.
        """
        if self.verification.outside:
            return True
        if other.verification.outside:
            return False
        mine, theirs = checked(self.verification), checked(other.verification)
        tool = error.tool if error is not None else None
        if error is not None and error.key[2] and not at_build:
            theirs = aimed_at(theirs, error.key[2])
        if speaks_for(mine, theirs, failed=not other.passed, tool=tool, ignore_filters=at_build):
            return True
        shown = other.verification
        if names_packages(mine.goal, theirs.goal, (*shown.packages_failed, *shown.packages_broken)):
            return True
        compiler = error is None or _GO_TYPES.search(error.pattern.pattern) is not None
        if not at_build or (not compiler and "go vet" in other.verification.goal):
            return False
        of_go = error is not None and any(file.endswith(".go") for file in error.files)
        files = error.files if error is not None and (compiler or not of_go) else ()
        in_tests = not files or any(_may_be_in_tests(file) for file in files)
        linked = error is None or error.tool not in ("rustc", "clippy")
        lines = (self.verification.command, other.verification.command)
        return compiles_again(mine, theirs, *lines, in_tests=in_tests, linked=linked)

    def checks_again(self, other: TaskVerification, error: TaskError) -> bool:
        """Whether it ran just what had shown `error` in `other`, though it does not cover all of it."""
        if self.verification.outside or other.verification.outside:
            return False
        test = error.key[2] or error.pattern.test or ""
        mine, shown = checked(self.verification), checked(other.verification)
        parts = shown.parts(failed=not other.passed, tool=error.tool)
        names = [shown.goal, *(name for part in parts for name in part)]
        by_name = None if shown.runs else error.tool
        # A Go test names its file without the directory; its package tells that.
        files = (*error.files, f"{error.package}/_test.go") if error.package else error.files
        return any(checks_again(goal, name, test, files, error_tool=by_name) for goal in mine.goals for name in names)


_NO_TESTS = re.compile(
    r"(?<!_test)\.go$|^(?!.*Tests?/)(?!.*Tests?\.swift$).*\.swift$|\.ex$|(?:^|/)src/(?:\w*[mM]ain)/.*\.(?:java|kt|scala|groovy)$"
)
"""Files in which no test is, by the custom of their language; those of others may hold any."""


def _may_be_in_tests(file: str) -> bool:
    return _NO_TESTS.search(file) is None


@dataclass(frozen=True, slots=True)
class TaskAttempt:
    """One attempt of a task: what it changed and what verified it, each in order."""

    attempt_id: UUID
    correlation_id: UUID
    run: tuple[datetime, str]
    """(run start, execution id): runs of a task follow each other in this order."""
    started_at: datetime
    changes: tuple[ChangePart, ...]
    verifications: tuple[TaskVerification, ...]

    @property
    def steps(self) -> tuple[int, int]:
        """First and last step it has."""
        steps = [c.step for c in self.changes] + [v.ref.step for v in self.verifications]
        return (min(steps), max(steps)) if steps else (0, 0)


def task_attempts(
    events: Iterable[ExecutionEvent], *, signature_of: SignatureOf | None = None
) -> dict[UUID, tuple[TaskAttempt, ...]]:
    """Attempts per task (correlation id), in the order of credit.

    Args:
        events: the holding revision of each attempt, in any order, of any number of tasks.
        signature_of: the group of an error; by default its own signature.
    """
    by_task: dict[UUID, dict[UUID, ExecutionEvent]] = defaultdict(dict)
    for event in events:
        by_task[event.correlation_id][event.attempt_id] = event
    return {
        task: _ordered([_attempt(event, signature_of) for event in _with_run_starts(found.values())])
        for task, found in sorted(by_task.items())
    }


def _with_run_starts(events: Iterable[ExecutionEvent]) -> list[ExecutionEvent]:
    """The events, each with the start of its run: as told, else the first start of its attempts."""
    events = list(events)
    starts: dict[str, datetime] = {}
    for event in events:
        start, run = event.run_started_at or event.started_at, _run_of(event)
        starts[run] = min(start, starts.get(run, start))
    return [event.model_copy(update={"run_started_at": starts[_run_of(event)]}) for event in events]


def _run_of(event: ExecutionEvent) -> str:
    return event.execution_id or event.session_id or ""


def _ordered(attempts: list[TaskAttempt]) -> tuple[TaskAttempt, ...]:
    """By run, inside it by step; by start where steps begin anew in each attempt."""
    by_run: dict[tuple[datetime, str], list[TaskAttempt]] = defaultdict(list)
    for attempt in attempts:
        by_run[attempt.run].append(attempt)
    ordered: list[TaskAttempt] = []
    for run in sorted(by_run):
        of_run = sorted(by_run[run], key=lambda a: (a.steps, a.started_at, str(a.attempt_id)))
        apart = all(a.steps[1] <= b.steps[0] for a, b in pairwise(of_run))
        if not apart or of_run[0].steps == of_run[-1].steps:
            of_run.sort(key=lambda a: (a.started_at, a.steps, str(a.attempt_id)))
        ordered += of_run
    return tuple(ordered)


def _attempt(event: ExecutionEvent, signature_of: SignatureOf | None) -> TaskAttempt:
    assert event.run_started_at is not None
    at = event.completed_at or event.started_at
    verifications = list(event.verifications)
    errors = list(event.errors)
    if not verifications:
        outcome = _outcome_as_verification(event)
        if outcome is not None:
            verifications = [outcome]
            errors = [error.model_copy(update={"verification": 0}) for error in errors]
    elif event.source.importer == "logger" and all(error.verification is None for error in errors):
        # A logger that tells one verification and the errors apart means that it showed them.
        failing = [i for i, v in enumerate(verifications) if v.verdict is Verdict.FAIL]
        if failing:
            errors = [error.model_copy(update={"verification": failing[-1]}) for error in errors]
    return TaskAttempt(
        attempt_id=event.attempt_id,
        correlation_id=event.correlation_id,
        run=(event.run_started_at, _run_of(event)),
        started_at=event.started_at,
        changes=_changes(event),
        verifications=tuple(
            _verification(event, i, verification, [e for e in errors if e.verification == i], at, signature_of)
            for i, verification in sorted(enumerate(verifications), key=lambda item: (item[1].step, item[0]))
        ),
    )


def _outcome_as_verification(event: ExecutionEvent) -> Verification | None:
    """An attempt that tells only how it ended, where that is known well enough to count."""
    step = max([0, *(e.step for e in event.edits), *(c.step for c in event.commands), *(e.step for e in event.errors)])
    tier = event.evidence_tier
    if event.status in (Status.ERROR, Status.TIMEOUT) and event.errors:
        verdict = Verdict.FAIL
    elif event.status is Status.SUCCESS and tier is not None and tier.rank >= EvidenceTier.MEASURED.rank:
        verdict = Verdict.PASS
    else:
        return None
    return Verification(
        command="", goal=_WHOLE_ATTEMPT, goal_tool=_WHOLE_ATTEMPT, verdict=verdict, step=step, at=event.completed_at
    )


def _verification(
    event: ExecutionEvent,
    index: int,
    verification: Verification,
    errors: Sequence[ExecutionError],
    at: datetime,
    signature_of: SignatureOf | None,
) -> TaskVerification:
    found = [_error(error, signature_of) for error in errors]
    of_agent = [error for error in found if error.pattern.origin is Origin.AGENT_ACTION]
    distinct: dict[ErrorKey, TaskError] = {}
    for error in of_agent:
        known = distinct.get(error.key)
        files = tuple(dict.fromkeys((*known.files, *error.files))) if known else error.files
        distinct[error.key] = replace(error, files=files)
    failed = verification.verdict is Verdict.FAIL
    return TaskVerification(
        ref=VerificationRef(
            attempt_id=event.attempt_id,
            index=index,
            step=verification.step,
            goal=verification.goal,
            tool_call_id=verification.tool_call_id,
        ),
        verification=verification,
        errors=tuple(distinct.values()) if failed else (),
        infrastructure=failed and bool(found) and not of_agent,
        complete=not failed
        or (
            verification.reached
            and not event.errors_not_kept
            and any(e.located or not e.generic for e in distinct.values())
        ),
        cut=failed and (verification.cut or event.errors_not_kept > 0),
        at=verification.at or at,
        evidence=EvidenceTier.VERIFIED if verification.outside else _evidence(event),
        session_id=event.session_id,
        peer_id=event.peer_id,
    )


def _evidence(event: ExecutionEvent) -> EvidenceTier:
    """A verdict is a measurement; the attempt may know it better."""
    tier = event.evidence_tier
    return tier if tier is not None and tier.rank > EvidenceTier.MEASURED.rank else EvidenceTier.MEASURED


def _error(error: ExecutionError, signature_of: SignatureOf | None) -> TaskError:
    pattern = pattern_of(error)
    signature = signature_of(pattern, error) if signature_of is not None else pattern.signature
    files = (*((error.path,) if error.path else ()), *pattern.files)
    return TaskError(
        key=error_key(pattern, signature=signature, test=error.test),
        signature=signature,
        pattern=pattern,
        tool=error.tool,
        files=tuple(dict.fromkeys(files)),
        package=error.package,
        shortened=error.stacktrace is None and error.message.endswith("..."),
        generic=error.type == GENERIC or _SAYS_NOTHING.fullmatch(pattern.pattern) is not None,
        message=error.message,
    )


def _changes(event: ExecutionEvent) -> tuple[ChangePart, ...]:
    contents = {blob.path: blob.content for blob in event.code_written if blob.path}
    parts = [
        ChangePart(edit.step, edit.tool_call_id, edit=edit, content=contents.get(edit.path)) for edit in event.edits
    ]
    parts += [
        ChangePart(command.step, command.tool_call_id, command=command)
        for command in event.commands
        if command.mutating
    ]
    if parts and event.stf_ids:
        first = min(part.step for part in parts)
        parts += [ChangePart(first, stf_id=stf_id) for stf_id in event.stf_ids]
    return tuple(sorted(parts, key=lambda part: part.step))


@lru_cache(maxsize=4096)
def _goal_of(
    tool: str, target: tuple[str, ...], filters: tuple[str, ...], cwd: str, runners: tuple[str, ...] = ()
) -> Goal:
    known = _TOOLS_BY_NAME.get(tool)
    kind = GoalKind.RUN if tool in _RUNS else known.kind if known is not None else GoalKind.MIXED
    return Goal(tool, kind, target, filters, cwd, recursive=known is None or known.recursive, runners=runners)


def _goal(verification: Verification) -> Goal:
    if not verification.goal_tool and not verification.goal_target:
        return _goal_of("run", (verification.goal,), (), verification.goal_cwd)
    told = verification
    # What is known of the runners by their names alone counts only where it is not known which checks ran.
    runners = () if told.checks else told.goal_runners
    return _goal_of(told.goal_tool, told.goal_target, told.goal_filters, told.goal_cwd, runners)


def checked(verification: Verification) -> Checked:
    """What a verification checked, as goals are compared."""
    runs = tuple(GoalRun(_goal_of(c.tool, c.target, c.filters, c.cwd), c.part, c.failed) for c in verification.checks)
    return Checked(_goal(verification), runs)
