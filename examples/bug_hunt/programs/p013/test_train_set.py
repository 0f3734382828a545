from train_set import Train


def test_uncouple():
    assert Train().uncouple().length() == 0


def test_shunting():
    train = Train().couple("coal").couple("mail").uncouple()
    assert train.length() == 2
    assert train.cars == ["engine", "coal"]
