import pytest
from route_plan import plan


def test_urgent_stop():
    assert plan("B", ["A"], first=True) == ["B", "A"]


def test_tours_are_apart():
    plan("North")
    assert plan("South") == ["South"]


def test_nameless_stop():
    with pytest.raises(ValueError, match="name"):
        plan("", [])
