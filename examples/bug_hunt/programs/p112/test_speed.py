import pytest
from speed import faster, speed


def test_speed():
    assert speed(100, 10) == 10


def test_negative():
    with pytest.raises(ValueError, match="negative"):
        speed(-1, 3)


def test_not_started():
    assert speed(0, 0) == 0
    assert faster((100, 12), (0, 0))
