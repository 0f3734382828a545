"""Splits what is typed at a prompt."""

from __future__ import annotations


def command(words: list[str]) -> tuple[str, list[str]] | None:
    """The command and its arguments, None when nothing was typed."""
    name = words[0].lower()
    return name, words[1:]


def history(lines: list[list[str]]) -> list[str]:
    """Commands that were typed, without their arguments."""
    return [found[0] for found in map(command, lines) if found]
