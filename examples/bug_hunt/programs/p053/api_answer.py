"""Answers of a small service."""

from datetime import datetime
from json import dumps


def answer(data, status=200):
    """Status, headers and body."""
    body = dumps(data).encode()
    return status, {"Content-Type": "application/json"}, body


def health(started: datetime):
    """What the service says about itself."""
    return answer({"ok": True, "since": started})
