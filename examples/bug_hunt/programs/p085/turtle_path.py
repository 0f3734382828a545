"""Walks over a grid and remembers where it was."""

from __future__ import annotations


class Walker:
    """Someone on a grid who takes orders."""

    def __init__(self) -> None:
        self.x = 0
        self.y = 0

    def east(self, steps: int) -> Walker:
        """Goes east."""
        self.x += steps
        return self

    def north(self, steps: int) -> Walker:
        """Goes north."""
        self.y += steps

    def place(self) -> tuple[int, int]:
        """Where the walker is."""
        return self.x, self.y
