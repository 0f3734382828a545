"""What it says that a verification does not show an error (DOMAIN 3.8 "gone"): nothing, or that it is not there any more.

Here: one error, the verification that showed it, one that does not. Not here: the walk that asks (`credit`), which goal covers which
(`commands.goals`), what a `grep` took off (`filtered_output`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from debug_loop_pipeline.compute.commands.summary_families import error_tools
from debug_loop_pipeline.compute.fixes.filtered_output import would_show
from debug_loop_pipeline.compute.fixes.task_attempts import TaskError, TaskVerification
from debug_loop_pipeline.models.errors import ErrorCategory

_BUILD_STAGE = frozenset({ErrorCategory.BUILD_ERROR, ErrorCategory.SYNTAX_ERROR, ErrorCategory.IMPORT_ERROR})
"""Errors that stop a check before its own result: one of them hides what comes later, but not another of them."""
_STOPS = re.compile(
    r"(?<!\S)(?:--(?:exitfirst|stepwise|sw|bail|failfast|fail-fast|stop-on-(?:failure|error|defect))(?!\S)|-failfast(?!\S)"
    r"|--(?:maxfail|max-failures|bail)[= ](\d+))"
)
_STOPS_PYTEST = re.compile(r"(?<!\S)-(?![rkmnpcoW])[a-zA-Z]*x[a-zA-Z]*(?!\S)()")
"""Options with which a runner stops at a failing test, or after so many."""
_IN_NO_ORDER = re.compile(
    r"(?<!\S)(?:-n[= ]?(?:\d|auto|logical)|--numprocesses\b|--dist[= ]|-p[= ]randomly\b|--random-order)"
)
"""Options with which pytest does not run its tests in the order in which it collects them."""
_SOURCES = re.compile(r"(?:^|[\s;&|(])(?:source|\.)[ \t]+['\"]?(?P<file>[^\s;&|'\")]+)")
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
    r"|unexpected argument|unknown (?:argument|command line)|file or directory not found",
    re.IGNORECASE,
)
"""What a tool says about the arguments that it was called with."""
_NAMES_TESTS = frozenset({"pytest", "unittest"})
"""Runners whose errors are those of tests, named or not."""
_GO_STOPS = frozenset({"panic", "fatal error", "timeout"})
"""What ends the tests of a Go package before the last."""
_COUNT = re.compile(r"-\d+")


@dataclass(slots=True)
class Tracked:
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


def speaks_for(seen: TaskVerification, tracked: Tracked) -> bool:
    """Whether not showing the error means that it is gone: the goal is covered and the check got that far."""
    if not covers_shown(seen, tracked) or not _called_alike(seen, tracked):
        return False
    if tracked.error.tool == "cargo" and _BEFORE_COMPILING.match(tracked.error.pattern.pattern):
        return seen.complete or any(error.tool in ("rustc", "clippy") for error in seen.errors)
    builds = [error for error in seen.errors if at_build(error)]
    if at_build(tracked.error):
        built = not builds and tracked.error.tool in _COMPILED_FIRST and _ran_tests(seen)
        return built or seen.complete or _package_ran(seen, tracked) or (bool(builds) and not seen.cut)
    if any(short_for(error, tracked.error) or _stops_the_test(error, tracked.error) for error in seen.errors):
        return False
    passed = _package_passed(seen, tracked)
    if passed is not None:
        return passed
    if tracked.error.key[2] and _stopped_early(seen) and not _got_past(seen, tracked):
        return False
    if builds and _ran_before(seen, tracked.error, builds):
        return not seen.cut
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


def _got_past(seen: TaskVerification, tracked: Tracked) -> bool:
    """Whether a run that stopped early got past the test that `tracked` is about: it had stopped there before and more have passed now,
    or it stopped at a test that was shown behind it, or at this one with another error.
    """
    shown = tracked.shown
    order = [error.key[2] for error in shown.errors]
    stopped = [order.index(error.key[2]) for error in seen.errors if error.key[2] in order]
    own = tracked.error.key[2]
    ordered = not (shown.verification.goal_tool == "pytest" and _IN_NO_ORDER.search(shown.verification.command))
    if (
        ordered
        and stopped
        and own in order
        and (order.index(own) < min(stopped) or own in (error.key[2] for error in seen.errors))
    ):
        return True
    before, now = shown.verification.passed, seen.verification.passed
    return _stopped_early(shown) and before is not None and now is not None and now > before


def _called_alike(seen: TaskVerification, tracked: Tracked) -> bool:
    """Whether the arguments that a tool would not take were given again: of a call without them it has nothing to say.

    Neither has a line that does not source the file that the shell did not find.
    """
    shown = tracked.shown.verification
    if missing := not_sourced(tracked):
        return missing <= set(_SOURCES.findall(seen.verification.command))
    if tracked.error.pattern.error_type == "CoverageThreshold" and not seen.verification.outside:
        told = seen.verification
        return told.goal_tool == shown.goal_tool and ("coverage" in told.command) == ("coverage" in shown.command)
    if not _OF_THE_CALL.search(tracked.error.pattern.pattern) or seen.verification.outside:
        return True
    options = {word for word in shown.command.split() if word.startswith("-") and not _COUNT.fullmatch(word)}
    return {*options, *shown.goal_target} <= {*seen.verification.command.split(), *seen.verification.goal_target}


def _package_ran(seen: TaskVerification, tracked: Tracked) -> bool:
    """Whether tests of the Go package that could not be built ran, so that it was: a cut output shows that too.

    Which of the packages that were broken the error is in, its file tells, if any; else all of them must have run.
    """
    broken = tracked.shown.verification.packages_broken
    folders = [str(PurePosixPath(file).parent) for file in tracked.error.files if file.endswith(".go")]
    own = [name for name in broken if any(f"/{name}".endswith(f"/{folder}") for folder in folders)]
    return bool(broken) and set(own or broken) <= set(seen.verification.packages_ran)


def _package_passed(seen: TaskVerification, tracked: Tracked) -> bool | None:
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
    if len(builds) == len(seen.errors):
        return True
    packages = {str(PurePosixPath(file).parent) for build in builds for file in build.files if file.endswith(".go")}
    own = {str(PurePosixPath(file).parent) for file in error.files if file.endswith(".go")}
    return bool(packages) and bool(own) and ("." in own or any(a.endswith(b) for a in own for b in packages))


def _ran_before(seen: TaskVerification, error: TaskError, builds: Sequence[TaskError]) -> bool:
    """Whether the script ran the tool that had found `error` before those that found the build broken (`eslint . && tsc`)."""

    def place(tool: str | None) -> int | None:
        checks = seen.verification.checks
        return next((check.part for check in checks if tool in (check.tool, *error_tools(check.tool))), None)

    own = place(error.tool)
    return own is not None and all((at := place(build.tool)) is not None and own < at for build in builds)


def covers_shown(seen: TaskVerification, tracked: Tracked) -> bool:
    """Whether `seen` covers the goal that showed the error and, where it passed without a count of tests, would have shown it; a build error
    does not depend on which tests run.
    """
    told = seen.verification
    if seen.passed and told.passed is None and not would_show(told, tracked.error):
        return False
    return seen.covers(tracked.shown, tracked.error, at_build=at_build(tracked.error)) or _ran_no_fewer(seen, tracked)


def _ran_no_fewer(seen: TaskVerification, tracked: Tracked) -> bool:
    """Whether a folder, or several files, were named that the failing test is in, and no fewer tests ran there than before without it: it
    holds them all.
    """
    told, shown = seen.verification, tracked.shown.verification
    if not (told.goal_tool == shown.goal_tool and told.goal_target and not told.goal_filters):
        return False
    if None in (told.passed, shown.passed, shown.failed) or at_build(tracked.error) or _stopped_early(tracked.shown):
        return False
    if not seen.passed and (told.failed is None or _stopped_early(seen)):
        return False
    single = any("::" in target for target in told.goal_target)
    single = single or (len(told.goal_target) == 1 and _FILE.search(told.goal_target[0]) is not None)
    before, now = (shown.passed or 0) + (shown.failed or 0), (told.passed or 0) + (told.failed or 0)
    return not single and now >= before and seen.checks_again(tracked.shown, tracked.error)


def not_sourced(tracked: Tracked) -> set[str]:
    """The files that the line was to source (`source .venv/bin/activate && test`) and the shell did not find."""
    if tracked.error.tool != "shell":
        return set()
    said = (*tracked.error.pattern.subjects, *tracked.error.pattern.pattern.split())
    return set(said).intersection(_SOURCES.findall(tracked.shown.verification.command))


def checked_again(seen: TaskVerification, tracked: Tracked) -> bool:
    """Whether a narrower verification ran what had shown the error: it does not settle it, but what changed later is not its fix."""
    if any(at_build(other) or short_for(other, tracked.error) for other in seen.errors) or not seen.complete:
        return False
    return seen.checks_again(tracked.shown, tracked.error)


def at_build(error: TaskError) -> bool:
    """Whether it stopped the check before any test ran: not an import that fails inside one test."""
    test = error.key[2]
    return error.pattern.category in _BUILD_STAGE and (not test or _FILE.search(test) is not None)


def marks(error: TaskError, known: TaskError) -> bool:
    """Whether `error` only says that the test failed of which `known` tells why: its mark (`✕ name`, without its suite), its bare name."""
    test = error.key[2]
    if not (error.generic and test and error.tool == known.tool):
        return False
    return known.key[2].endswith((f" › {test}", f" > {test}")) or (known.key[2] == test and not known.generic)


def says_less(error: TaskError, known: TaskError) -> bool:
    """Whether `error` is `known` in fewer words, or only the name of its test."""
    if error.shortened and error.key[2]:
        return not known.shortened and error.tool == known.tool and _may_be(error, known)
    return marks(error, known)


def lacks_its_test(error: TaskError, known: TaskError) -> bool:
    """Whether `error` is `known`, or another that says the same, without the name of its test."""
    return bool(known.key[2]) and error.tool == known.tool and error.message == known.message


def _may_be(error: TaskError, known: TaskError) -> bool:
    """Whether two messages of one test, the first of them shortened, begin alike."""
    begins, other = error.message.removesuffix("..."), known.message
    alike = other.startswith(begins) or (known.shortened and begins.startswith(other.removesuffix("...")))
    return alike and error.key[2] == known.key[2]


def holds_subtest(test: TaskError, sub: TaskError) -> bool:
    """Whether `test` only says that a Go test failed, and `sub` is in a subtest of it: where one fails the other does."""
    return test.generic and test.tool == sub.tool and sub.key[2].startswith(f"{test.key[2]}/") and test.key[2] != ""


def _stops_the_test(error: TaskError, known: TaskError) -> bool:
    """Whether the test that said no is stopped by something else now, or may be (a `tail` took its name off): it fails still, and what it
    asserts was not asked, perhaps.
    """
    nameless = not error.key[2] and error.tool == known.tool and error.tool in _NAMES_TESTS
    return known.key[0] == "assertion" and (error.key[2] == known.key[2] or nameless)


def short_for(error: TaskError, known: TaskError) -> bool:
    """Whether it may be `known` in fewer words."""
    return (
        marks(error, known)
        or holds_subtest(error, known)
        or (error.shortened and error.key[2] != "" and _may_be(error, known))
    )
