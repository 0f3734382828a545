"""Who gets the credit for an error that went away, and the blame for one that did not (DOMAIN 3.8 "Credit").

Here: the walk over one task's verifications. Not here: building them from events (`task_attempts`), whether one that does not show
an error speaks for it (`absence`), which parts of a change count (`credited_parts`), what follows for mappings (`lessons`), what the
counts mean (`reducers.error_success_mapping`).

The walk keeps, per error, where it was last shown and, once a covering verification no longer shows it, which change
made it go. A pass that covers settles it; its return settles it the other way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from debug_loop_pipeline.compute.commands.toolbox import GoalKind
from debug_loop_pipeline.compute.errors.error_identity import ErrorKey
from debug_loop_pipeline.compute.fixes.absence import (
    Tracked,
    at_build,
    checked_again,
    covers_shown,
    holds_subtest,
    lacks_its_test,
    marks,
    not_sourced,
    says_less,
    speaks_for,
)
from debug_loop_pipeline.compute.fixes.credited_parts import credited_parts, taken_back, tried_parts
from debug_loop_pipeline.compute.fixes.lessons import FailedTry, Fix, TaskCredit, mapping_events, used_resolutions
from debug_loop_pipeline.compute.fixes.put_aside import is_stash, put_aside
from debug_loop_pipeline.compute.fixes.resolution import DEFAULT_LIMITS, ChangePart, ResolutionLimits, resolutions
from debug_loop_pipeline.compute.fixes.task_attempts import TaskAttempt, TaskError, TaskVerification
from debug_loop_pipeline.models.errors import ErrorCategory
from debug_loop_pipeline.models.execution import Command
from debug_loop_pipeline.models.mapping import VerificationRef

CREDIT_VERSION = "20"

_MAX_ELSEWHERE = 4
_SHOWS_ONLY = re.compile(r"(?:&&|;|\|\|)\s*echo\b[^;&|]*|\|\s*(?:tail|head|cat)\b[^;&|]*|2>&1")
_NO_PROGRAM = re.compile(r"command not found: <VALUE>|<VALUE>: (?:command )?not found")
_IN_USE = re.compile(r"(?i)address already in use|port \S+ is (?:already )?in use")
_NO_FOLDER = re.compile(r"cd: <(?:PATH|VALUE|VAR)>: No such file or directory|cd: \S+: No such file or directory")
_SETS_UP = re.compile(
    r"(?i)(?:^|/)(?:[^/]*\.(?:json|toml|ya?ml|lock|cfg|ini|nix|sh|mk|gradle|xml)|(?:gnu)?makefile|\.?justfile|dockerfile[^/]*|gemfile|brewfile|[^/]*rc|[^/.]+)$"
)
"""Files that may say which programs there are, and programs themselves."""


@dataclass(slots=True)
class _Walk:
    limits: ResolutionLimits
    parts: list[ChangePart] = field(default_factory=list)
    tracked: dict[ErrorKey, Tracked] = field(default_factory=dict)
    fixes: list[Fix] = field(default_factory=list)
    failed_tries: list[FailedTry] = field(default_factory=list)
    builds: list[TaskVerification] = field(default_factory=list)
    """Builds that passed since the last change."""


def credit_task(attempts: Sequence[TaskAttempt], limits: ResolutionLimits = DEFAULT_LIMITS) -> TaskCredit:
    """Credit and blame in one task.

    Args:
        attempts: all attempts of one task, as `task_attempts` orders them.
        limits: what of a change becomes resolutions.

    Raises:
        ValueError: the attempts are of more than one task.
    """
    tasks = {attempt.correlation_id for attempt in attempts}
    if len(tasks) > 1:
        raise ValueError(f"credit is per task, got {len(tasks)}: {sorted(map(str, tasks))[:3]}")
    walk = _Walk(limits)
    aside = put_aside(attempts)
    for attempt in attempts:
        changes = [part for part in attempt.changes if part.step not in aside.steps or not is_stash(part)]
        for verification in attempt.verifications:
            # A change in the same tool call as its verification came before it (`format && test`).
            while changes and changes[0].step <= verification.ref.step:
                walk.parts.append(changes.pop(0))
                walk.builds.clear()
            if (
                verification.decided
                and (verification.ref.attempt_id, verification.ref.index) not in aside.verifications
            ):
                _verify(walk, verification)
                if verification.passed and verification.builds:
                    walk.builds.append(verification)
        if changes:
            walk.parts += changes
            walk.builds.clear()
    if not tasks:
        return TaskCredit()
    _sort(walk, attempts)
    events = mapping_events(attempts, walk.fixes, walk.failed_tries)
    return TaskCredit(
        fixes=tuple(walk.fixes),
        failed_tries=tuple(walk.failed_tries),
        mapping_events=events,
        resolutions=used_resolutions([*walk.fixes, *walk.failed_tries], events),
    )


def _sort(walk: _Walk, attempts: Sequence[TaskAttempt]) -> None:
    """Fixes in the order in which the errors went, tries in the order in which they failed."""
    seen = (v.ref for attempt in attempts for v in attempt.verifications)
    order = {(ref.attempt_id, ref.index): i for i, ref in enumerate(seen)}

    def at(ref: VerificationRef) -> int:
        return order[ref.attempt_id, ref.index]

    walk.fixes.sort(key=lambda fix: (at(fix.gone_at.ref), at(fix.failed.ref), fix.error.key))
    walk.failed_tries.sort(key=lambda tried: (at(tried.failed_again.ref), at(tried.failed.ref), tried.error.key))


def _verify(walk: _Walk, seen: TaskVerification) -> None:
    shown = {error.key: error for error in (_in_full(walk, error) for error in seen.errors)}
    _told_in_full(walk, shown.values())
    there = [tracked.error for tracked in walk.tracked.values() if tracked.gone is None]
    shown |= {test.key: test for test in there if any(holds_subtest(test, error) for error in seen.errors)}
    for key, error in shown.items():
        tracked = walk.tracked.get(key)
        if tracked is not None:
            _still_there(walk, tracked, [other for other in there if other.key != key], seen)
        now = len(walk.parts)
        walk.tracked[key] = Tracked(
            error, seen, tracked.first if tracked is not None else now, now, elsewhere=_elsewhere(tracked, seen)
        )
    only_that_it_failed = bool(shown) and not any(error.located or not error.generic for error in shown.values())
    for key, tracked in list(walk.tracked.items()):
        if key in shown or tracked.gone is not None:
            continue
        if only_that_it_failed and tracked.error.generic and not tracked.error.located and covers_shown(seen, tracked):
            # What failed is not told now, as it was not then: it may be the same, and what is shown now stands for it.
            del walk.tracked[key]
            continue
        if not seen.same_goal(tracked.shown, at_build=at_build(tracked.error)):
            _look_elsewhere(seen, tracked)
        if speaks_for(seen, tracked):
            _not_there(walk, key, tracked, seen)
        elif tracked.absent is None and len(walk.parts) > tracked.at and checked_again(seen, tracked):
            tracked.absent = len(walk.parts)
        elif len(walk.parts) == tracked.at and _of_the_machine(tracked) and checked_again(seen, tracked):
            del walk.tracked[key]
    if seen.passed:
        settled = [t for t in walk.tracked.values() if t.gone is not None and covers_shown(seen, t)]
        settled.sort(key=_says_only_that)
        behind: list[Fix | None] = []
        for tracked in settled:
            del walk.tracked[tracked.error.key]
            fix = _fix(walk, tracked, seen)
            if tracked.error.located:
                behind.append(fix)
            elif _says_only_that(tracked) and any(_went_with(walk, tracked, other) for other in behind):
                continue
            if fix is not None:
                walk.fixes.append(fix)


def _says_only_that(tracked: Tracked) -> bool:
    return tracked.error.generic and not tracked.error.located


def _went_with(walk: _Walk, bare: Tracked, other: Fix | None) -> bool:
    """Whether "3 failed" went with the error behind it; alone it is all that is known.

    What was mended before it was shown is not behind it.
    """
    since = {id(part) for part in walk.parts[bare.at :]}
    return other is None or any(id(part) in since for part in other.changes)


def _in_full(walk: _Walk, error: TaskError) -> TaskError:
    """The error that is shown with less than is known of it: in fewer words, or only by the name of its test (`✕ name`); a message without
    its file, which a filter took off.
    """
    before = walk.tracked.get(error.key)
    if before is not None and before.gone is None and before.error.files and not error.files:
        return replace(error, files=before.error.files)
    if error.tool == "unittest" and not error.key[2]:
        known = [tracked for tracked in walk.tracked.values() if lacks_its_test(error, tracked.error)]
    elif (error.generic or error.shortened) and error.key[2]:
        known = [tracked for tracked in walk.tracked.values() if says_less(error, tracked.error)]
    else:
        return error
    known = [tracked for tracked in known if tracked.gone is None] or known
    return known[-1].error if len({tracked.error.key[2] for tracked in known}) == 1 else error


def _told_in_full(walk: _Walk, shown: Iterable[TaskError]) -> None:
    """Errors that were shown in fewer words become those that are told in full now: the same test fails still.

    Of one that was known only by the name of its test it is not known why it failed then: it begins with what is told now.
    """
    for error in shown:
        if error.generic or not error.key[2]:
            continue
        for key, tracked in list(walk.tracked.items()):
            if tracked.gone is None and key != error.key and says_less(tracked.error, error):
                del walk.tracked[key]
                if not marks(tracked.error, error):
                    walk.tracked.setdefault(error.key, replace(tracked, error=error))


def _still_there(walk: _Walk, tracked: Tracked, others: Sequence[TaskError], seen: TaskVerification) -> None:
    came_back = tracked.gone is not None
    end = tracked.until if came_back else len(walk.parts)
    if tracked.at == end:
        return  # a rerun without a change is the same state
    change = _left_of(walk.parts, tracked, end, end) or tuple(walk.parts[tracked.at : end])
    # Where the change was taken back it is no wonder that the error is there again: tried and failed, not a fix that did not last.
    came_back = came_back and bool(_left_of(walk.parts, tracked, end, len(walk.parts)))
    credited = credited_parts(tracked.error, change) if came_back else tried_parts(tracked.error, change, others)
    if not credited:
        return
    walk.failed_tries.append(
        FailedTry(
            error=tracked.error,
            failed=tracked.shown,
            failed_again=seen,
            changes=credited,
            resolutions=tuple(resolutions(credited, change, tracked.error.pattern.subjects, walk.limits)),
            came_back=came_back,
            gone_at=tracked.gone,
        )
    )


def _elsewhere(tracked: Tracked | None, seen: TaskVerification) -> tuple[tuple[TaskVerification, int], ...]:
    """What had shown the error before `seen` did and is not covered by it as it is called."""
    if tracked is None or tracked.gone is not None:
        return ()
    shown = (*tracked.elsewhere, (tracked.shown, tracked.at))
    own = at_build(tracked.error)
    return tuple(one for one in shown if not seen.same_goal(one[0], at_build=own))[-_MAX_ELSEWHERE:]


def _look_elsewhere(seen: TaskVerification, tracked: Tracked) -> None:
    """Two checks may show one error: where `seen` is the one that did not show it last, it is compared with its own showing.

    But where something was changed since that, and `seen` speaks for the later showing too, the later one counts.
    """
    own = at_build(tracked.error)
    covers = covers_shown(seen, tracked)
    before = [one for one in reversed(tracked.elsewhere) if not covers or one[1] == tracked.at]
    at = next((one for one in before if seen.same_goal(one[0], at_build=own)), None)
    if at is None and not covers:
        at = next((one for one in before if seen.covers(one[0], tracked.error, at_build=own)), None)
    if at is not None and seen.complete:
        tracked.elsewhere = (*(one for one in tracked.elsewhere if one is not at), (tracked.shown, tracked.at))
        tracked.shown = at[0]


def _not_there(walk: _Walk, key: ErrorKey, tracked: Tracked, seen: TaskVerification) -> None:
    if len(walk.parts) == tracked.at and (rebuilt := _rebuilt(walk, tracked, seen)) is not None:
        walk.parts.append(rebuilt)
    if len(walk.parts) > tracked.at:
        tracked.gone = seen
        tracked.until = len(walk.parts) if tracked.absent is None else tracked.absent
    elif seen.passed or not tracked.error.located or _ran_into_another(seen) or _from_elsewhere(seen, tracked):
        # Without a change it was not the code's (another way to call it, chance), or a fuller rerun explains it.
        del walk.tracked[key]


def _rebuilt(walk: _Walk, tracked: Tracked, seen: TaskVerification) -> ChangePart | None:
    """The build of something else that made a build error go where nothing else changed: what was built before it was old.

    Another package of the repository, whose types or modules the one that failed reads.
    """
    error, shown = tracked.error, tracked.shown
    if not (at_build(error) or (error.generic and shown.builds)):
        return None
    for build in reversed(walk.builds):
        after = (shown.at, shown.ref.step) < (build.at, build.ref.step) and build.session_id == shown.session_id
        if after and not build.covers(shown) and not shown.covers(build) and not seen.covers(build):
            told = Command(
                command=build.verification.command,
                exit_code=0,
                mutating=True,
                step=build.ref.step,
                tool_call_id=build.ref.tool_call_id,
            )
            return ChangePart(build.ref.step, build.ref.tool_call_id, command=told)
    return None


def _ran_into_another(seen: TaskVerification) -> bool:
    """Whether a program came to another end: unlike a check that lists findings, it shows the one error that stopped it."""
    return seen.verification.goal_tool == GoalKind.RUN.value and seen.complete


def _of_the_machine(tracked: Tracked) -> bool:
    """Whether it is an error of what the check runs in (a port in use, a host not reached): gone without a change, it was none of the code's."""
    pattern = tracked.error.pattern
    return pattern.category is ErrorCategory.NETWORK_ERROR or _IN_USE.search(pattern.pattern) is not None


