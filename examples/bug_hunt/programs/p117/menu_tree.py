"""Breadcrumbs of a web site."""

from __future__ import annotations


def trail(page: dict, above: list[str] = []) -> list[str]:
    """Titles from the page up to the root."""
    above.append(page["title"])
    parent = page.get("parent")
    return trail(parent, above) if parent else above


def depth(page: dict) -> int:
    """How many levels down a page is."""
    return len(trail(page, []))
