from turtle_path import Walker


def test_east():
    assert Walker().east(2).place() == (2, 0)


def test_there_and_further():
    assert Walker().east(2).north(3).east(1).place() == (3, 3)
