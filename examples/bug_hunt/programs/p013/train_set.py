"""A train to which cars are coupled."""


class Train:
    """Cars behind an engine."""

    def __init__(self):
        self.cars = ["engine"]

    def couple(self, car):
        """Adds a car at the end."""
        self.cars = [*self.cars, car]

    def uncouple(self):
        """Leaves the last car behind."""
        self.cars = self.cars[:-1]
        return self

    def length(self):
        """How many cars there are, the engine included."""
        return len(self.cars)
