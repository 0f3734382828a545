"""When a run over the partitions of a topic is asked for: they lag, and the consumer service has not seen to it.

Here: the decision that the sensors of all our topics share. Not here: how far behind a partition is (one sensor per topic). Level-
triggered: what lags does so until it was read, so there is no cursor that could skip anything.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from debug_loop_pipeline.sensors.dirty_days import (
    ENDED,
    FIRST_WAIT,
    IN_FLIGHT,
    LONGEST_WAIT,
    RANGE_END,
    RANGE_START,
    ended_at,
)

PATIENCE = timedelta(seconds=10)
"""What is younger is left to the consumer service, which needs milliseconds."""
_REMEMBERED_RUNS = 10


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Partitions to read, or why none."""

    first: int | None = None
    last: int | None = None
    reason: str = ""


def plan_catch_up(
    behind: Collection[int], running: int, failures: Sequence[datetime], now: datetime, nothing: str
) -> CatchUp:
    """Which contiguous range of partitions to read.

    Args:
        behind: partitions that lag for longer than the consumer service needs.
        running: runs that are queued or in progress; those see to it.
        failures: ends of the runs that failed since the last success, latest first; each doubles the wait.
        now: the time of the tick.
        nothing: the reason where no partition lags.
    """
    if not behind:
        return CatchUp(reason=nothing)
    if running:
        return CatchUp(reason=f"{len(behind)} partitions lag; {running} run sees to it")
    if failures:
        ready = failures[0] + min(FIRST_WAIT * (1 << min(len(failures) - 1, 16)), LONGEST_WAIT)
        if ready > now:
            return CatchUp(
                reason=f"{len(behind)} partitions lag; runs failed lately, the next try is at {ready:%H:%M:%S} UTC"
            )
    return CatchUp(min(behind), max(behind))


def ask_for_catch_up(
    instance: dg.DagsterInstance, job_name: str, look: Callable[[], Collection[int]], nothing: str
) -> dg.RunRequest | dg.SkipReason:
    """What a tick answers, by the runs of the job so far and the partitions that `look` finds behind."""
    # Runs before partitions: a run that ends in between has read them, and they are not seen.
    running = instance.get_runs_count(dg.RunsFilter(job_name=job_name, statuses=IN_FLIGHT))
    plan = plan_catch_up(look(), running, _failures(instance, job_name), datetime.now(UTC), nothing)
    if plan.first is None or plan.last is None:
        return dg.SkipReason(plan.reason)
    return dg.RunRequest(tags={RANGE_START: str(plan.first), RANGE_END: str(plan.last)})


def _failures(instance: dg.DagsterInstance, job_name: str) -> list[datetime]:
    """Ends of the runs that failed since the last success, latest first."""
    records = instance.get_run_records(dg.RunsFilter(job_name=job_name, statuses=ENDED), limit=_REMEMBERED_RUNS)
    failures = []
    for record in records:
        if record.dagster_run.status is dg.DagsterRunStatus.SUCCESS:
            break
        failures.append(ended_at(record))
    return failures
