from calories import calories, light


def test_known_food():
    assert calories([("apple", 200), ("egg", 100)]) == 259


def test_light():
    assert not light([("rice", 400)])


def test_unknown_food():
    assert calories([("apple", 100), ("manna", 500)]) == 52
