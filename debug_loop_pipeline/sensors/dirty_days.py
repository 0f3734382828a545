"""Asks for one run per contiguous range of dirty days that no run in flight covers.

Level-triggered: what is dirty stays dirty until a run has taken its marks away, so there is no cursor that could skip anything, and no
`run_key`, which would deduplicate for ever.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from debug_loop_pipeline.effects.execution_store import ExecutionStore
from debug_loop_pipeline.partitions import DATE_FORMAT
from debug_loop_pipeline.resources.servers import PostgresResource
from debug_loop_pipeline.settings import load_settings
from debug_loop_pipeline.steps.framework import Span

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
PARTITION = "dagster/partition"
MAX_RUNS_PER_TICK = 4
MAX_DAYS_PER_RUN = 366
"""A longer range is cut, so that one run stays a matter of minutes and its progress shows."""
IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def plan_runs(dirty: Iterable[date], in_flight: Sequence[Span], first: date, last: date) -> list[Span]:
    """The ranges to ask for: maximal contiguous dirty days inside [first, last] that no run in flight covers, oldest first."""
    wanted = sorted(
        day
        for day in set(dirty)
        if first <= day <= last and not any(span.first <= day <= span.last for span in in_flight)
    )
    ranges: list[Span] = []
    for day in wanted:
        newest = ranges[-1] if ranges else None
        if (
            newest is not None
            and day - newest.last == timedelta(days=1)
            and (day - newest.first).days < MAX_DAYS_PER_RUN
        ):
            ranges[-1] = Span(newest.first, day)
        else:
            ranges.append(Span(day, day))
    return ranges[:MAX_RUNS_PER_TICK]


def span_of_tags(tags: dict[str, str]) -> Span | None:
    """The days a run was asked for, or None where its tags name none."""
    first = tags.get(RANGE_START) or tags.get(PARTITION)
    last = tags.get(RANGE_END) or first
    return Span(date.fromisoformat(first), date.fromisoformat(last)) if first and last else None


def dirty_days_sensor(job: UnresolvedAssetJobDefinition) -> dg.SensorDefinition:
    """The sensor for a daily job."""

    @dg.sensor(
        name="dirty_days",
        job=job,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="One run per contiguous range of days with new or changed executions.",
    )
    def dirty_days(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> dg.SensorResult | dg.SkipReason:
        dirty = ExecutionStore(postgres.database()).dirty_days()
        if not dirty:
            return dg.SkipReason("no day has new or changed executions")
        running = context.instance.get_runs(filters=dg.RunsFilter(job_name=job.name, statuses=IN_FLIGHT))
        spans = [span for run in running if (span := span_of_tags(dict(run.tags))) is not None]
        today = datetime.now(UTC).date()
        ranges = plan_runs(dirty, spans, load_settings().first_partition, today)
        if not ranges:
            return dg.SkipReason(
                f"{len(dirty)} dirty days, all of them covered by {len(spans)} runs in flight or outside the partitions"
            )
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    tags={RANGE_START: span.first.strftime(DATE_FORMAT), RANGE_END: span.last.strftime(DATE_FORMAT)}
                )
                for span in ranges
            ]
        )

    return dirty_days
