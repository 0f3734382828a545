from planets import answer, weight


def test_weight():
    assert weight(70, "earth") == 70


def test_answer():
    assert answer("70 on mars") == 26
