"""Variables that a command line gives a literal value and uses further on: `CARGO=~/.cargo/bin/cargo; $CARGO test`.

Belongs here: which values are known, and the words that name them. Substitutions are not run: of `$(which cargo)` the name is known,
any other output is not. The environment that a line starts with is not known either.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.shell import Simple

_NAMED = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_LOOKED_UP = re.compile(r"(?:\$\(|`)\s*(?:which|command -v|type -P)\s+([\w./+-]+)\s*(?:2>/dev/null\s*)?[)`]")
_DECLARES = frozenset({"export", "readonly", "declare", "typeset", "local"})
_READS = frozenset({"read", "mapfile", "readarray", "unset"})
_MAX_VALUE = 500


def remember(simple: Simple, known: dict[str, str], *, certain: bool = True) -> None:
    """Keep what a command that only assigns (`X=1`, `export X=1`) gives its variables; a value that cannot be told makes them unknown.

    certain: False where it may not have run, or more than once (`|| X=1`, a loop).
    """
    pairs = simple.assignments
    if simple.words:
        if simple.words[0] in _READS:
            for name in simple.words[1:]:
                known.pop(name, None)
        if simple.words[0] not in _DECLARES:
            return
        pairs = [(match[1], match[2]) for word in simple.words[1:] if (match := _ASSIGNED.fullmatch(word))]
    for name, value in pairs:
        looked_up = _LOOKED_UP.fullmatch(value)
        value = looked_up[1] if looked_up is not None else _filled_in(value, known)
        if not certain or not value or len(value) > _MAX_VALUE or "$(" in value or "`" in value or "$?" in value:
            known.pop(name, None)
        else:
            known[name] = value


def expanded(words: list[str], known: dict[str, str]) -> list[str]:
    """The words with the variables that are known; the one that names the program may hold words of its own (`PY="uv run python"`)."""
    if not known or not words:
        return words
    program = _filled_in(words[0], known)
    first = program.split() if program != words[0] else [program]
    return [*first, *(_filled_in(word, known) for word in words[1:])]


def _filled_in(word: str, known: dict[str, str]) -> str:
    if "$" not in word:
        return word
    filled = _NAMED.sub(lambda match: known.get(match[1] or match[2], match[0]), word)
    # Several words in one argument may have been quoted or not.
    return word if len(filled) > _MAX_VALUE else filled
