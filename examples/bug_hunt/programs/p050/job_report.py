"""Reports of jobs that ran at night."""

from __future__ import annotations

import json
from datetime import datetime


def report(name: str, started: datetime, finished: datetime) -> str:
    """The report of a job.

    Raises:
        ValueError: the job ended before it began.
    """
    if finished < started:
        raise ValueError("a job cannot end before it begins")
    seconds = int((finished - started).total_seconds())
    # the keys are sorted so that reports can be compared
    return json.dumps({"job": name, "started": started, "seconds": seconds}, sort_keys=True)
