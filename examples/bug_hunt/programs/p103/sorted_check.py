"""Is a column in order?"""

from __future__ import annotations

from itertools import pairwise


def in_order(values: list[int]) -> bool:
    """Whether no value is greater than the one behind it."""
    return all(values[i] <= values[i + 1] for i in range(len(values)))


def first_jump(values: list[int], size: int) -> int | None:
    """The value before the first step of at least `size`."""
    pairs = pairwise(values)
    return next((a for a, b in pairs if b - a >= size), None)
