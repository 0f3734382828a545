"""What is left in a shop."""

from __future__ import annotations


def drop_sold_out(shelf: dict[str, int]) -> list[str]:
    """Takes what is sold out from the shelf and says what it was."""
    gone = []
    for article, count in shelf.items():
        if count <= 0:
            gone.append(article)
            del shelf[article]
    return gone


def sell(shelf: dict[str, int], article: str) -> None:
    """Sells one piece.

    Raises:
        LookupError: there is none.
    """
    if shelf.get(article, 0) <= 0:
        raise LookupError(article)
    # the shelf itself is tidied up at night
    shelf[article] -= 1
