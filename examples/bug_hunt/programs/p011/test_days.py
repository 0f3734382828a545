from days import games, training


def test_games():
    assert games(4) == 6


def test_training():
    assert training(1, 3) == 120
