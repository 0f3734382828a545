"""Text that every store can hold: no NUL, no lone surrogate, not too long. Standard library only, for every layer."""

from __future__ import annotations

_REPLACEMENT = "�"
_CUT_MARK = "\n[cut: {} characters more]"


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


def cut(text: str, limit: int) -> str:
    """The text, or its beginning with a mark that says how much is missing; never longer than `limit` plus the mark."""
    return text if len(text) <= limit else text[:limit] + _CUT_MARK.format(len(text) - limit)
