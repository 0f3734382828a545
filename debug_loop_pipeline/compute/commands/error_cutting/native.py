"""Failing tests and crashes of Swift, C and C++: XCTest, GoogleTest, CTest, sanitizers, Valgrind, signals; what Xcode says without a place."""

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

_CTEST = re.compile(
    r"^\s+\d+ - (?P<test>\S+) \((?P<word>Failed|SEGFAULT|Timeout|Not Run|Subprocess aborted|Exception.*)\)$",
    re.MULTILINE,
)

_SANITIZER = re.compile(
    r"(?:ERROR|WARNING): (?P<type>(?:Address|Thread|Memory|Leak|UndefinedBehavior)Sanitizer): (?P<message>[^\n]+?)(?: on (?:unknown )?address 0x\w+.*| \(pid=\d+\))?$",
    re.MULTILINE,
)

_SANITIZED_AT = re.compile(
    r"^SUMMARY: (?P<type>\w+Sanitizer): .*?(?P<path>[^\s:()]+\.\w+):(?P<line>\d+)(?::\d+)?(?: in .*)?$", re.MULTILINE
)

_VALGRIND = re.compile(
    r"^==\d+== (?P<message>Invalid (?:read|write|free).*|Conditional jump or move depends on.*|Use of uninitialised.*|Syscall param .*|[\d,]+ bytes in [\d,]+ blocks are definitely lost).*\n"
    r"(?P<frames>(?:==\d+== +(?:at|by) .*\n?)*)",
    re.MULTILINE,
)

_VALGRIND_FRAME = re.compile(r"\((?P<path>[^\s():]+\.(?:c|cc|cpp|cxx|h|hpp|rs|zig)):(?P<line>\d+)\)")

_OF_A_TOOL = re.compile(
    r"^(?P<tool>xcodebuild|xcrun|swiftc?|swift-\w+|clang(?:\+\+)?|actool|ibtool|codesign): (?:fatal )?error: (?P<message>(?!linker command failed).+)$",
    re.MULTILINE,
)

_TESTING_FAILED = re.compile(r"^Testing failed:\n(?P<reasons>(?:\t.+\n?)+)", re.MULTILINE)

_MAKE = re.compile(
    r"^(?:(?P<path>[^\s:]+):(?P<line>\d+): )?(?:\S*make(?:\[\d+\])?: )?\*\*\* (?P<message>(?!\[)\S.*?)\.? +Stop\.$",
    re.MULTILINE,
)
"""What Make says of its own file or of a target that nothing makes."""

_ASSERT = re.compile(r"^\S+: (?P<path>\S+?):(?P<line>\d+): .*: Assertion [`'](?P<message>.+)' failed\.$", re.MULTILINE)

_CRASH = re.compile(
    r"^(?:.*?: |.*\*\*\* \[[^\n]*\] )?(?P<message>Segmentation fault|Bus error|Aborted|Illegal instruction|Floating point exception|terminate called after throwing an instance of .+|Killed)(?: \(core dumped\))?.*$",
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


def _ctest(output: str) -> list[CutError]:
    return [CutError(f"test failed: {m['word']}", tool="ctest", test=m["test"]) for m in _CTEST.finditer(output)]


def _native(output: str) -> list[CutError]:
    places = {m["type"]: m for m in _SANITIZED_AT.finditer(output)}
    found = [
        CutError(
            one_line(f"{m['type']}: {m['message']}"),
            type=m["type"],
            tool="sanitizer",
            path=places[m["type"]]["path"] if m["type"] in places else None,
            line=number(places[m["type"]]["line"]) if m["type"] in places else None,
        )
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


def _valgrind(output: str) -> list[CutError]:
    found: list[CutError] = []
    for match in _VALGRIND.finditer(output):
        place = _VALGRIND_FRAME.search(match["frames"])
        message = re.sub(r"[\d,]+ bytes in [\d,]+ blocks", "blocks", match["message"])
        path, line = (place["path"], number(place["line"])) if place else (None, None)
        found.append(CutError(one_line(message), tool="valgrind", path=path, line=line))
    return found


def _of_a_tool(output: str) -> list[CutError]:
    return [CutError(one_line(m["message"]), tool=m["tool"]) for m in _OF_A_TOOL.finditer(output)]


def _testing_failed(output: str) -> list[CutError]:
    """Xcode's own list of why it did not test, where the compiler's lines are cut off."""
    reasons = [line.strip() for m in _TESTING_FAILED.finditer(output) for line in m["reasons"].splitlines()]
    reasons = [line for line in reasons if not line.startswith("Testing cancelled")]
    if not reasons or any(f"error: {line}" in output for line in reasons):
        return []
    return [CutError(one_line(line), tool="xcodebuild") for line in reasons]


def _make(output: str) -> list[CutError]:
    return [
        CutError(one_line(m["message"]), tool="make", path=m["path"], line=number(m["line"]))
        for m in _MAKE.finditer(output)
    ]


def cut_crashes(output: str) -> list[CutError]:
    """Programs ended by a signal: only where nothing better is known."""
    return [CutError(one_line(m["message"]), type="signal", tool="shell") for m in _CRASH.finditer(output)]


CUTTERS = (
    (".swift:", _swift),
    (": Failure\n", _gtest),
    (" - ", _ctest),
    ("Sanitizer", _native),
    ("Assertion ", _native),
    ("== ", _valgrind),
    (": error: ", _of_a_tool),
    ("Testing failed:", _testing_failed),
    ("  Stop.", _make),
)
