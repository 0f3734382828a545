"""Snapshots of a game."""

import rapidjson as codec


class Game:
    """A level and what the player carries."""

    def __init__(self, level=1, bag=()):
        self.level = level
        self.bag = list(bag)

    def save(self):
        """The game as text."""
        return codec.dumps({"level": self.level, "bag": self.bag})

    @classmethod
    def load(cls, text):
        """A game from its text."""
        return cls(**codec.loads(text))
