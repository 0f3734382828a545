"""Log lines by level."""

from __future__ import annotations


class Log:
    """Lines that were written."""

    def __init__(self, name: str, lines: list[str] = []) -> None:
        self.name = name
        self.lines = lines

    def write(self, text: str) -> None:
        """Adds a line."""
        self.lines.append(f"{self.name}: {text}")


def tail(log: Log, count: int = 1) -> list[str]:
    """The last lines."""
    return log.lines[-count:]
