from savings import Jar


def test_before_the_first_week():
    assert Jar().coins(0) == 0


def test_first_week():
    assert Jar(5).coins(1) == 5


def test_fourth_week():
    assert Jar().coins(4) == 10
