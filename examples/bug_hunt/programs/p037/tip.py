"""Tips in a restaurant."""

from __future__ import annotations


def tip(amount: float, percent: int) -> float:
    """The tip in dollars and cents.

    Raises:
        ValueError: the percentage is negative.
    """
    if percent < 0:
        raise ValueError("a tip cannot be negative")
    # 15 means 15 %
    return amount * percent / 100


def describe(amount: float, percent: int) -> str:
    """The tip as it is printed."""
    return f"{percent} % of {amount:.2f} is {tip(amount, percent):.2f}"
