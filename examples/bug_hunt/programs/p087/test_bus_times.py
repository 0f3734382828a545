import json

from bus_times import departures, screen


def test_departures():
    assert [at.minute for at in departures(3)] == [0, 20, 40]


def test_screen():
    assert json.loads(screen(2)) == {"line": 7, "departures": ["2024-06-01 06:00:00", "2024-06-01 06:20:00"]}
