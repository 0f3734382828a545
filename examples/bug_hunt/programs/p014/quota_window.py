"""Counts the requests of the last hour."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)


def trim(requests: deque[datetime]) -> int:
    """Drops what is older than an hour and says how many are left."""
    while requests and datetime.now() - requests[0] > HOUR:
        requests.popleft()
    return len(requests)


def note(requests: deque[datetime]) -> None:
    """Takes down a request."""
    requests.append(datetime.now(UTC))
