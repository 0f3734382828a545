"""The leader of a race."""


def leader(times):
    """Name of the fastest runner; None before anyone has finished."""
    ranking = sorted(times, key=lambda entry: entry[1])
    return ranking[0][0]


def podium(times):
    """The first three."""
    ranking = sorted(times, key=lambda entry: entry[1])
    return [name for name, _ in ranking[:3]]
