"""Describes a chain of audio effects."""

from __future__ import annotations


class Chain:
    """Effects in the order in which the signal passes them."""

    def __init__(self) -> None:
        self.effects: list[tuple[str, float]] = []

    def gain(self, decibel: float) -> Chain:
        """Louder or softer."""
        self.effects.append(("gain", decibel))
        return self

    def delay(self, seconds: float) -> Chain:
        """An echo.

        Raises:
            ValueError: time does not run backwards.
        """
        if seconds < 0:
            raise ValueError("a delay cannot be negative")
        self.effects.append(("delay", seconds))

    def names(self) -> list[str]:
        """The names of the effects."""
        return [name for name, _ in self.effects]
