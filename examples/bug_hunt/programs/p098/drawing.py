"""Draws shapes as text."""

from shapes import Square


def palette(size):
    """The first colours."""
    return ["red", "green", "blue", "black"][:size]


def draw(side):
    """A square as lines of text."""
    square = Square(side)
    return [square.colour[0] * square.side] * square.side
