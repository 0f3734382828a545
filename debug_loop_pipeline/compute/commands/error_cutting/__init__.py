"""Errors out of the output of a failed command: each distinct one with its message, type, tool, test, path and line.

Belongs here: which cutters read an output, in which order, and what is kept (DOMAIN 3.7, LOG_FORMATS 1). The formats are the modules
of this package; patterns and signatures of the errors are `error_pattern_extractor`.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting import (
    blocks,
    compilers,
    generic,
    go,
    javascript,
    jvm,
    native,
    others,
    python,
    rust,
    tables,
)
from debug_loop_pipeline.compute.commands.error_cutting.common import (
    GENERIC,
    MAX_MESSAGE,
    MAX_STACK,
    CutError,
    without_ansi,
    without_task_prefixes,
)

__all__ = [
    "GENERIC",
    "MAX_ERRORS",
    "MAX_MESSAGE",
    "MAX_STACK",
    "CutError",
    "cut_errors",
    "has_real_errors",
    "without_ansi",
    "without_task_prefixes",
]

MAX_ERRORS = 20
"""Distinct errors kept of one verification; the rest is counted."""
_MAX_OUTPUT = 1_000_000
_COMPILERS = frozenset({"cc", "swift build", "rustc", "cargo build", "javac", "kotlinc", "dotnet build", "mix compile"})
_COUNTED_LINE = re.compile(r"^ {1,6}\d+ (?=[^\s|│:])", re.MULTILINE)
_COUNTED = re.compile(r"(?: {1,6}\d+ [^\s|│:].*\n?)+")
"""What `uniq -c` makes of an output: each line behind its count."""
_FAIL_ON_WARNINGS = frozenset({"shellcheck", "hadolint"})


def cut_errors(
    output: str, tool: str | None = None, exit_code: int | None = None, *, prints_means_fail: bool = False
) -> tuple[list[CutError], int]:
    """The distinct errors of a failed command's `output` (at most 20) and how many more there were.

    `tool` is the goal's tool, as a hint; never empty: where no format fits, one error of type `RunFailed` says what is known.
    """
    text = _readable(output)
    found = _specific(text, tool, prints_means_fail)
    if not found:
        marked = generic.cut_marked(text) if "█" in text else []
        found = marked or generic.cut_error_lines(text) or native.cut_crashes(text)
    elif all(error.warning and error.tool in _COMPILERS for error in found):
        # Warnings beside something that stopped it do not say why it failed.
        found = generic.cut_error_lines(text) or native.cut_crashes(text) or found
    if not found:
        found = generic.cut_trailer(text, exit_code)
    distinct: dict[tuple[str | None, str, str | None, str | None], CutError] = {}
    for error in found:
        if error.tool is None:
            error.tool = tool
        error.message = error.message[:MAX_MESSAGE]
        distinct.setdefault(error.key, error)
    kept = list(distinct.values())
    return kept[:MAX_ERRORS], max(0, len(kept) - MAX_ERRORS)


def has_real_errors(output: str, tool: str | None = None) -> bool:
    """Whether an output shows findings of a known format: a command whose exit code is hidden then failed.

    What a tool itself calls a warning is none, but for linters that fail on warnings.
    """
    return any(
        not error.warning or error.tool in _FAIL_ON_WARNINGS for error in _specific(_readable(output), tool, False)
    )


def _readable(output: str) -> str:
    text = without_ansi(output)
    if len(text) > _MAX_OUTPUT:
        text = text[: _MAX_OUTPUT // 2] + "\n" + text[-_MAX_OUTPUT // 2 :]
    return _COUNTED_LINE.sub("", text) if _COUNTED.fullmatch(text) else text


def _specific(text: str, tool: str | None, prints_means_fail: bool) -> list[CutError]:
    """The findings of every known format; warnings only where nothing else was found."""
    found = _of_formats(text, tool, prints_means_fail)
    return [error for error in found if not error.warning] or found


def _of_formats(text: str, tool: str | None, prints_means_fail: bool) -> list[CutError]:
    """Test results first; what the compiler says beside them; then uncaught errors; then the shell."""
    if prints_means_fail:
        formats = compilers.cut_formats(text, tool, True)
        if formats:
            return formats
    tests = _tests(text)
    if tool == "docker build":
        text = blocks.without_step_prefix(text)
    builds = [*compilers.cut(text, tool), *compilers.cut_builds(text), *blocks.cut(text), *compilers.cut_formats(text)]
    if "error" in text or "panicked" in text or "warning" in text or "test result: FAILED" in text:
        rusty = rust.cut(text) if "-->" in text or "panicked" in text or "cargo" in (tool or "") else []
        if any(error.tool == "ld" for error in builds):
            rusty = [error for error in rusty if not error.message.startswith("linking failed")]
        builds = [*rusty, *builds]
    if "ystem check identified" in text or "Migrations for '" in text:
        builds += python.cut_django(text, tool)
    if "]{" in text:
        builds += tables.cut(text)
    if "--> " in text:
        builds += compilers.cut_arrows(text)
    if "\nIn " in text or text.startswith("In "):
        builds += compilers.cut_shellcheck(text)
    if tests:
        places = {(e.path, e.line) for e in tests if e.line is not None}
        builds = [e for e in builds if (e.path, e.line) not in places and not _echoed(e, tests)]
        if any(e.tool == "tsc" for e in builds):
            # ts-jest: what the compiler says is the error, not that the suite did not run for it.
            tests = [e for e in tests if not _NOT_COMPILED.match(e.message)]
        return [*builds, *tests]
    uncaught = [e for e in _uncaught(text) if not any(e.message in build.message for build in builds)]
    infrastructure = blocks.cut_infrastructure(text)
    thresholds = javascript.cut_coverage(text) if "overage" in text else []
    found = [*builds, *uncaught, *infrastructure, *thresholds]
    return found or generic.cut_shell(text) or jvm.cut_gradle_reason(text)


_NOT_COMPILED = re.compile(r"\S+\.[cm]?tsx?:\d+:\d+ - error TS\d+: |● Test suite failed to run")


def _echoed(error: CutError, tests: list[CutError]) -> bool:
    """A compiler-like line that is only a place inside a failing test's report."""
    return error.type is None and any(
        t.stacktrace and error.message and error.message[:80] in t.stacktrace for t in tests
    )


