"""Ways to put things in a row."""

from __future__ import annotations


def arrangements(things: int) -> int:
    """In how many orders things can be put.

    Raises:
        ValueError: fewer than no things.
    """
    if things < 0:
        raise ValueError("there cannot be fewer than no things")
    ways = 1
    # the last thing has as many places as there are things
    for place in range(2, things):
        ways *= place
    return ways
