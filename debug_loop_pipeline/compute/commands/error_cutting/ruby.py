"""Failing examples and uncaught exceptions of Ruby: RSpec, Minitest."""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, block, is_ours, number, one_line

_RSPEC = re.compile(
    r"^  \d+\) (?P<test>.+)\n(?P<body>(?:(?!^  \d+\) |^Finished in|^Failed examples).*\n?)+)", re.MULTILINE
)

_RSPEC_LOADING = re.compile(
    r"^An error occurred (?:while loading|in an? `[^`]+` hook|in a `[^`]+`) ?(?P<file>\S+?)?\.?\nFailure/Error: .*\n(?P<body>(?:(?!^An error occurred|^No examples found|^Finished in|^Run options).*\n?)+)",
    re.MULTILINE,
)

_RSPEC_PLACE = re.compile(r"^\s+# (?P<path>\./\S+?):(?P<line>\d+)", re.MULTILINE)

_MINITEST = re.compile(
    r"^(?:\s*\d+\) )?(?P<word>Failure|Error):\n(?P<test>[\w:]+#\S+?)(?: \[(?P<path>[^\]:]+):(?P<line>\d+)\])?:\n(?P<message>(?:.+\n?)+?)(?=\n|\Z)",
    re.MULTILINE,
)

_RUBY = re.compile(
    r"^(?P<path>[^\s:]+\.rb):(?P<line>\d+):in [`'](?P<where>[^']*)': (?P<message>.+) \((?P<type>[\w:]+)\)$",
    re.MULTILINE,
)


def _rspec(output: str) -> list[CutError]:
    found: list[CutError] = []
    for match in _RSPEC.finditer(output):
        body = match["body"]
        place = next((m for m in _RSPEC_PLACE.finditer(body) if is_ours(m["path"])), None)
        lines = [line.strip() for line in body.split("\n") if line.strip() and not line.strip().startswith("#")]
        told = [line for line in lines if not line.startswith(("Failure/Error:", "Shared Example"))]
        message = " ".join(told[:3]) if told else (lines[0] if lines else "example failed")
        kind = re.match(r"(?P<type>[A-Z][\w:]*(?:Error|Exception))\b", message)
        found.append(
            CutError(
                one_line(message),
                type=kind["type"] if kind else None,
                tool="rspec",
                test=match["test"].strip(),
                path=place["path"] if place else None,
                line=number(place["line"]) if place else None,
                stacktrace=block(body.split("\n")),
            )
        )
    return found


def _rspec_loading(output: str) -> list[CutError]:
    found: list[CutError] = []
    for match in _RSPEC_LOADING.finditer(output):
        body = match["body"]
        place = next((m for m in re.finditer(r"^# (?P<path>\./\S+?):(?P<line>\d+)", body, re.MULTILINE)), None)
        lines = [line.strip() for line in body.split("\n") if line.strip() and not line.startswith("#")]
        kind = next((m for line in lines if (m := re.match(r"(?P<type>[A-Z][\w:]*(?:Error|Exception)):?", line))), None)
        after = lines.index(kind.string) if kind else 0
        found.append(
            CutError(
                one_line(" ".join(lines[after : after + 2])) or "could not be loaded",
                type=kind["type"] if kind else None,
                tool="rspec",
                path=match["file"] or (place["path"] if place else None),
                line=number(place["line"]) if place else None,
                stacktrace=block(body.split("\n")),
            )
        )
    return found


def _minitest(output: str) -> list[CutError]:
    found: list[CutError] = []
    for match in _MINITEST.finditer(output):
        kind = re.match(r"(?P<type>[A-Z][\w:]*(?:Error|Exception)):", match["message"])
        found.append(
            CutError(
                one_line(match["message"].split("\n    ")[0]),
                type=kind["type"] if kind else None,
                tool="minitest",
                test=match["test"],
                path=match["path"],
                line=number(match["line"]),
            )
        )
    return found


def _ruby(output: str) -> list[CutError]:
    return [
        CutError(
            one_line(f"{m['type']}: {m['message']}"),
            type=m["type"],
            tool="ruby",
            path=m["path"],
            line=number(m["line"]),
        )
        for m in _RUBY.finditer(output)
    ]


CUTTERS = (
    ("Failure/Error", _rspec),
    ("An error occurred ", _rspec_loading),
    ("Failure:\n", _minitest),
    ("Error:\n", _minitest),
    (".rb:", _ruby),
)
