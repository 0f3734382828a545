from digits import digit_sum, lucky


def test_digit_sum():
    assert digit_sum(205) == 7


def test_short_street():
    assert lucky(1, 6) == 0


def test_last_house_counts():
    assert lucky(1, 25) == 3
