from leader import leader, podium


def test_podium():
    assert podium([("a", 3), ("b", 1), ("c", 2), ("d", 4)]) == ["b", "c", "a"]


def test_leader():
    assert leader([("a", 3), ("b", 1)]) == "b"


def test_nobody_has_finished():
    assert leader([]) is None
