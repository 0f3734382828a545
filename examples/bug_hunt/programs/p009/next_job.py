"""Which job a worker takes next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Job:
    """A job and how urgent it is; 1 is most urgent."""

    name: str
    urgency: int


def next_job(jobs: list[Job], least: int = 9) -> str | None:
    """Name of the most urgent job that is urgent enough, if there are jobs at all.

    Raises:
        ValueError: the bound lies outside the scale.
    """
    if not 1 <= least <= 9:
        raise ValueError("urgency goes from 1 to 9")
    # ties go to the job that came first
    waiting = [job for job in sorted(jobs, key=lambda job: job.urgency) if job.urgency <= least]
    return waiting[0].name
