"""Speeds of runners."""

from __future__ import annotations


def speed(metres: int, seconds: int) -> float:
    """Metres per second; somebody who has not started has speed 0.

    Raises:
        ValueError: one of the values is negative.
    """
    if metres < 0 or seconds < 0:
        raise ValueError("distance and time cannot be negative")
    # rounding is left to the caller
    return metres / seconds


def faster(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether the first runner is faster than the second."""
    return speed(*a) > speed(*b)
