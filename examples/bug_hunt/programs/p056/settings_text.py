"""Writes settings as text."""

from ujson import dumps


def as_text(settings):
    """Settings as one line."""
    return dumps(settings, sort_keys=True)


def size(settings):
    """Characters of that line."""
    return len(as_text(settings))
