"""Rounds of an election in which the last ones drop out."""


def eliminate(votes, least):
    """Removes whoever has fewer than the least votes."""
    for candidate in votes:
        if votes[candidate] < least:
            votes.pop(candidate)
    return votes


def leader(votes):
    """Who has most votes."""
    return max(votes, key=votes.get)
