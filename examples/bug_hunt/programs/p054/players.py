"""Players of a tournament."""

from scores import score


class Player:
    """A player and what was won."""

    def __init__(self, name, wins):
        self.name = name
        self.wins = wins

    def points(self):
        """Points of the player."""
        return score(self.wins, "senior")


def bonus_table():
    """Bonus by level."""
    return {"junior": 1, "senior": 0}