def _from_elsewhere(seen: TaskVerification, tracked: Tracked) -> bool:
    """Whether the check was called in another directory, where what it loads lies elsewhere."""
    return (
        tracked.error.pattern.category is ErrorCategory.IMPORT_ERROR
        and seen.verification.goal_cwd != tracked.shown.verification.goal_cwd
    )


def _fix(walk: _Walk, tracked: Tracked, passed: TaskVerification) -> Fix | None:
    assert tracked.gone is not None
    gone, now = tracked.gone, len(walk.parts)
    change = _left_of(walk.parts, tracked, tracked.until, now)
    if not change:
        # The change that had removed it was taken back before the pass: another one keeps it away.
        change = _left_of(walk.parts, replace(tracked, at=tracked.until), now, now)
        gone = passed if change else gone
    change = change or tuple(walk.parts[tracked.at : tracked.until])
    if _not_installed(tracked):
        change = tuple(part for part in change if part.edit is None or _SETS_UP.search(part.edit.path))
        if not change:
            return None
    credited = credited_parts(tracked.error, change)
    return Fix(
        error=tracked.error,
        failed=tracked.shown,
        gone_at=gone,
        passed=passed,
        changes=credited,
        resolutions=tuple(resolutions(credited, change, tracked.error.pattern.subjects, walk.limits)),
    )


