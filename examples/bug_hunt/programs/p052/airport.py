"""Names of airports."""

AIRPORTS = {"OSL": "Oslo", "FRA": "Frankfurt", "JFK": "New York"}


class Ticket:
    """A flight from one airport to another, as the agency prints it."""

    def __init__(self, text):
        self.start, self.end = text.split(">")

    def route(self):
        """Names of both ends."""
        start = AIRPORTS[self.start]
        return start, AIRPORTS.get(self.end.strip(), "?")
