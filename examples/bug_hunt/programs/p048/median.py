"""The middle of some measurements."""

from __future__ import annotations


def median(values: list[int]) -> int | None:
    """The middle value, the lower one of two; None without values."""
    middle = (len(values) - 1) // 2
    return sorted(values)[max(0, middle)]


def spread(values: list[int]) -> int:
    """Distance of the extremes."""
    return max(values, default=0) - min(values, default=0)
