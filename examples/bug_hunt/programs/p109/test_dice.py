from dice import likelier, ways


def test_likelier():
    assert likelier(2, 5) == 5


def test_seven():
    assert ways(7) == 6


def test_twelve():
    assert ways(12) == 1
