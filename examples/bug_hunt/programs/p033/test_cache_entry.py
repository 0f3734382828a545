from datetime import UTC, datetime

from cache_entry import Entry


def test_new_entry_is_fresh():
    assert Entry("x").fresh(3600)


def test_old_entry_is_not():
    assert not Entry("x", datetime(2015, 5, 5, tzinfo=UTC)).fresh(3600)
