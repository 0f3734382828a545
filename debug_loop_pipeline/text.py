"""Text that every store can hold: no NUL, no lone surrogate, not too long; and as short as a table has room for. Standard library only, for every layer."""

from __future__ import annotations

import hashlib

_REPLACEMENT = "�"
_CUT_MARK = "\n[cut: {} characters more]"
NAME_CHARS = 600
"""Longest id, name or path that is kept. Indexes hold them: PostgreSQL takes 2,704 bytes there, and a character has up to four."""
_NAME_DIGEST = 16


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


def shorten(text: str, width: int, *, keep_spaces: bool = False) -> str:
    """A text for a table or a plot: on one line of at most `width` characters; one that was cut ends with an ellipsis.

    keep_spaces: code, which is one line already.
    """
    line = text if keep_spaces else " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def cut(text: str, limit: int) -> str:
    """The text, or its beginning with a mark that says how much is missing; never longer than `limit` plus the mark."""
    return text if len(text) <= limit else text[:limit] + _CUT_MARK.format(len(text) - limit)


def cut_name(name: str) -> str:
    """An id, a name or a path within `NAME_CHARS`. One that was cut ends with its digest, so that two stay two."""
    if len(name) <= NAME_CHARS:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_NAME_DIGEST]
    return f"{name[: NAME_CHARS - _NAME_DIGEST - 1]}…{digest}"
