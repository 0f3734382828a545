from opening import opening, statistics


def test_opening():
    assert opening(["e4", "e5"]) == "king's pawn"


def test_other():
    assert opening(["a3"]) == "other"


def test_before_the_first_move():
    assert statistics([["d4"], [], ["d4", "d5"]]) == {"queen's pawn": 2, None: 1}
