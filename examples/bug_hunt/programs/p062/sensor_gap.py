"""Notices sensors that fell silent."""

from datetime import UTC, datetime, timedelta


class Monitor:
    """The last sign of life of each sensor."""

    silence = timedelta(minutes=5)

    def __init__(self):
        self.seen = {}

    def heard(self, name, at=None):
        """Takes down a sign of life."""
        self.seen[name] = at or datetime.now(UTC)

    def silent(self):
        """Sensors that were not heard for too long."""
        found = []
        for name, at in sorted(self.seen.items()):
            gap = datetime.now() - at
            if gap > self.silence:
                found.append(name)
        return found
