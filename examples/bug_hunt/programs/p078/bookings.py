"""Bookings of a hotel as text."""

import json
from datetime import datetime


def export(booking):
    """A booking as JSON."""
    return json.dumps(booking)


def arrival(guest, year, month, day):
    """A booking; guests come at three in the afternoon."""
    return {"guest": guest, "arrival": datetime(year, month, day, 15)}
