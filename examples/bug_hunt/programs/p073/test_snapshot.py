from snapshot import Game


def test_text():
    assert Game(2).save() == '{"level": 2, "bag": []}'


def test_there_and_back():
    game = Game.load(Game(3, ["key"]).save())
    assert game.level == 3
    assert game.bag == ["key"]
