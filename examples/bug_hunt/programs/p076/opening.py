"""Openings in a collection of chess games."""


def opening(moves):
    """Name of the opening by its first move, None before the first move."""
    names = {"e4": "king's pawn", "d4": "queen's pawn", "c4": "english"}
    return names.get(moves[0], "other")


def statistics(games):
    """How many games began with each opening."""
    counts = {}
    for moves in games:
        name = opening(moves)
        counts[name] = counts.get(name, 0) + 1
    return counts
