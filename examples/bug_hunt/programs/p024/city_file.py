"""Reads a list of cities."""

from pathlib import Path


def cities(path: Path) -> list[str]:
    """One name a line, sorted."""
    text = path.read_text(encoding="ascii")
    return sorted(line for line in text.splitlines() if line)
