"""Whether a check whose output went through `grep` would have shown an error: what was filtered out is not gone.

Belongs here: one error against the filters of one command line. What is left of an output as a whole is `compute.commands.output_view`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath

from debug_loop_pipeline.compute.commands.output_clues import matches
from debug_loop_pipeline.compute.commands.shell_status import commands_of
from debug_loop_pipeline.compute.fixes.task_attempts import TaskError
from debug_loop_pipeline.models.errors import ErrorPattern
from debug_loop_pipeline.models.execution import Verification

_FILTERED = re.compile(r"\|&?\s*(?:[efu]?grep|rg|ag)\s")
_MAX_COMMAND = 4_000

_MARKS = "warning: FAIL FAILED failed ✕ ✗ × ● ✖ E   panic: panicked Traceback Exception Error: ERROR error: error TS1: error "
"""Words by which findings and failures are looked for, whichever they are."""

_HEAD = re.compile(r"\|&?\s*head\b")
_CODED = re.compile(r"\[(?P<code>E\d+)\] (?P<text>.*)", re.DOTALL)
_RUST = ("error{code}: {text}", "  --> {file}:1:2")
_FORMS = {
    "rustc": _RUST,
    "clippy": _RUST,
    "kotlinc": ("e: file://{file}:1:2 {text}", "e: {file}:1:2 {text}"),
    "javac": ("[ERROR] {file}:[1,2] {text}", "{file}:1: error: {text}"),
}
"""How compilers print an error whose line does not begin with its place."""
_TEST_FORMS = {
    "cargo test": ("test {test} ... FAILED", "thread '{test}' panicked at"),
    "junit": ("[ERROR]   {test}:1 ", "{test} FAILED"),
    "dotnet test": ("  Failed {test} [1 ms]",),
    "swift test": ("Test Case '-[{test}]' failed", "Test {test} failed", "✘ Test {test} recorded an issue"),
    "mix test": ("  1) {test}",),
}
_LAST_WORDS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("gradle ",), ("BUILD FAILED in 3s", "FAILURE: Build failed with an exception.")),
    (("mvn ",), ("[INFO] BUILD FAILURE",)),
    (("xcodebuild build",), ("** BUILD FAILED **",)),
    (("xcodebuild test",), ("** TEST FAILED **",)),
    (("dotnet build",), ("Build FAILED.",)),
    (("cargo build", "cargo check", "cargo clippy"), ("error: could not compile `app` (lib) due to 1 previous error",)),
    (("make",), ("make: *** [Makefile:1: all] Error 1",)),
)
"""Tools -> lines with which each of their failures ends."""

Lines = tuple[tuple[str, str], ...]
"""Where and what, of each line."""
Filters = tuple[tuple[str, ...], tuple[str, ...]]
"""Patterns of which each line that is seen has all, and those of which it has none."""


def would_show(told: Verification, error: TaskError) -> bool:
    """Whether the filters behind a check in its command line let through what the check says of the error.

    True where nothing is filtered, and where the error names neither a file nor a test by which that could be told.
    """
    if not _FILTERED.search(told.command) or not (error.files or error.key[2]):
        return True
    lines = (*_lines_of(error, told.goal_tool), *_last_words(told))
    filters = _filters(told.command[:_MAX_COMMAND], told.goal_tool, told.goal_target)
    return all(_lets_through(one, lines) for one in filters)


def _lets_through(filters: Filters, lines: Lines) -> bool:
    kept, dropped = filters
    left = [line for line in lines if not any(matches(pattern, ("".join(line),)) for pattern in dropped)]
    shown = tuple(text for place, what in left for text in (f"{place}{what}", f"{place}{_MARKS}{what}"))
    return bool(left) and all(matches(pattern, shown) for pattern in kept)


@lru_cache(maxsize=256)
def _filters(command: str, tool: str, target: tuple[str, ...]) -> tuple[Filters, ...]:
    """The filters behind the commands of a line that are the tool, on that target if one is; else behind all of them."""
    seen = [(set(ran.words), (tuple(ran.view.kept), tuple(ran.view.dropped))) for ran in commands_of(command)]
    named = tool.split(" ")
    own = [(words, filters) for words, filters in seen if {named[0], named[-1]} <= words]
    aimed = [(words, filters) for words, filters in own if words.issuperset(target)]
    return tuple(filters for _, filters in aimed or own or seen)


def _lines_of(error: TaskError, tool: str) -> Lines:
    """Lines as tools print them for such an error: compilers, linters and test runners."""
    message, test = _message(error.pattern), error.key[2]
    named = [(place, message) for file in error.files for place in (f"{file}(1,2): ", f"{file}:1:2: ")]
    if test:
        named += [("", test), ("", f"--- FAIL: {test}"), *((f"{file} ", test) for file in error.files)]
    forms = _FORMS.get(error.tool or "", ())
    said = message.removeprefix(f"{error.pattern.error_type}: ")
    coded = _CODED.match(said)
    code, text = (f"[{coded['code']}]", coded["text"]) if coded is not None else ("", said)
    named += [("", form.format(file=file, code=code, text=text)) for form in forms for file in error.files]
    if test:
        named += [
            ("", form.format(test=test, name=test.rsplit(".", 1)[-1])) for form in _TEST_FORMS.get(error.tool or "", ())
        ]
    if tool == "go test":
        named += [("", f"FAIL\t{PurePosixPath(file).parent} [build failed]") for file in error.files]
    return tuple(named)


def _last_words(told: Verification) -> Lines:
    """What the runner says at its end whenever it fails, whatever the reason; `head` may cut it off."""
    if _HEAD.search(told.command):
        return ()
    words = next((words for tools, words in _LAST_WORDS if told.goal_tool.startswith(tools)), ())
    return tuple(("", line) for line in words)


def _message(pattern: ErrorPattern) -> str:
    """The message again, out of the pattern and what its placeholders replaced."""
    text = pattern.pattern
    for slot in pattern.slots:
        text = text.replace(f"<{slot.kind.value}>", slot.value, 1)
    return text
