"""Points on a map."""

from hjson import dumps, loads


def write_points(points):
    """Points as text."""
    return dumps([{"x": x, "y": y} for x, y in points])


def read_points(text):
    """Points from text."""
    return [(point["x"], point["y"]) for point in loads(text)]
