from datetime import UTC, datetime, timedelta

from deploy_log import recent


def test_old_deploys_are_left_out():
    assert recent() == []


def test_recent_ones_are_named():
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert recent([("jobs", hour_ago)]) == ["jobs"]
