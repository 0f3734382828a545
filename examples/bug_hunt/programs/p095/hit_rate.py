"""How well a cache works."""


class Statistics:
    """Hits and misses."""

    def __init__(self):
        self.hits = 0
        self.requests = 0

    def note(self, hit):
        """Takes down a request."""
        self.requests += 1
        self.hits += hit

    def rate(self):
        """Share of hits, 0 before the first request."""
        return self.hits / self.requests
