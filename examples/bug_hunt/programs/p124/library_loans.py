"""Fines for books that come back late."""

from __future__ import annotations

from datetime import UTC, datetime

CENTS_A_DAY = 20


def fine(due: datetime, returned: datetime | None = None) -> int:
    """Cents to pay; a book that is still out counts until now."""
    until = returned or datetime.now()
    late = until - due
    return max(0, late.days) * CENTS_A_DAY


OPENED = datetime(2010, 1, 1, tzinfo=UTC)
