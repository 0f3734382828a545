"""Bodies of responses."""


class Response:
    """Status and body."""

    def __init__(self, status, body):
        self.status = status
        self.body = body

    def text(self):
        """The body as text."""
        return bytes(self.body).decode(encoding="ascii")

    def summary(self):
        """Status and the first twenty characters."""
        return f"{self.status} {self.text()[:20]}"
