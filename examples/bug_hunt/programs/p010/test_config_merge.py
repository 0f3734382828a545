import pytest
from config_merge import merged


def test_later_wins():
    assert merged('{"a": 1, "b": 1}', '{"b": 2}') == {"a": 1, "b": 2}


def test_nothing():
    with pytest.raises(ValueError, match="nothing"):
        merged()
