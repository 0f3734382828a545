"""Shapes on a canvas."""

from drawing import palette

COLOURS = palette(3)


class Square:
    """A square in a colour."""

    def __init__(self, side, colour=0):
        self.side = side
        self.colour = COLOURS[colour]

    def area(self):
        """Its area."""
        return self.side * self.side
