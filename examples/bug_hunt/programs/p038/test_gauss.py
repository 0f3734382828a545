from gauss import is_triangular, sum_to


def test_triangular():
    assert is_triangular(10)
    assert not is_triangular(11)


def test_sum():
    assert sum_to(100) == 5050
