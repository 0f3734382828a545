"""How far a lift goes."""


def trips(lowest, highest):
    """Floors a lift passes when it visits each floor from the lowest and returns each time."""
    passed = 0
    for floor in range(lowest, highest):
        passed += 2 * (floor - lowest)
    return passed


def longest(lowest, highest):
    """The longest single way."""
    return highest - lowest
