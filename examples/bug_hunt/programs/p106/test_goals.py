from goals import per_game, ranking


def test_per_game():
    assert per_game(9, 3) == 3


def test_ranking_before_the_season():
    assert ranking({"new": (0, 0), "old": (4, 2)}) == ["old", "new"]
