"""Clues in an output that carries no summary: is all of it there, does it end in an error, does it name what failed.

Belongs here: small questions about a text and about how it was cut. What is concluded from the answers is `verdicts`.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.output_view import View
from debug_loop_pipeline.compute.commands.runner_words import runner_gave_up

NO_OUTPUT = re.compile(
    r"[(<\[](?:\w+ )*(?:no|without) (?:output|content)[)>\]]|[(<\[]\w+ completed with no output[)>\]]", re.IGNORECASE
)
"""What an agent's tool says in the place of an empty output."""

BUILD_BROKE = re.compile(
    r"\[(?:build|setup) failed\]|error: could not compile|Interrupted: \d+ errors? during collection|errors? during collection"
    r"|\(typecheck\)|Test suite failed to run|COMPILATION ERROR|Compilation failed|Execution failed for task '[^']*compile|Build FAILED\."
)
CD_FAILED = re.compile(r"(?:cd|pushd): .*(?:No such file|no such file|can't cd|not a directory|Not a directory)")
CRASH = re.compile(
    r"Traceback \(most recent call last\)|^panic: |^fatal error: |Segmentation fault|core dumped|^thread '.*' panicked|Unhandled"
    r"|^\s+at \S+ \(",
    re.MULTILINE,
)
_REJECTS = re.compile(
    r"unknown|invalid|unrecognized|unrecognised|unexpected|no such|not (?:a|found|supported|allowed|valid)|missing|required"
    r"|did you mean|unsupported|usage",
    re.IGNORECASE,
)
_ERROR_WORDS = re.compile(r"error|fail|✗|✘|❌|×|panic|exception", re.IGNORECASE)
_OPTION = re.compile(r"(?<!\S)--?[A-Za-z][\w=:,.-]*")
"""`-Werror`, `--fail-fast`: words of failure in the options of an echoed command say nothing."""
_NO_ERRORS = re.compile(r"\b(?:0|no) (?:errors?|failures?|failed|warnings?|problems?|issues?|fail)\b", re.IGNORECASE)
_REPORTS_ERROR = re.compile(
    r"\berror\b\s*(?:TS\d+|\[|:)|^\s*(?:error|fail(?:ed|ure)?)\b|\bERR!|\bFAILED\b|\b[1-9]\d* (?:errors?|failed|failures?)\b",
    re.IGNORECASE,
)
_ERROR_LINE = re.compile(r"\s*(?:error|fatal|Error|FATAL|ERROR|\w+Error)(?:\[\w+\])?: \S|Node\.js v\d+\.\d+\.\d+\Z")
"""Node writes its version last when an exception that nothing caught has ended it."""
_FAILING_LINES = (
    "error TS2345: Argument",
    "src/a.ts:1:2: error: something",
    "src/a.ts(1,2): error TS2345: no",
    "Error: something went wrong",
    "error: cannot find value",
    "error[E0308]: mismatched types",
    "/src/A.cs(1,2): error CS0246: The type",
    "e: file:///src/A.kt:1:2 Unresolved reference: x",
    "FAIL src/a.test.ts",
    "FAILED tests/test_a.py::test_x",
    "--- FAIL: TestA (0.00s)",
)
_FINDINGS = {"phpstan": ("[argument.type] 2 occurrences:",)}
"""Lines that head what a tool found, in a form of its own: a pattern that lets them through leaves all of them."""
_PASSING_LINES = ("ok  \tpkg/a\t0.1s", "5 passed in 0.10s", "PASS", "Tests: 5 passed, 5 total", "test result: ok.")


def line_count(section: str) -> int:
    """Lines of an output, a last empty one not counted."""
    return len(section.rstrip("\n").split("\n")) if section else 0


_BEGINS_ANEW = re.compile(r"\s*(?:> (?:[\w@/.-]+@\S* )?[\w:.-]+(?: /\S.*)?\n{1,2}> \S|\$ \S|yarn run v\d)")
"""A runner's first words: where a `tail` still shows them, it took nothing off."""


def is_complete(view: View, section: str) -> bool:
    """Whether all of the command's output is there: nothing cut it, or what cut it had nothing to cut."""
    if view.kept or view.opaque:
        return False
    limits = [limit for limit in (view.head, view.tail) if limit is not None]
    if limits and view.head is None and _BEGINS_ANEW.match(section):
        return True
    return not limits or line_count(section) < min(limits)


def begins_anew(section: str) -> bool:
    """Whether it begins with a runner's first words, so that nothing is cut off before."""
    return _BEGINS_ANEW.match(section) is not None


def may_hide_errors(view: View, section: str, tool: str = "") -> bool:
    """Whether errors may be missing from what is seen; `grep error` leaves the errors, and so does what leaves the heads of `tool`'s."""
    heads = (*_FAILING_LINES, *_FINDINGS.get(tool.split(" ")[0], ()))
    if view.kept and not view.opaque and not view.dropped and all(matches(pattern, heads) for pattern in view.kept):
        view = View(view.head, view.tail)
    return not is_complete(view, section) and not (_only_end_cut(view) and runner_gave_up(section))


