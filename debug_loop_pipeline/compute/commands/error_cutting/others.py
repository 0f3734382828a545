"""Test results, findings and uncaught errors of ecosystems that a word of theirs gives away, and of Bats and lists for agents.

Belongs here: which of these cutters read an output. Compiler lines are in `compilers`.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting import c_tests, dotnet, elixir, native, php, ruby
from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, number, one_line

_BATS = re.compile(
    r"^(?: ✗ |not ok \d+ )(?P<test>.+?)(?: \[\d+\]| in \d+ms)?\n(?:#? +\(from .*\n)?(?:#? +\(?(?:from .*)?in test file (?P<path>\S+), line (?P<line>\d+)\)\n)(?:#? +(?P<message>.+))?$",
    re.MULTILINE,
)

_NUMBERED = re.compile(
    r"^\d+\. (?P<path>[\w./@-]+):(?P<line>\d+) \[(?P<type>[\w./-]+)\]\n(?: {2,}\w+: .*\n){0,6}? {2,}message: (?P<message>.+)$",
    re.MULTILINE,
)
"""A list of findings with a place, a rule and fields below, as checkers that write for agents print it."""


_FLUTTER = re.compile(
    r"^\d\d:\d\d (?:\+\d+ ?)?(?:~\d+ ?)?-\d+: (?P<test>.+?) \[E\]\n(?P<body>(?:[ \t]+\S.*\n?)+)", re.MULTILINE
)
_FLUTTER_PLACE = re.compile(r"^ +(?P<path>(?!package:|dart:)\S+\.dart)[ :](?P<line>\d+):\d+", re.MULTILINE)
_BUSTED = re.compile(
    r"^(?:Failure|Error) (?:→|->) (?P<path>\S+) @ (?P<line>\d+)\n(?P<test>.+)\n(?:\S+:\d+: )?(?P<message>.+)",
    re.MULTILINE,
)
_SCALATEST = re.compile(
    r"^(?:\[info\] )?(?:(?P<suite>\w+):$|(?P<level> *)- (?P<test>.+?) \*\*\* FAILED \*\*\*.*\n(?:\[info\] )?\s+(?P<message>.+?)(?: \((?P<path>\w+\.scala):(?P<line>\d+)\))?$)",
    re.MULTILINE,
)
_MUNIT = re.compile(
    r"^(?:\[error\] )?==> X (?P<test>\S.*?)  [\d.]+s (?P<type>[\w.]+)(?:: (?P<path>\S+\.scala):(?P<line>\d+))?(?P<message>.*)$",
    re.MULTILINE,
)


def cut(output: str) -> list[CutError]:
    """Findings of all of these; each is read only where a word of its own occurs."""
    found: list[CutError] = []
    done: set[int] = set()
    for needle, cutter in _CUTTERS:
        if needle in output and id(cutter) not in done:
            done.add(id(cutter))
            found += cutter(output)
    return found


def _flutter(output: str) -> list[CutError]:
    found: list[CutError] = []
    for match in _FLUTTER.finditer(output):
        place = _FLUTTER_PLACE.search(match["body"])
        said = match["body"][: place.start()] if place else match["body"]
        lines = [line for line in said.splitlines() if not line.strip().startswith("package:")]
        path, line = (place["path"], number(place["line"])) if place else (None, None)
        found.append(CutError(one_line(" ".join(lines)), tool="flutter test", test=match["test"], path=path, line=line))
    return found


def _busted(output: str) -> list[CutError]:
    return [
        CutError(one_line(m["message"]), tool="busted", test=m["test"].strip(), path=m["path"], line=number(m["line"]))
        for m in _BUSTED.finditer(output)
    ]


def _scalatest(output: str) -> list[CutError]:
    found: list[CutError] = []
    suite = ""
    for match in _SCALATEST.finditer(output):
        if match["suite"]:
            suite = f"{match['suite']}."
            continue
        test = f"{suite}{match['test']}"
        found.append(
            CutError(
                one_line(match["message"]),
                tool="scalatest",
                test=test,
                path=match["path"],
                line=number(match["line"]) if match["line"] else None,
            )
        )
    return found


def _munit(output: str) -> list[CutError]:
    return [
        CutError(
            one_line(m["message"]) or m["type"].rsplit(".", 1)[-1],
            type=m["type"].rsplit(".", 1)[-1],
            tool="munit",
            test=m["test"],
            path=m["path"],
            line=number(m["line"]) if m["line"] else None,
        )
        for m in _MUNIT.finditer(output)
    ]


def _bats(output: str) -> list[CutError]:
    return [
        CutError(
            one_line(m["message"] or "test failed"),
            tool="bats",
            test=m["test"].strip(),
            path=m["path"],
            line=number(m["line"]),
        )
        for m in _BATS.finditer(output)
    ]


def _numbered(output: str) -> list[CutError]:
    return [
        CutError(one_line(m["message"]), type=m["type"], path=m["path"], line=number(m["line"]))
        for m in _NUMBERED.finditer(output)
    ]


_CUTTERS = (
    *dotnet.CUTTERS,
    *ruby.CUTTERS,
    ("in test file ", _bats),
    *php.CUTTERS,
    (" message: ", _numbered),
    *elixir.CUTTERS,
    *native.CUTTERS,
    *c_tests.CUTTERS,
    ("[E]", _flutter),
    (" @ ", _busted),
    ("*** FAILED ***", _scalatest),
    ("==> X ", _munit),
)
"""A word without which a cutter finds nothing, and the cutter."""
