"""Fuel of a car."""


class Tank:
    """A tank that is filled in steps."""

    def __init__(self):
        self.fills = []

    def fill(self, litres):
        """Takes down a fill."""
        self.fills.append(litres)

    def litres(self):
        """Litres in all, to two decimals."""
        amount = 0.0
        for litres in self.fills:
            amount = amount + litres
        return amount
