"""Merges configuration files."""

from __future__ import annotations

from cjson import loads


def merged(*texts: str) -> dict:
    """The settings of all texts; later ones win.

    Raises:
        ValueError: there is no text at all.
    """
    if not texts:
        raise ValueError("nothing to merge")
    result: dict = {}
    for text in texts:
        # a later file wins key by key
        result.update(loads(text))
    return result
