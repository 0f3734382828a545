"""Frames of a stack trace (Python, JavaScript, Go, Java, Rust), and which of them are the project's own."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: the file as the trace names it and the function."""

    file: str
    function: str


_PYTHON = re.compile(r'^\s*File "(?P<file>[^"\n]+)", line \d+(?:, in (?P<function>.+))?$', re.MULTILINE)
_PYTEST = re.compile(r"^(?P<file>[\w./\\-]+\.py):\d+: (?:in (?P<function>\S+)|(?P<exception>\w+))?\s*$", re.MULTILINE)
_SCRIPT = re.compile(
    r"^\s*at (?:async )?(?:(?P<function>[^\s(][^(\n]*?) \()?(?P<file>[^\s()][^()\n]*?):\d+:\d+\)?$", re.MULTILINE
)
_JAVA = re.compile(r"^\s*at (?P<function>[\w.$<>]+)\((?P<file>\w+\.(?:java|kt|scala)):\d+\)$", re.MULTILINE)
_GO = re.compile(r"^(?P<function>[\w./*()·-]+?)\([^\n]*\)\n\t(?P<file>[^\s:]+\.go):\d+", re.MULTILINE)
_RUST = re.compile(r"^\s*\d+: (?P<function>[^\n]+)\n\s+at (?P<file>[^\s:]+\.rs):\d+", re.MULTILINE)
_RUST_NOTE = re.compile(r"^\s*(?:-->|:::) (?P<file>[^\s:]+\.rs):\d+:\d+(?P<function>)$", re.MULTILINE)

_FOREIGN = re.compile(
    r"(?:^|[/\\])(?:site-packages|dist-packages|node_modules|vendor|\.cargo|\.rustup|rustc|go[/\\]pkg[/\\]mod)[/\\]"
    r"|[/\\]lib[/\\]python\d|^<(?:frozen|string|stdin|__array)|^node:|^internal[/\\]|[/\\]go[/\\]src[/\\]|^native$|^\[native"
    r"|[/\\][Pp]ython[^/\\]*[/\\](?:[^/\\]+[/\\])?Lib[/\\]|^/rustc/|^(?:bun|deno|ext):"
)


def is_foreign(file: str) -> bool:
    """Whether a file is a library's or the language's own, not the project's."""
    return _FOREIGN.search(file) is not None


def parse_frames(stack: str) -> list[Frame]:
    """Frames of `stack`, innermost first, the project's and foreign ones. Empty where no form fits."""
    for regex, outermost_first in (
        (_PYTHON, True),
        (_SCRIPT, False),
        (_JAVA, False),
        (_GO, False),
        (_RUST, False),
        (_RUST_NOTE, False),
        (_PYTEST, True),
    ):
        frames = [Frame(m["file"].strip(), (m["function"] or "").strip()) for m in regex.finditer(stack)]
        if frames:
            return frames[::-1] if outermost_first else frames
    return []


def in_app_frames(stack: str) -> list[Frame]:
    """The project's own frames, innermost first."""
    return [frame for frame in parse_frames(stack) if not is_foreign(frame.file)]
