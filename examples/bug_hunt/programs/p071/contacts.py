"""How people are shown in a contact list."""

from __future__ import annotations


def display_name(record: dict[str, str | None]) -> str:
    """The nickname where a person has one, else the full name."""
    nickname = record.get("nickname").strip()
    return nickname or str(record["name"])


def initials(record: dict[str, str | None]) -> str:
    """First letters of the full name."""
    return "".join(word[0] for word in str(record["name"]).split())
