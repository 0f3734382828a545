from floors import longest, trips


def test_longest():
    assert longest(-2, 5) == 7


def test_trips():
    assert trips(0, 3) == 12
