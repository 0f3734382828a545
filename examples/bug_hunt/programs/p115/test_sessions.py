from datetime import UTC, datetime

from sessions import EPOCH, Session, oldest


def test_age():
    assert Session("ann", EPOCH).age_days() > 18_000


def test_oldest():
    assert oldest([Session("bo", datetime(2020, 1, 1, tzinfo=UTC)), Session("ann", EPOCH)]) == "ann"
