import pytest
from factorial import arrangements


def test_nothing_to_arrange():
    assert arrangements(0) == 1


def test_negative():
    with pytest.raises(ValueError, match="fewer"):
        arrangements(-1)


def test_five():
    assert arrangements(5) == 120
