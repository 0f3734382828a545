"""Failing tests and uncaught exceptions of .NET: VSTest, xUnit."""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, block, number, one_line

_DOTNET = re.compile(
    r"^\s*(?:\[xUnit\.net [^\]]*\]\s+)?(?:Failed|X) (?P<test>[\w.]+(?:\(.*?\))?) \[[^\]]+\]\n\s*Error Message:\n\s*(?P<message>(?:.+(?:\n|\Z))+?)\s*(?:Stack Trace:|\Z)(?P<stack>(?:\n?\s+at .+)*)",
    re.MULTILINE,
)

_XUNIT = re.compile(
    r"^[ \t]*\[xUnit\.net [\d:.]+\] +(?P<test>\S[^\n]*?) \[FAIL\]$(?:\n[ \t]*\[xUnit\.net [\d:.]+\] {6,}(?P<message>\S[^\n]*)$)?",
    re.MULTILINE,
)

_DOTNET_ANY_LANGUAGE = re.compile(
    r"^ {2}[^\W\d]+ (?P<test>[\w.]+(?:\([^\n]*?\))?) \[[^\]\n]+\]\n {2}\S[^\n]{2,40}:\n(?P<message>(?: {3}[^\n]*\n){1,40})(?: {2}\S[^\n]{2,40}:\n(?P<stack>(?: {3,}[^\n]*(?:\n|\Z)){1,40}))?",
    re.MULTILINE,
)
"""A failing test with its message and its stack, each below a heading in the language of the machine."""

_DOTNET_LINE = re.compile(r"in (?P<path>\S+\.(?:cs|fs|vb)):line (?P<line>\d+)")

_TERMINAL = re.compile(
    r"^[ \t]*(?P<path>\S[^(\n]*)\((?P<line>\d+)\): error TESTERROR:\s*\n?\s*(?P<test>[\w.]+(?:\([^\n]*?\))?) \([\d.]+m?s\): Error Message: (?P<message>(?:.+(?:\n|\Z))+?)(?=\s*Stack Trace:|\s*\n\S|\Z)",
    re.MULTILINE,
)
"""The terminal logger's form of a failing test."""

_DOTNET_UNHANDLED = re.compile(r"^Unhandled exception\. (?P<type>[\w.]+): (?P<message>.+)$", re.MULTILINE)


def _dotnet(output: str) -> list[CutError]:
    return [_dotnet_test(match["test"], match) for match in _DOTNET.finditer(output)]


def _dotnet_test(test: str, match: re.Match[str]) -> CutError:
    place = _DOTNET_LINE.search(match["stack"] or "")
    kind = re.match(r"\s*(?P<type>[\w.]+(?:Exception|Error))\b", match["message"])
    return CutError(
        one_line(match["message"]),
        type=kind["type"].rsplit(".", 1)[-1] if kind else None,
        tool="dotnet test",
        test=test,
        path=place["path"] if place else None,
        line=number(place["line"]) if place else None,
        stacktrace=block(match.group().split("\n")),
    )


def _xunit(output: str) -> list[CutError]:
    """Tests that xUnit itself marks, where the runner's own report is cut off or in another language."""
    known = {match["test"] for match in _DOTNET.finditer(output)}
    reports = {match["test"]: match for match in _DOTNET_ANY_LANGUAGE.finditer(output)}
    found: list[CutError] = []
    for mark in _XUNIT.finditer(output):
        test = mark["test"]
        if test in known:
            continue
        known.add(test)
        if test in reports:
            found.append(_dotnet_test(test, reports[test]))
        else:
            found.append(CutError(one_line(mark["message"] or "test failed"), tool="dotnet test", test=test))
    return found


def _terminal(output: str) -> list[CutError]:
    return [
        CutError(one_line(m["message"]), tool="dotnet test", test=m["test"], path=m["path"], line=number(m["line"]))
        for m in _TERMINAL.finditer(output)
    ]


def _dotnet_unhandled(output: str) -> list[CutError]:
    return [
        CutError(one_line(f"{m['type']}: {m['message']}"), type=m["type"].rsplit(".", 1)[-1], tool="dotnet")
        for m in _DOTNET_UNHANDLED.finditer(output)
    ]


CUTTERS = (
    ("Error Message:", _dotnet),
    (" [FAIL]", _xunit),
    ("error TESTERROR:", _terminal),
    ("Unhandled exception. ", _dotnet_unhandled),
)
