from datetime import UTC, datetime

from sensor_gap import Monitor


def test_silent_sensors():
    monitor = Monitor()
    monitor.heard("roof")
    monitor.heard("cellar", datetime(2018, 1, 1, tzinfo=UTC))
    assert monitor.silent() == ["cellar"]


def test_nobody_there():
    assert Monitor().silent() == []
