"""Failing tests, diagnostics and findings of Elixir: ExUnit, the compiler, Credo."""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, block, number, one_line

_EXUNIT = re.compile(
    r"^  \d+\) (?P<kind>test|doctest|property) (?P<test>.+)\n\s+(?P<path>\S+\.exs?):(?P<line>\d+)\n(?P<body>(?:     .*\n?)+)",
    re.MULTILINE,
)

_ELIXIR = re.compile(r"^\*\* \((?P<type>[\w.]+)\) (?P<message>.+)$", re.MULTILINE)

_ELIXIR_DIAGNOSTIC = re.compile(
    r"^\s*(?P<level>error|warning): (?P<message>.+)\n(?:(?!\s*(?:error|warning): ).*\n){0,8}?\s*└─ (?P<path>[^\s:]+):(?P<line>\d+)",
    re.MULTILINE,
)

_CREDO = re.compile(r"^┃ \[[A-Z]\] \S (?P<message>.+)\n┃\s+(?P<path>[^\s:]+):(?P<line>\d+)", re.MULTILINE)


def _credo(output: str) -> list[CutError]:
    return [
        CutError(one_line(m["message"]), tool="mix credo", path=m["path"], line=number(m["line"]))
        for m in _CREDO.finditer(output)
    ]


def _exunit(output: str) -> list[CutError]:
    found: list[CutError] = []
    for match in _EXUNIT.finditer(output):
        lines = [line.strip() for line in match["body"].split("\n") if line.strip()]
        kind = _ELIXIR.match(lines[0]) if lines else None
        found.append(
            CutError(
                one_line(" ".join(lines[:2])),
                type=kind["type"] if kind else None,
                tool="mix test",
                test=match["test"].strip(),
                path=match["path"],
                line=number(match["line"]),
                stacktrace=block(match["body"].split("\n")),
            )
        )
    return found


def _elixir(output: str) -> list[CutError]:
    found = [
        CutError(
            one_line(m["message"]),
            tool="mix compile",
            path=m["path"],
            line=number(m["line"]),
            warning=m["level"] == "warning",
        )
        for m in _ELIXIR_DIAGNOSTIC.finditer(output)
    ]
    return found or [
        CutError(one_line(f"{m['type']}: {m['message']}"), type=m["type"], tool="mix") for m in _ELIXIR.finditer(output)
    ]


CUTTERS = (
    (".exs:", _exunit),
    ("** (", _elixir),
    ("┃ [", _credo),
    ("└─ ", _elixir),
)
