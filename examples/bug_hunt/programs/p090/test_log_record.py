from datetime import datetime

from log_record import Record, render


def test_nothing():
    assert render([]) == ""


def test_render():
    text = render([Record(datetime(2024, 1, 1, 1), "info", "up"), Record(datetime(2024, 1, 1, 2), "warn", "hot")])
    assert text.splitlines()[1] == '{"at": "2024-01-01 02:00:00", "level": "warn", "text": "hot"}'
