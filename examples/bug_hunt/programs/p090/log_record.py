"""Structured log records."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime


@dataclass
class Record:
    """One record."""

    at: datetime
    level: str
    text: str


def render(records):
    """One JSON document a line."""
    return "\n".join(json.dumps(asdict(record)) for record in records)
