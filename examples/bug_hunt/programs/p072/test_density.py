from density import Town, densest


def test_density():
    assert Town("A", 100, 4).density() == 25


def test_ghost_town():
    assert densest([Town("Ghost", 0, 0), Town("A", 100, 4)]) == ["A", "Ghost"]
