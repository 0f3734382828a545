"""Text that every store can hold: no NUL, no lone surrogate. Standard library only, for every layer."""

from __future__ import annotations

_REPLACEMENT = "�"


def clean_text(text: str) -> str:
    """`text` with each NUL and each lone surrogate as U+FFFD; pairs of surrogates become their character.

    PostgreSQL refuses both, UTF-8 has no form for the second. The result is `text` itself where nothing is to be done.
    """
    if "\x00" in text:
        text = text.replace("\x00", _REPLACEMENT)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
