from ratings import best, mean_stars


def test_mean():
    assert mean_stars([4, 5]) == 4.5


def test_best_with_a_new_film():
    assert best({"old": [2, 3], "new": []}) == "old"


def test_no_votes():
    assert mean_stars([]) == 0
