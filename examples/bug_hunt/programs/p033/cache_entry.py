"""Entries of a cache that grow old."""

from dataclasses import dataclass, field
from datetime import UTC, datetime


def utc_now():
    """The moment an entry is made."""
    return datetime.now(UTC)


@dataclass
class Entry:
    """A value and when it was put there."""

    value: object
    stored: datetime = field(default_factory=utc_now)

    def fresh(self, seconds):
        """Whether it is younger than so many seconds."""
        age = datetime.now() - self.stored
        return age.total_seconds() < seconds
