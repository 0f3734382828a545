"""Test results, findings and uncaught errors of ecosystems that a word of theirs gives away, and of Bats and lists for agents.

Belongs here: which of these cutters read an output. Compiler lines are in `compilers`.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting import dotnet, elixir, native, php, ruby
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


def cut(output: str) -> list[CutError]:
    """Findings of all of these; each is read only where a word of its own occurs."""
    found: list[CutError] = []
    for needle, cutter in _CUTTERS:
        if needle in output:
            found += cutter(output)
    return found


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
)
"""A word without which a cutter finds nothing, and the cutter."""
