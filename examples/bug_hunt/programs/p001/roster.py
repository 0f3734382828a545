"""Who plays in which team."""


class Team:
    """A team and its players."""

    def __init__(self, city, *, players=[]):
        self.city = city
        self.players = players

    def sign(self, *names):
        """Signs players."""
        self.players.extend(names)
        return self


def squad(team):
    """Players in alphabetical order."""
    return sorted(team.players)