def _tests(text: str) -> list[CutError]:
    found: list[CutError] = []
    if (
        "--- FAIL" in text
        or "=== FAIL: " in text
        or "panic: " in text
        or "WARNING: DATA RACE\n" in text
        or '"Action":"fail"' in text
        or "fatal error: " in text
    ):
        found += go.cut(text)
    if any(word in text for word in ("FAILED ", "ERROR ", "\nE  ", "ERROR: ", " tests finished: ")):
        found += python.cut_pytest(text)
    if not found and ("FAIL: " in text or "ERROR: " in text or "\nFAILED (" in text):
        found += python.cut_unittest(text)
    if "●" in text:
        found += javascript.cut_jest(text)
    elif "✕ " in text:
        found += javascript.cut_jest_marks(text)
    if "FAIL  " in text or "× FAIL" in text or " FAIL " in text:
        found += javascript.cut_vitest(text)
    if "× " in text and "━━" not in text:
        found += javascript.cut_vitest_marks(text, found)
    if "(fail) " in text or "# Unhandled error between tests" in text:
        found += javascript.cut_bun(text)
    if "✘ [fail]: " in text:
        found += javascript.cut_ava(text)
    if " failing" in text:
        found += javascript.cut_mocha(text)
    if " › " in text and "●" not in text:
        found += javascript.cut_playwright(text)
    if "not ok " in text or "\ntest at " in text or " => " in text:
        found += javascript.cut_node(text)
    found += others.cut(text)
    if not found:
        found += jvm.cut(text)
    told = {error.test for error in found if error.tool == "bats"}
    return [error for error in found if error.tool != "tap" or error.test not in told]


def _uncaught(text: str) -> list[CutError]:
    found: list[CutError] = []
    if "Traceback (most recent" in text or "SyntaxError" in text or "IndentationError" in text or "python" in text:
        found += python.cut_tracebacks(text)
    if "\n    at " in text or "annot find" in text or "resolve" in text or "syscall: '" in text:
        found += javascript.cut_uncaught(text)
    return found
