from leap import is_leap, leap_years


def test_is_leap():
    assert is_leap(2000)
    assert not is_leap(1900)


def test_both_ends_count():
    assert leap_years(2000, 2024) == 7
