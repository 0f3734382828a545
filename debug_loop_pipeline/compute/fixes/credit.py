"""Who gets the credit for an error that went away, and the blame for one that did not (DOMAIN 3.8 "Credit").

Here: the walk over one task's verifications. Not here: building them from events (`task_attempts`), which parts of a
change count (`credited_parts`), what the counts mean (`reducers.error_success_mapping`).

The walk keeps, per error, where it was last shown and, once a covering verification no longer shows it, which change
made it go. A pass that covers settles it; its return settles it the other way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import PurePosixPath
from uuid import UUID

from debug_loop_pipeline.compute.commands.summary_families import error_tools
from debug_loop_pipeline.compute.commands.toolbox import GoalKind
from debug_loop_pipeline.compute.errors.error_identity import ErrorKey
from debug_loop_pipeline.compute.fixes.credited_parts import credited_parts, taken_back, tried_parts
from debug_loop_pipeline.compute.fixes.filtered_output import would_show
from debug_loop_pipeline.compute.fixes.resolution import ChangePart, resolutions
from debug_loop_pipeline.compute.fixes.task_attempts import TaskAttempt, TaskError, TaskVerification
from debug_loop_pipeline.models.errors import ErrorCategory
from debug_loop_pipeline.models.execution import Command
from debug_loop_pipeline.models.mapping import (
    MappingDetails,
    MappingEvent,
    MappingOutcome,
    Resolution,
    VerificationRef,
)

CREDIT_VERSION = "14"

_MAX_ELSEWHERE = 4
_STASH_PUSH = re.compile(r"\bgit\s+(?:-C\s+\S+\s+)?stash(?:\s+(?:push|save)\b|\s+-|\s*(?:$|[;&|\n>2]))")
_STASH_POP = re.compile(r"\bgit\s+(?:-C\s+\S+\s+)?stash\s+(?:pop|apply)\b")
_CHANGES_MORE = re.compile(
    r"\bgit\s+(?:pull|merge|rebase|reset|cherry-pick|apply|revert)\b|\bsed\s+-i"
    r"|\b(?:npm|pnpm|yarn|bun|uv|poetry|pip3?|cargo|go)\s+(?:install|i|ci|add|get|sync)\b"
)
_SHOWS_ONLY = re.compile(r"(?:&&|;|\|\|)\s*echo\b[^;&|]*|\|\s*(?:tail|head|cat)\b[^;&|]*|2>&1")
_BUILD_STAGE = frozenset({ErrorCategory.BUILD_ERROR, ErrorCategory.SYNTAX_ERROR, ErrorCategory.IMPORT_ERROR})
"""Errors that stop a check before its own result: one of them hides what comes later, but not another of them."""
_STOPS = re.compile(
    r"(?<!\S)(?:--(?:exitfirst|stepwise|sw|bail|failfast|fail-fast|stop-on-(?:failure|error|defect))(?!\S)|-failfast(?!\S)"
    r"|--(?:maxfail|max-failures|bail)[= ](\d+))"
)
_STOPS_PYTEST = re.compile(r"(?<!\S)-(?![rkmnpcoW])[a-zA-Z]*x[a-zA-Z]*(?!\S)()")
"""Options with which a runner stops at a failing test, or after so many."""
_NO_PROGRAM = re.compile(r"command not found: <VALUE>|<VALUE>: (?:command )?not found")
_SOURCES = re.compile(r"(?:^|[\s;&|(])(?:source|\.)[ \t]+['\"]?(?P<file>[^\s;&|'\")]+)")
_SETS_UP = re.compile(
    r"(?i)(?:^|/)(?:[^/]*\.(?:json|toml|ya?ml|lock|cfg|ini|nix|sh|mk|gradle|xml)|(?:gnu)?makefile|\.?justfile|dockerfile[^/]*|gemfile|brewfile|[^/]*rc|[^/.]+)$"
)
"""Files that may say which programs there are, and programs themselves."""
_FILE = re.compile(r"[^:]\.(?:py|[cm]?[jt]sx?|go|rs|rb|java|kt|php|cs|swift|exs?)$")
"""A test file as a whole, in the place of a test: it could not be loaded."""


_COMPILED_FIRST = frozenset({"rustc", "cargo", "javac", "kotlinc", "scalac", "dotnet build"})
"""Compilers whose runner compiles everything before the first test: where tests ran, there is no error of theirs, cut or not."""
_BEFORE_COMPILING = re.compile(
    r"failed to (?:parse|load|read|get|select|resolve|download|fetch|query)\b|no matching package|the lock file"
    r"|unexpected argument|no such (?:sub)?command|found a virtual manifest"
)
"""What cargo itself says about manifests, dependencies and its arguments: where the compiler speaks, it came past that."""
_OF_THE_CALL = re.compile(
    r"named files must|flag provided but not defined|unrecognized arguments?\b|(?:unknown|unrecognized|invalid|bad|no such) (?:option|flag)"
    r"|unexpected argument|unknown (?:argument|command line)",
    re.IGNORECASE,
)
"""What a tool says about the arguments that it was called with."""
_GO_STOPS = frozenset({"panic", "fatal error", "timeout"})
"""What ends the tests of a Go package before the last."""
_COUNT = re.compile(r"-\d+")


@dataclass(frozen=True, slots=True)
class Fix:
    """An error that a change resolved."""

    error: TaskError
    failed: TaskVerification
    """The last one that showed it."""
    gone_at: TaskVerification
    passed: TaskVerification
    changes: tuple[ChangePart, ...]
    resolutions: tuple[Resolution, ...]


@dataclass(frozen=True, slots=True)
class FailedTry:
    """A change after which the error was still there, or came back."""

    error: TaskError
    failed: TaskVerification
    failed_again: TaskVerification
    changes: tuple[ChangePart, ...]
    resolutions: tuple[Resolution, ...]
    came_back: bool = False
    gone_at: TaskVerification | None = None


@dataclass(frozen=True, slots=True)
class TaskCredit:
    """What one task teaches. `mapping_events`: at most one per (signature, resolution), in the order of deciding."""

    fixes: tuple[Fix, ...] = ()
    failed_tries: tuple[FailedTry, ...] = ()
    mapping_events: tuple[MappingEvent, ...] = ()
    resolutions: tuple[Resolution, ...] = ()


@dataclass(slots=True)
class _Tracked:
    """One error on its way. gone None: it is there."""

    error: TaskError
    shown: TaskVerification
    first: int
    """How many parts of changes came before it was first shown, and (`at`) before `shown`."""
    at: int
    gone: TaskVerification | None = None
    until: int = 0
    """How many parts came before `gone`, or before a narrower verification that had shown already that it is not there."""
    absent: int | None = None
    """How many parts came before the first narrower verification of just that test or file that did not show it."""
    elsewhere: tuple[tuple[TaskVerification, int], ...] = ()
    """Those that showed it before `shown`, of goals that `shown` does not cover (`npm run check`, then `tsc`), each with how many parts
    came before it; the latest last."""


@dataclass(slots=True)
class _Walk:
    parts: list[ChangePart] = field(default_factory=list)
    tracked: dict[ErrorKey, _Tracked] = field(default_factory=dict)
    fixes: list[Fix] = field(default_factory=list)
    failed_tries: list[FailedTry] = field(default_factory=list)
    builds: list[TaskVerification] = field(default_factory=list)
    """Builds that passed since the last change."""


def credit_task(attempts: Sequence[TaskAttempt]) -> TaskCredit:
    """Credit and blame in one task.

    Args:
        attempts: all attempts of one task, as `task_attempts` orders them.

    Raises:
        ValueError: the attempts are of more than one task.
    """
    tasks = {attempt.correlation_id for attempt in attempts}
    if len(tasks) > 1:
        raise ValueError(f"credit is per task, got {len(tasks)}: {sorted(map(str, tasks))[:3]}")
    walk = _Walk()
    aside = _aside(attempts)
    for attempt in attempts:
        changes = [part for part in attempt.changes if part.step not in aside.steps or not _is_stash(part)]
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
    events = _mapping_events(attempts, walk)
    return TaskCredit(
        fixes=tuple(walk.fixes),
        failed_tries=tuple(walk.failed_tries),
        mapping_events=events,
        resolutions=_used(walk, events),
    )


@dataclass(slots=True)
class _Aside:
    """What ran while the work of a task was put aside (`git stash` .. `git stash pop`): it speaks for the code without it.

    Where the work is never brought back, the stash is a change like another.
    """

    verifications: set[tuple[UUID, int]] = field(default_factory=set)
    steps: set[int] = field(default_factory=set)
    """Steps of the commands that put aside and brought back."""
    since: list[tuple[UUID, int]] | None = None
    put: int = 0

    def command(self, part: ChangePart) -> None:
        """A command that puts aside, brings back, or both."""
        assert part.command is not None
        if _STASH_POP.search(part.command.command):
            if self.since is not None:
                self.verifications.update(self.since)
                self.steps |= {self.put, part.step}
                self.since = None
        elif self.since is None:
            self.since, self.put = [], part.step


def _aside(attempts: Sequence[TaskAttempt]) -> _Aside:
    aside = _Aside()
    for attempt in attempts:
        stashes = [part for part in attempt.changes if _is_stash(part)]
        for verification in attempt.verifications:
            ref = (verification.ref.attempt_id, verification.ref.index)
            while stashes and stashes[0].step < verification.ref.step:
                aside.command(stashes.pop(0))
            if stashes and stashes[0].step == verification.ref.step:
                command = stashes[0].command
                if command is not None and _STASH_PUSH.search(command.command) and _STASH_POP.search(command.command):
                    aside.verifications.add(ref)
                    aside.steps.add(stashes[0].step)
                else:
                    aside.command(stashes.pop(0))
            if aside.since is not None:
                aside.since.append(ref)
        for part in stashes:
            aside.command(part)
    return aside


def _is_stash(part: ChangePart) -> bool:
    """Whether a part only puts the work aside or brings it back."""
    if part.command is None or _CHANGES_MORE.search(part.command.command):
        return False
    return any(regex.search(part.command.command) for regex in (_STASH_PUSH, _STASH_POP))


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
    there = [tracked.error for tracked in walk.tracked.values() if tracked.gone is None]
    shown |= {test.key: test for test in there if any(_holds_subtest(test, error) for error in seen.errors)}
    for key, error in shown.items():
        tracked = walk.tracked.get(key)
        if tracked is not None:
            _still_there(walk, tracked, [other for other in there if other.key != key], seen)
        now = len(walk.parts)
        walk.tracked[key] = _Tracked(
            error, seen, tracked.first if tracked is not None else now, now, elsewhere=_elsewhere(tracked, seen)
        )
    only_that_it_failed = bool(shown) and not any(error.located or not error.generic for error in shown.values())
    for key, tracked in list(walk.tracked.items()):
        if key in shown or tracked.gone is not None:
            continue
        if only_that_it_failed and tracked.error.generic and not tracked.error.located and _covers(seen, tracked):
            # What failed is not told now, as it was not then: it may be the same, and what is shown now stands for it.
            del walk.tracked[key]
            continue
        if not seen.same_goal(tracked.shown, at_build=at_build(tracked.error)):
            _look_elsewhere(seen, tracked)
        if _speaks_for(seen, tracked):
            _not_there(walk, key, tracked, seen)
        elif tracked.absent is None and len(walk.parts) > tracked.at and _checked_again(seen, tracked):
            tracked.absent = len(walk.parts)
    if seen.passed:
        settled = [t for t in walk.tracked.values() if t.gone is not None and _covers(seen, t)]
        for tracked in settled:
            del walk.tracked[tracked.error.key]
            # "3 failed" went with the errors behind it; alone it is all that is known.
            if tracked.error.located or not tracked.error.generic or not any(t.error.located for t in settled):
                _resolve(walk, tracked, seen)


def _in_full(walk: _Walk, error: TaskError) -> TaskError:
    """The error whose test a mark (`✕ name`) names without its suite, where that is one."""
    if not error.generic or not error.key[2]:
        return error
    known = [tracked.error for tracked in walk.tracked.values() if _marks(error, tracked.error)]
    return known[0] if len(known) == 1 else error


def _marks(error: TaskError, known: TaskError) -> bool:
    own = error.generic and error.key[2] and error.tool == known.tool
    return bool(own) and known.key[2].endswith(f" › {error.key[2]}")


def _holds_subtest(test: TaskError, sub: TaskError) -> bool:
    """Whether `test` only says that a Go test failed, and `sub` is in a subtest of it: where one fails the other does."""
    return test.generic and test.tool == sub.tool and sub.key[2].startswith(f"{test.key[2]}/") and test.key[2] != ""


def _short_for(error: TaskError, known: TaskError) -> bool:
    """Whether it may be `known` in fewer words."""
    return (
        _marks(error, known)
        or _holds_subtest(error, known)
        or (error.shortened and error.key[2] != "" and error.key[2] == known.key[2])
    )


def _still_there(walk: _Walk, tracked: _Tracked, others: Sequence[TaskError], seen: TaskVerification) -> None:
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
            resolutions=tuple(resolutions(credited, change, tracked.error.pattern.subjects)),
            came_back=came_back,
            gone_at=tracked.gone,
        )
    )


def _speaks_for(seen: TaskVerification, tracked: _Tracked) -> bool:
    """Whether not showing the error means that it is gone: the goal is covered and the check got that far."""
    if not _covers(seen, tracked) or not _called_alike(seen, tracked):
        return False
    if tracked.error.tool == "cargo" and _BEFORE_COMPILING.match(tracked.error.pattern.pattern):
        return seen.complete or any(error.tool in ("rustc", "clippy") for error in seen.errors)
    builds = [error for error in seen.errors if at_build(error)]
    if at_build(tracked.error):
        built = not builds and tracked.error.tool in _COMPILED_FIRST and _ran_tests(seen)
        return built or seen.complete or _package_ran(seen, tracked) or (bool(builds) and not seen.cut)
    if any(_short_for(error, tracked.error) for error in seen.errors):
        return False
    passed = _package_passed(seen, tracked)
    if passed is not None:
        return passed
    if tracked.error.key[2] and _stopped_early(seen) and not _got_past(seen, tracked):
        return False
    return seen.complete and not (builds and _hides(builds, seen, tracked.error))


def _stopped_early(seen: TaskVerification) -> bool:
    """Whether tests that come later did not run, because one failed (`pytest -x`, `--bail`). What kept all tests from running is gone."""
    if seen.passed or not any(error.key[2] for error in seen.errors):
        return False
    told = seen.verification
    stops = _STOPS.search(told.command) or (told.goal_tool == "pytest" and _STOPS_PYTEST.search(told.command))
    if not stops:
        return False
    limit = next((group for group in stops.groups() if group), "1")
    return told.failed is None or told.failed >= int(limit[:4])


def _got_past(seen: TaskVerification, tracked: _Tracked) -> bool:
    """Whether a run that stopped early got past the test that `tracked` is about: it had stopped there before and more have passed now,
    or it stopped at a test that was shown behind it.
    """
    shown = tracked.shown
    order = [error.key for error in shown.errors]
    at = [order.index(error.key) for error in seen.errors if error.key in order]
    if at and tracked.error.key in order and order.index(tracked.error.key) < min(at):
        return True
    before, now = shown.verification.passed, seen.verification.passed
    return _stopped_early(shown) and before is not None and now is not None and now > before


def _called_alike(seen: TaskVerification, tracked: _Tracked) -> bool:
    """Whether the arguments that a tool would not take were given again: of a call without them it has nothing to say.

    Neither has a line that does not source the file that the shell did not find.
    """
    shown = tracked.shown.verification
    if missing := _not_sourced(tracked):
        return missing <= set(_SOURCES.findall(seen.verification.command))
    if not _OF_THE_CALL.search(tracked.error.pattern.pattern) or seen.verification.outside:
        return True
    options = {word for word in shown.command.split() if word.startswith("-") and not _COUNT.fullmatch(word)}
    return {*options, *shown.goal_target} <= {*seen.verification.command.split(), *seen.verification.goal_target}


def _package_ran(seen: TaskVerification, tracked: _Tracked) -> bool:
    """Whether tests of the Go package that could not be built ran, so that it was: a cut output shows that too.

    Which of the packages that were broken the error is in, its file tells, if any; else all of them must have run.
    """
    broken = tracked.shown.verification.packages_broken
    folders = [str(PurePosixPath(file).parent) for file in tracked.error.files if file.endswith(".go")]
    own = [name for name in broken if any(f"/{name}".endswith(f"/{folder}") for folder in folders)]
    return bool(broken) and set(own or broken) <= set(seen.verification.packages_ran)


def _package_passed(seen: TaskVerification, tracked: _Tracked) -> bool | None:
    """Whether the Go package that the failing test is in had its say, though the output is cut or another package does not build.

    It says `ok`, or all that fails is seen and the test is none of it. Where the package is not known, all that had a failing test must say
    `ok`. None: that does not tell.
    """
    if tracked.error.tool != "go test":
        return None
    told, package = seen.verification, tracked.error.package
    passed = set(told.packages_ran) - set(told.packages_failed) - set(told.packages_broken)
    if package is None:
        failed = set(tracked.shown.verification.packages_failed)
        return True if failed and failed <= passed else None
    if package in passed:
        return True
    stopped = {error.package for error in seen.errors if error.pattern.error_type in _GO_STOPS}
    if package in told.packages_broken or package in stopped:
        return False
    listed = told.packages_failed or told.packages_broken
    return True if listed and not seen.cut and None not in stopped and not _stopped_early(seen) else None


def _ran_tests(seen: TaskVerification) -> bool:
    told = seen.verification
    return told.passed is not None or told.failed is not None or any(error.key[2] for error in seen.errors)


def _hides(builds: Sequence[TaskError], seen: TaskVerification, error: TaskError) -> bool:
    """Whether errors of the build kept `error` from being seen: nothing else was reached, or not its package."""
    if _ran_before(seen, error, builds):
        return False
    if len(builds) == len(seen.errors):
        return True
    packages = {str(PurePosixPath(file).parent) for build in builds for file in build.files if file.endswith(".go")}
    own = {str(PurePosixPath(file).parent) for file in error.files if file.endswith(".go")}
    return bool(packages) and bool(own) and ("." in own or any(a.endswith(b) for a in own for b in packages))


def _ran_before(seen: TaskVerification, error: TaskError, builds: Sequence[TaskError]) -> bool:
    """Whether the script ran the tool that had found `error` before those that found the build broken (`eslint . && tsc`)."""

    def place(tool: str | None) -> int | None:
        return next((check.part for check in seen.verification.checks if tool in error_tools(check.tool)), None)

    own = place(error.tool)
    return own is not None and all((at := place(build.tool)) is not None and own < at for build in builds)


def _covers(seen: TaskVerification, tracked: _Tracked) -> bool:
    """Whether `seen` covers the goal that showed the error and, where it passed without a count of tests, would have shown it; a build error
    does not depend on which tests run.
    """
    told = seen.verification
    if seen.passed and told.passed is None and not would_show(told, tracked.error):
        return False
    return seen.covers(tracked.shown, tracked.error, at_build=at_build(tracked.error))


def _elsewhere(tracked: _Tracked | None, seen: TaskVerification) -> tuple[tuple[TaskVerification, int], ...]:
    """What had shown the error before `seen` did and is not covered by it as it is called."""
    if tracked is None or tracked.gone is not None:
        return ()
    shown = (*tracked.elsewhere, (tracked.shown, tracked.at))
    own = at_build(tracked.error)
    return tuple(one for one in shown if not seen.same_goal(one[0], at_build=own))[-_MAX_ELSEWHERE:]


def _look_elsewhere(seen: TaskVerification, tracked: _Tracked) -> None:
    """Two checks may show one error: where `seen` is the one that did not show it last, it is compared with its own showing.

    But where something was changed since that, and `seen` speaks for the later showing too, the later one counts.
    """
    own = at_build(tracked.error)
    covers = _covers(seen, tracked)
    before = [one for one in reversed(tracked.elsewhere) if not covers or one[1] == tracked.at]
    at = next((one for one in before if seen.same_goal(one[0], at_build=own)), None)
    if at is None and not covers:
        at = next((one for one in before if seen.covers(one[0], tracked.error, at_build=own)), None)
    if at is not None and seen.complete:
        tracked.elsewhere = (*(one for one in tracked.elsewhere if one is not at), (tracked.shown, tracked.at))
        tracked.shown = at[0]


def _checked_again(seen: TaskVerification, tracked: _Tracked) -> bool:
    """Whether a narrower verification ran what had shown the error: it does not settle it, but what changed later is not its fix."""
    if any(at_build(other) or _short_for(other, tracked.error) for other in seen.errors) or not seen.complete:
        return False
    return seen.checks_again(tracked.shown, tracked.error)


def at_build(error: TaskError) -> bool:
    """Whether it stopped the check before any test ran: not an import that fails inside one test."""
    test = error.key[2]
    return error.pattern.category in _BUILD_STAGE and (not test or _FILE.search(test) is not None)


def _not_there(walk: _Walk, key: ErrorKey, tracked: _Tracked, seen: TaskVerification) -> None:
    if len(walk.parts) == tracked.at and (rebuilt := _rebuilt(walk, tracked, seen)) is not None:
        walk.parts.append(rebuilt)
    if len(walk.parts) > tracked.at:
        tracked.gone = seen
        tracked.until = len(walk.parts) if tracked.absent is None else tracked.absent
    elif seen.passed or not tracked.error.located or _ran_into_another(seen):
        # Without a change it was not the code's (another way to call it, chance), or a fuller rerun explains it.
        del walk.tracked[key]


def _rebuilt(walk: _Walk, tracked: _Tracked, seen: TaskVerification) -> ChangePart | None:
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


def _resolve(walk: _Walk, tracked: _Tracked, passed: TaskVerification) -> None:
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
            return
    credited = credited_parts(tracked.error, change)
    walk.fixes.append(
        Fix(
            error=tracked.error,
            failed=tracked.shown,
            gone_at=gone,
            passed=passed,
            changes=credited,
            resolutions=tuple(resolutions(credited, change, tracked.error.pattern.subjects)),
        )
    )


def _not_sourced(tracked: _Tracked) -> set[str]:
    """The files that the line was to source (`source .venv/bin/activate && test`) and the shell did not find."""
    if tracked.error.tool != "shell":
        return set()
    said = (*tracked.error.pattern.subjects, *tracked.error.pattern.pattern.split())
    return set(said).intersection(_SOURCES.findall(tracked.shown.verification.command))


def _not_installed(tracked: _Tracked) -> bool:
    """Whether the shell did not find the program that the check was called by: no source file mends that, another way to call it does."""
    if _not_sourced(tracked):
        return True
    found = _NO_PROGRAM.fullmatch(tracked.error.pattern.pattern) if tracked.error.tool == "shell" else None
    called = re.split(r"[\s;&|()]+", tracked.shown.verification.command)
    return found is not None and any(name in called for name in tracked.error.pattern.subjects)


def _left_of(parts: Sequence[ChangePart], tracked: _Tracked, end: int, now: int) -> tuple[ChangePart, ...]:
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


def _mapping_events(attempts: Sequence[TaskAttempt], walk: _Walk) -> tuple[MappingEvent, ...]:
    """One event per (signature, resolution): success where it has both, failure where the error came back.

    An error that says only that something failed teaches nothing.
    """
    task = attempts[0].correlation_id
    successes: dict[tuple[str, str], MappingEvent] = {}
    failures: dict[tuple[str, str], MappingEvent] = {}
    came_back: dict[tuple[str, str], MappingEvent] = {}
    for fix in walk.fixes:
        for resolution in () if fix.error.generic else fix.resolutions:
            details = _details(fix.error, fix.changes, resolution, failed=fix.failed.ref, gone=fix.gone_at.ref)
            details = details.model_copy(update={"passed": fix.passed.ref})
            key = (fix.error.signature, resolution.resolution_id)
            successes.setdefault(key, _event(task, *key, MappingOutcome.SUCCESS, fix.passed, details, fix.gone_at))
    for tried in walk.failed_tries:
        for resolution in () if tried.error.generic else tried.resolutions:
            gone = tried.gone_at.ref if tried.gone_at is not None else None
            details = _details(tried.error, tried.changes, resolution, failed=tried.failed.ref, gone=gone)
            details = details.model_copy(update={"again": tried.failed_again.ref, "came_back": tried.came_back})
            key = (tried.error.signature, resolution.resolution_id)
            event = _event(task, *key, MappingOutcome.FAILURE, tried.failed_again, details, tried.failed_again)
            (came_back if tried.came_back else failures).setdefault(key, event)
    chosen = failures | successes | came_back
    order = {attempt.attempt_id: i for i, attempt in enumerate(attempts)}
    return tuple(
        sorted(chosen.values(), key=lambda e: (e.occurred_at, order[e.attempt_id], e.signature, e.resolution_id))
    )


def _details(
    error: TaskError,
    changes: Sequence[ChangePart],
    resolution: Resolution,
    *,
    failed: VerificationRef,
    gone: VerificationRef | None,
) -> MappingDetails:
    subjects = error.pattern.subjects
    own = [
        part
        for part in changes
        if resolution.parts > 1 or (part.kind is resolution.kind and part.template(subjects) == resolution.template)
    ]
    return MappingDetails(
        failed=failed,
        gone=gone,
        tool_call_ids=tool_call_ids(own or changes),
        example_diff=resolution.example_diff,
        said=resolution.said,
        slots=error.pattern.slots,
    )


def _event(
    task: object,
    signature: str,
    resolution_id: str,
    outcome: MappingOutcome,
    decided: TaskVerification,
    details: MappingDetails,
    changed: TaskVerification,
) -> MappingEvent:
    return MappingEvent.model_validate(
        {
            "correlation_id": task,
            "signature": signature,
            "resolution_id": resolution_id,
            "outcome": outcome,
            "occurred_at": decided.at,
            "attempt_id": decided.ref.attempt_id,
            "evidence": decided.evidence,
            "peer_id": changed.peer_id or decided.peer_id,
            "details": details,
        }
    )


def _used(walk: _Walk, events: Sequence[MappingEvent]) -> tuple[Resolution, ...]:
    """The resolutions that events name; of equal ones the example of the first fix, else of the first try."""
    named = {event.resolution_id for event in events}
    found: dict[str, Resolution] = {}
    sources: list[Fix | FailedTry] = [*walk.fixes, *walk.failed_tries]
    for source in sources:
        for resolution in source.resolutions:
            if resolution.resolution_id in named:
                found.setdefault(resolution.resolution_id, resolution)
    return tuple(found[resolution_id] for resolution_id in sorted(found))


def tool_call_ids(parts: Sequence[ChangePart]) -> tuple[str, ...]:
    """The distinct tool calls of the parts, in order."""
    return tuple(dict.fromkeys(part.tool_call_id for part in parts if part.tool_call_id))
