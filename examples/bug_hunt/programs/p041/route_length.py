"""How long a route over a map is."""


def distance(a, b):
    """Blocks between two corners of a city of squares."""
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def route_length(corners):
    """Blocks from the first corner to the last, over all the others."""
    total = 0
    for k in range(len(corners)):
        total += distance(corners[k], corners[k + 1])
    return total
