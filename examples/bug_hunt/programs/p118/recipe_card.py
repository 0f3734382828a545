"""Recipe cards, stored as bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Card:
    """A title and the steps."""

    title: str
    steps: list[str]


def parse(raw: bytes) -> Card:
    """The first line is the title, the others are steps.

    Raises:
        ValueError: the card is empty.
    """
    if not raw:
        raise ValueError("the card is empty")
    # cards are written by people, in any language
    title, *steps = str(raw, "ascii").splitlines()
    return Card(title, steps)
