"""Looks up the pictures of a game."""


class Atlas:
    """Where each picture is on a sheet."""

    def __init__(self, places):
        self.places = places

    def box(self, name, size=16):
        """Left, top, right and bottom of a picture."""
        column, row = self.places[name]
        left, top = column * size, row * size
        return left, top, left + size, top + size

    def names(self):
        """Pictures in alphabetical order."""
        return sorted(self.places)
