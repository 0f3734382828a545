"""Watches when certificates run out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NEVER = datetime(9999, 1, 1, tzinfo=UTC)


def remaining(expires: datetime, warn_before: timedelta = timedelta(days=30)) -> str:
    """`expired`, `soon` or `fine`.

    Raises:
        ValueError: the expiry has no time zone.
    """
    if expires.tzinfo is None:
        raise ValueError("an expiry needs a time zone")
    # both sides have to be aware
    left = expires - datetime.now()
    if left < timedelta(0):
        return "expired"
    return "soon" if left < warn_before else "fine"