def _not_installed(tracked: Tracked) -> bool:
    """Whether the shell did not find the program that the check was called by, or the folder: no source file mends that, another way to
    call it does.
    """
    if not_sourced(tracked) or (tracked.error.tool == "shell" and _NO_FOLDER.match(tracked.error.pattern.pattern)):
        return True
    found = _NO_PROGRAM.fullmatch(tracked.error.pattern.pattern) if tracked.error.tool == "shell" else None
    called = re.split(r"[\s;&|()]+", tracked.shown.verification.command)
    return found is not None and any(name in called for name in tracked.error.pattern.subjects)


def _left_of(parts: Sequence[ChangePart], tracked: Tracked, end: int, now: int) -> tuple[ChangePart, ...]:
    """What of the parts from `tracked.at` to `end` is left at `now`: without hunks that were put back since the error was first
    shown, and without those that put them back, since it was there before both.

    The line that had shown the error, run again (`ruff format && ruff check --fix`), is no part of it beside others: it had not helped.
    """
    back = taken_back(parts[tracked.first : now])
    left = tuple(part for n, part in enumerate(parts[tracked.at : end], tracked.at - tracked.first) if n not in back)
    line = _plain(tracked.shown.verification.command)
    return tuple(part for part in left if part.command is None or _plain(part.command.command) != line) or left


@lru_cache(maxsize=256)
def _plain(line: str) -> str:
    """A command line without what only shows or cuts its output."""
    return " ".join(_SHOWS_ONLY.sub(" ", line).split())
