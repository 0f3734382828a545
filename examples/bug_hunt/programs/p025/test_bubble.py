from bubble import arrange, one_pass


def test_one_pass():
    cards = [2, 1, 3]
    assert one_pass(cards)
    assert cards == [1, 2, 3]


def test_arrange():
    assert arrange([4, 1, 3, 2]) == [1, 2, 3, 4]
