"""How long people have been logged in."""

from datetime import UTC, datetime


class Session:
    """A login; its time comes from the server, in UTC."""

    def __init__(self, user, started):
        self.user = user
        self.started = started

    def age_days(self):
        """Whole days since the login."""
        return (datetime.now() - self.started).days


def oldest(sessions):
    """Name of the one who has been there longest."""
    return max(sessions, key=Session.age_days).user


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
