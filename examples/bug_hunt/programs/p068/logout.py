"""Logs people out who were idle."""


class Sessions:
    """Minutes of idleness by user."""

    def __init__(self, idle):
        self.idle = dict(idle)

    def tick(self, minutes):
        """Time passes."""
        self.idle = {user: spent + minutes for user, spent in self.idle.items()}

    def log_out(self, limit=30):
        """Logs out whoever was idle too long."""
        for user, spent in self.idle.items():
            if spent > limit:
                self.idle.pop(user)
