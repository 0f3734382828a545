from tallest import mean_height, tallest


def test_mean():
    assert mean_height([("oak", 20), ("fir", 30)]) == 25
    assert mean_height([]) == 0


def test_tallest():
    assert tallest([("oak", 20), ("fir", 30), ("elm", 25)]) == ("fir", 30)


def test_no_trees():
    assert tallest([]) is None
