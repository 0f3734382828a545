"""A jar into which a growing amount is put each week."""


class Jar:
    """Coins, one more each week."""

    def __init__(self, start=1):
        self.start = start

    def coins(self, week):
        """Coins in the jar at the end of a week, the first one being week 1."""
        total = 0
        for number in range(1, week):
            total += self.start + number - 1
        return total
