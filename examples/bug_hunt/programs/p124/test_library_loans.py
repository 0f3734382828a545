from datetime import UTC, datetime

from library_loans import OPENED, fine


def test_returned_late():
    assert fine(OPENED, datetime(2010, 1, 4, tzinfo=UTC)) == 60


def test_still_out():
    assert fine(OPENED) > 20 * 365 * 5
