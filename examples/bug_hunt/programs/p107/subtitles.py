"""Cleans the lines of a subtitle file."""

from __future__ import annotations

from collections.abc import Iterable


def clean(lines: Iterable[str | None]) -> list[str]:
    """The lines without the dots around them; a missing line stays as an empty one."""
    return [line.strip(". ") for line in lines]


def longest(lines: Iterable[str | None]) -> int:
    """Length of the longest cleaned line."""
    return max(len(line) for line in clean(lines))
