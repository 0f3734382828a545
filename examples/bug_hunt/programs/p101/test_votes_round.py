from votes_round import eliminate, leader


def test_leader():
    assert leader({"a": 3, "b": 5}) == "b"


def test_eliminate():
    assert eliminate({"a": 3, "b": 50, "c": 1, "d": 20}, 10) == {"b": 50, "d": 20}
