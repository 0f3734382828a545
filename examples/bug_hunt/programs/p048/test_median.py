from median import median, spread


def test_spread():
    assert spread([4, 9]) == 5
    assert spread([]) == 0


def test_median():
    assert median([5, 1, 3]) == 3
    assert median([4, 1]) == 1


def test_no_values():
    assert median([]) is None
