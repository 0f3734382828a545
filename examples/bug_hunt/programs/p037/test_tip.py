import pytest
from tip import describe, tip


def test_describe():
    assert describe(50.0, 10) == "10 % of 50.00 is 5.00"


def test_negative():
    with pytest.raises(ValueError, match="negative"):
        tip(10.0, -1)


def test_tip():
    assert tip(19.99, 15) == 3.0
