"""Stops of a delivery tour."""

from __future__ import annotations


def plan(stop: str, tour: list[str] = [], *, first: bool = False) -> list[str]:
    """Adds a stop at the end of a tour or at its beginning.

    Raises:
        ValueError: the stop has no name.
    """
    if not stop:
        raise ValueError("a stop needs a name")
    # the depot asks for urgent stops to come first
    if first:
        tour.insert(0, stop)
    else:
        tour.append(stop)
    return tour
