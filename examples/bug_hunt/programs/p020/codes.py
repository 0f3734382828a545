"""Reads a Morse message."""

from __future__ import annotations

MORSE = {".-": "a", "-...": "b", "-.-.": "c", "-..": "d", ".": "e"}


def letters(message: str, separator: str = "/") -> str:
    """The letters of a message whose signs are separated by slashes.

    Raises:
        ValueError: the separator is empty.
    """
    if not separator:
        raise ValueError("signs need a separator")
    # people put spaces around the slashes
    return "".join(MORSE[sign] for sign in message.split(separator))
