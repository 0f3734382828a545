from interest import after_years, doubles


def test_doubles():
    assert doubles(7) == 11


def test_no_years():
    assert after_years(50.0, 3, 0) == 50.0


def test_three_years():
    assert after_years(100.0, 1, 3) == 103.03
