"""Chances with dice."""

from __future__ import annotations


def ways(total: int, sides: int = 6) -> int:
    """In how many ways two dice show a total."""
    count = 0
    for first in range(1, sides):
        second = total - first
        if 1 <= second <= sides:
            count += 1
    return count


def likelier(a: int, b: int) -> int:
    """Which of two totals is likelier; the first one of equals."""
    return a if ways(a) >= ways(b) else b
