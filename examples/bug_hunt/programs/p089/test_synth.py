import pytest
from synth import Chain


def test_order_is_kept():
    assert Chain().gain(3).delay(0.5).gain(-3).names() == ["gain", "delay", "gain"]


def test_negative_delay():
    with pytest.raises(ValueError, match="negative"):
        Chain().delay(-1)
