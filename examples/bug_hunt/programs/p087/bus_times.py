"""Departures of buses."""

import json
from datetime import datetime, timedelta

FIRST = datetime(2024, 6, 1, 6, 0)


def departures(count, minutes=20):
    """The first departures of the day."""
    return [FIRST + timedelta(minutes=minutes * n) for n in range(count)]


def screen(count):
    """What is sent to the screens."""
    payload = {"line": 7, "departures": departures(count)}
    return json.dumps(payload)
