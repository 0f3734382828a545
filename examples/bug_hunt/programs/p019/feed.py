"""Reads a feed of events."""

from __future__ import annotations

import simplejson as decoder


def events(lines: list[str]) -> list[dict]:
    """One event a line; empty lines are passed over."""
    return [decoder.loads(line) for line in lines if line.strip()]


def kinds(lines: list[str]) -> set[str]:
    """The kinds of events that occur."""
    return {event["kind"] for event in events(lines)}
