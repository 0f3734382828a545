"""Failing tests and crashes of Swift, C and C++: XCTest, GoogleTest, Catch2, CTest, sanitizers, signals."""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, number, one_line

_XCTEST = re.compile(
    r"^(?P<path>\S+\.swift):(?P<line>\d+): error: (?:-\[)?(?P<test>[\w.]+(?: \w+\]|\.\w+)) : (?P<message>.+)$",
    re.MULTILINE,
)

_SWIFT_TESTING = re.compile(
    r"^[✘􀢄] Test (?P<test>.+?) recorded an issue at (?P<path>[^\s:]+):(?P<line>\d+):\d+: (?P<message>.+)$", re.MULTILINE
)

_GTEST = re.compile(
    r"^(?:(?P<path>\S+):(?P<line>\d+)|unknown file): Failure\n(?P<message>(?:.+\n?)+?)(?=\n|\Z|^\[)", re.MULTILINE
)

_GTEST_RUN = re.compile(r"^\[ RUN      \] (?P<test>\S+)$", re.MULTILINE)

_CATCH = re.compile(
    r"^(?P<path>\S+):(?P<line>\d+): (?:FAILED|ERROR):?\s*\n?(?P<message>(?:.+\n?)+?)(?=\n|\Z)", re.MULTILINE
)

_CTEST = re.compile(
    r"^\s+\d+ - (?P<test>\S+) \((?P<word>Failed|SEGFAULT|Timeout|Not Run|Subprocess aborted|Exception.*)\)$",
    re.MULTILINE,
)

_SANITIZER = re.compile(
    r"(?:ERROR|WARNING): (?P<type>(?:Address|Thread|Memory|Leak|UndefinedBehavior)Sanitizer): (?P<message>[^\n]+?)(?: on (?:unknown )?address 0x\w+.*| \(pid=\d+\))?$",
    re.MULTILINE,
)

_ASSERT = re.compile(r"^\S+: (?P<path>\S+?):(?P<line>\d+): .*: Assertion [`'](?P<message>.+)' failed\.$", re.MULTILINE)

_CRASH = re.compile(
    r"^(?:.*?: )?(?P<message>Segmentation fault|Bus error|Aborted|Illegal instruction|Floating point exception|terminate called after throwing an instance of .+|Killed)(?: \(core dumped\))?.*$",
    re.MULTILINE,
)


def _swift(output: str) -> list[CutError]:
    matches = [*_XCTEST.finditer(output), *_SWIFT_TESTING.finditer(output)]
    return [
        CutError(
            one_line(m["message"]),
            tool="swift test",
            test=m["test"].rstrip("]"),
            path=m["path"],
            line=number(m["line"]),
        )
        for m in matches
    ]


def _gtest(output: str) -> list[CutError]:
    runs = [(m.start(), m["test"]) for m in _GTEST_RUN.finditer(output)]
    found: list[CutError] = []
    for match in _GTEST.finditer(output):
        test = next((name for at, name in reversed(runs) if at < match.start()), None)
        found.append(
            CutError(
                one_line(match["message"]), tool="gtest", test=test, path=match["path"], line=number(match["line"])
            )
        )
    return found


def _catch(output: str) -> list[CutError]:
    return [
        CutError(one_line(m["message"]), tool="catch2", path=m["path"], line=number(m["line"]))
        for m in _CATCH.finditer(output)
    ]


def _ctest(output: str) -> list[CutError]:
    return [CutError(f"test failed: {m['word']}", tool="ctest", test=m["test"]) for m in _CTEST.finditer(output)]


def _native(output: str) -> list[CutError]:
    found = [
        CutError(one_line(f"{m['type']}: {m['message']}"), type=m["type"], tool="sanitizer")
        for m in _SANITIZER.finditer(output)
    ]
    return found + [
        CutError(
            one_line(f"Assertion failed: {m['message']}"),
            type="Assertion",
            tool="assert",
            path=m["path"],
            line=number(m["line"]),
        )
        for m in _ASSERT.finditer(output)
    ]


def cut_crashes(output: str) -> list[CutError]:
    """Programs ended by a signal: only where nothing better is known."""
    return [CutError(one_line(m["message"]), type="signal", tool="shell") for m in _CRASH.finditer(output)]


CUTTERS = (
    (".swift:", _swift),
    (": Failure\n", _gtest),
    (": FAILED:", _catch),
    (" - ", _ctest),
    ("Sanitizer", _native),
    ("Assertion ", _native),
)
