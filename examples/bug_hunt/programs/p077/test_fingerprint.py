from datetime import datetime

from fingerprint import changed, fingerprint


def test_order_does_not_matter():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_times_matter():
    assert changed({"at": datetime(2024, 1, 1)}, {"at": datetime(2024, 1, 2)})
    assert not changed({"at": datetime(2024, 1, 1)}, {"at": datetime(2024, 1, 1)})
