"""Counts votes by district."""


class Election:
    """Votes by district and party."""

    def __init__(self, results):
        self.results = results

    def votes(self, party):
        """Votes of a party over all districts."""
        return sum(district[party] for district in self.results.values())

    def winner(self, district):
        """The strongest party of a district."""
        return max(self.results[district], key=self.results[district].get)