_FAILING_ENDS = (
    "FAIL",
    "FAIL\tm/a\t0.1s",
    "FAIL\tm/a [build failed]",
    "Tests:       1 failed, 3 passed",
    "1 failed, 3 passed in 0.1s",
)


def _only_end_cut(view: View) -> bool:
    return view.head is not None and view.tail is None and not view.kept and not view.opaque and not view.dropped


def shows_errors(section: str) -> bool:
    """Whether any line has a word of failure, counts of nothing aside."""
    return _ERROR_WORDS.search(_OPTION.sub("", _NO_ERRORS.sub("", section))) is not None


def reports_errors(section: str) -> bool:
    """Whether any line reports an error (not only speaks of errors)."""
    return any(_REPORTS_ERROR.search(line) for line in section.split("\n") if not _NO_ERRORS.search(line))


def ends_in_error(section: str) -> bool:
    """Whether the last line is an error: a runner that got to its end would have printed a summary."""
    return _ERROR_LINE.match(section.rstrip().rsplit("\n", 1)[-1]) is not None


_DOTS = re.compile(r"([.sxXFERpP]+) +\[ *(\d+)%\]")
_TELLS_NO_FAILURES = frozenset({"-rN", "--no-summary"})


def ends_in_dots(words: list[str], section: str) -> bool:
    """Whether an output of `pytest -qq` ends with the last dots and none of those seen is a failure, which it would have told below them."""
    lines = section.rstrip().split("\n")
    last = _DOTS.fullmatch(lines[-1].strip())
    if last is None or last[2] != "100" or _TELLS_NO_FAILURES.intersection(words):
        return False
    seen = (_DOTS.fullmatch(line.strip()) for line in lines)
    return not any(match is not None and {"F", "E"}.intersection(match[1]) for match in seen)


_PROGRESS = re.compile(r"([.sxXFERpP]+)(?: +\[ *\d+%\])?")


def passed_dots(section: str) -> int | None:
    """How many tests passed by the dots with which pytest's output begins: stopped at a failure it prints no count at `-q`."""
    dots = 0
    seen = False
    for line in section.lstrip("\n").split("\n"):
        progress = _PROGRESS.fullmatch(line.rstrip())
        if progress is None:
            break
        seen = True
        dots += progress[1].count(".")
    return dots if seen else None


def matches(pattern: str, lines: tuple[str, ...]) -> bool:
    """Whether a `grep` pattern, of either syntax, finds any of the lines."""
    for text in (pattern, pattern.replace("\\|", "|").replace("\\(", "(").replace("\\)", ")")):
        try:
            compiled = re.compile(text, re.IGNORECASE)
        except re.error:
            continue
        if any(compiled.search(line) for line in lines):
            return True
    return False


_MAVEN_LINES = ("[ERROR] /src/A.java:[1,2] cannot find symbol",)


def looks_for_errors(pattern: str, tool: str = "") -> bool:
    """Whether a `grep` pattern lets the usual error lines through: it looks for failures, not for one file or feature."""
    own = _MAVEN_LINES if tool.startswith("mvn ") else ()
    return matches(pattern, (*_FAILING_LINES, *own))


_NAMES_FILES = re.compile(
    r"\w/\w|\w/\(|\w\\?\.(?:[cm]?[jt]sx?|vue|svelte|pyi?|go|rs|rb|php|java|kt|swift|c|cc|cpp|h)\b"
)


def looks_for_files(pattern: str) -> bool:
    """Whether a `grep` pattern looks for files: of a tool that prints nothing but findings, it leaves the findings in these."""
    return _NAMES_FILES.search(pattern) is not None


def looks_for_results(pattern: str) -> bool:
    """Whether a `grep` pattern lets the usual lines of success through: what it leaves empty then ran nothing."""
    return matches(pattern, _PASSING_LINES)


def only_well_dropped(view: View) -> bool:
    """Whether `grep -v` took off lines of success and none of failure: where nothing is left, nothing had failed."""
    if view.kept or view.opaque or not any(looks_for_results(pattern) for pattern in view.dropped):
        return False
    return not any(matches(pattern, (*_FAILING_LINES, *_FAILING_ENDS)) for pattern in view.dropped)


def rejects_argument(args: tuple[str, ...], section: str) -> bool:
    """Whether a program names one of its own arguments as wrong."""
    words = [a.strip("-") for a in args if len(a.strip("-")) > 1]
    for line in section.split("\n"):
        if any(re.search(rf"(?<![\w-]){re.escape(w)}(?![\w-])", line) for w in words) and _REJECTS.search(line):
            return True
    return False
