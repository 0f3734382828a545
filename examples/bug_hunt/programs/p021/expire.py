"""A store whose entries run out."""


class Store:
    """Values with the second at which they run out."""

    def __init__(self):
        self.entries = {}

    def put(self, key, value, until):
        """Stores a value."""
        self.entries[key] = (value, until)

    def sweep(self, now):
        """Removes what has run out."""
        for key in self.entries:
            if self.entries[key][1] <= now:
                del self.entries[key]
        return len(self.entries)
