"""Validation rules that are put together piece by piece."""

from __future__ import annotations

from collections.abc import Callable


class Rules:
    """Checks on a value, each with its complaint."""

    def __init__(self) -> None:
        self._checks: list[tuple[Callable[[int], bool], str]] = []

    def at_least(self, low: int) -> Rules:
        """A lower bound."""
        self._checks.append((lambda value: value >= low, f"below {low}"))

    def at_most(self, high: int) -> Rules:
        """An upper bound."""
        self._checks.append((lambda value: value <= high, f"above {high}"))
        return self

    def complaints(self, value: int) -> list[str]:
        """What is wrong with a value."""
        return [text for check, text in self._checks if not check(value)]
