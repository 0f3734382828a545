"""Gaps between the appointments of a day."""

from __future__ import annotations


def free_slots(appointments: list[tuple[int, int]], least: int = 1) -> list[tuple[int, int]]:
    """Free time between appointments that follow each other.

    Raises:
        ValueError: `least` is not positive.
    """
    if least < 1:
        raise ValueError("a slot has to have a length")
    found = []
    # appointments are (start, end) in hours, in order
    for n in range(len(appointments)):
        end, start = appointments[n][1], appointments[n + 1][0]
        if start - end >= least:
            found.append((end, start))
    return found
