from price_moves import Series


def test_span():
    assert Series([3, 9, 4]).span() == 6


def test_rises():
    assert Series([3, 9, 4, 5]).rises() == 2
