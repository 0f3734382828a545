"""All repairs that the menu has for one program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from examples.bug_hunt.operators import VALUE_OPERATORS, Operator
from examples.bug_hunt.source import Hunk, Source, parse
from examples.bug_hunt.structure_operators import STRUCTURE_OPERATORS

MENU: tuple[Operator, ...] = VALUE_OPERATORS + STRUCTURE_OPERATORS


@dataclass(frozen=True, slots=True)
class Candidate:
    """One repair: its edits, and the changed files as they stand after it.

    made_by: the operator's name, for the tests of the corpus. The agent decides without it and logs nothing of it.
    """

    hunks: tuple[Hunk, ...]
    changed: dict[str, str]
    made_by: str

    @property
    def place(self) -> tuple[str, int]:
        """File and first line of the first edit."""
        return self.hunks[0].path, self.hunks[0].line


def candidates(modules: Mapping[str, str]) -> list[Candidate]:
    """Repairs of a program, by file, operator and line; each result once, and only what parses.

    Args:
        modules: content of the modules by file name, tests left out.
    """
    neighbours = frozenset(name.removesuffix(".py") for name in modules)
    found: dict[tuple[str, str], Candidate] = {}
    for path, text in sorted(modules.items()):
        source = Source(path, text, neighbours)
        for operator in MENU:
            for change in operator(source):
                after, hunks = source.apply(change)
                if after != text and _parses(after):
                    candidate = Candidate(tuple(hunks), {path: after}, operator.__name__)
                    found.setdefault((path, after), candidate)
    return list(found.values())


def _parses(text: str) -> bool:
    try:
        parse(text)
    except SyntaxError:
        return False
    return True
