"""Scores of a tournament."""

from players import bonus_table

BONUS = bonus_table()


def score(wins, level="junior"):
    """Points for wins, with the bonus of a level."""
    return 3 * wins + BONUS[level]
