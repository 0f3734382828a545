import pytest
from payroll import gross, payroll


def test_bonus():
    assert gross({"salary": 3000, "bonus": 200}) == 3200


def test_negative():
    with pytest.raises(ValueError, match="negative"):
        gross({"salary": -1})


def test_without_bonus():
    assert payroll([{"salary": 3000, "bonus": 200}, {"salary": 2500}]) == 5700
