from scores import score


def test_score():
    assert score(2) == 7


def test_player():
    from players import Player

    assert Player("Ann", 4).points() == 12
