import pytest
from gaps import free_slots


def test_slots():
    assert free_slots([(8, 9), (11, 12), (12, 13)]) == [(9, 11)]


def test_least():
    assert free_slots([(8, 9), (10, 11), (14, 15)], least=2) == [(11, 14)]


def test_no_length():
    with pytest.raises(ValueError, match="length"):
        free_slots([], least=0)
