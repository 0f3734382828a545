"""Asks for one run per range of dirty days that no run in flight covers.

Level-triggered: what is dirty stays dirty until a run has taken its marks away. So there is no cursor that could skip anything, and
no `run_key`, which would deduplicate for ever. What a cursor would remember, the runs themselves tell: which days are in flight, and
which have just failed and wait.
"""

import time
from bisect import bisect
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from debug_loop_pipeline.effects.execution_store import ExecutionStore
from debug_loop_pipeline.partitions import DATE_FORMAT
from debug_loop_pipeline.resources.servers import PostgresResource
from debug_loop_pipeline.settings import load_settings
from debug_loop_pipeline.steps.framework import MAX_STEP, Span, contiguous_spans

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
PARTITION = "dagster/partition"
MAX_RUNS_PER_TICK = 4
MAX_DAYS_PER_RUN = 366
"""A longer range is cut, so that one run stays a matter of minutes and its progress shows."""
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=30)
"""A day whose runs fail is asked for again after `FIRST_WAIT`, then after twice as long each time, at most this."""
REMEMBERED = timedelta(hours=6)
"""How far back failures are looked for: enough for the seven in a row that lead to the longest wait."""
WHOLE_EVERY = timedelta(minutes=10)
"""All checks and the plots speak of whole tables; no event waits for them, and they take longer than a few events do."""
_MOST_PAST_RUNS = 500
_LOOK_EVERY_S = 0.2
AnyJob = dg.JobDefinition | UnresolvedAssetJobDefinition
IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run over some days that is over. One that a person cancelled counts as failed: it must not come back at once."""

    span: Span
    failed: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask for, and why the other dirty days are not asked for."""

    ranges: tuple[Span, ...]
    in_flight: int = 0
    outside: int = 0
    waiting: int = 0
    next_try: datetime | None = None
    """When the first of the waiting days is asked for again."""

    def why_nothing(self) -> str:
        """For the sensor's skip reason."""
        reasons = []
        if self.in_flight:
            reasons.append(f"{self.in_flight} in a run already")
        if self.waiting and self.next_try is not None:
            reasons.append(f"{self.waiting} failed lately and wait until {self.next_try:%H:%M:%S} UTC or longer")
        if self.outside:
            reasons.append(f"{self.outside} outside the partitions")
        return "dirty days: " + ", ".join(reasons) if reasons else "no day has new or changed executions"


def plan_runs(
    dirty: Iterable[date], in_flight: Sequence[Span], ended: Sequence[EndedRun], first: date, last: date, now: datetime
) -> Plan:
    """Which ranges to ask for, oldest first, at most `MAX_RUNS_PER_TICK`.

    Contiguous days share a run, and so do days at most `MAX_STEP` apart: the clean days between them cost less than a run.

    Args:
        dirty: days with marks.
        in_flight: the days of runs that are queued or running; they are left to those.
        ended: runs that ended lately. A day waits after `n` failures in a row (since its last success).
        first: the first partition.
        last: the last partition, today.
        now: the time of the tick.
    """
    wanted: list[date] = []
    covered: list[date] = []
    waiting: dict[date, datetime] = {}
    outside = 0
    for day in sorted(set(dirty)):
        if not first <= day <= last:
            outside += 1
        elif any(_covers(span, day) for span in in_flight):
            covered.append(day)
        elif (ready := _ready_at(day, ended)) is not None and ready > now:
            waiting[day] = ready
        else:
            wanted.append(day)
    ranges = _ranges(wanted, [*covered, *waiting])[:MAX_RUNS_PER_TICK]
    return Plan(tuple(ranges), len(covered), outside, len(waiting), min(waiting.values(), default=None))


def _covers(span: Span, day: date) -> bool:
    return span.first <= day <= span.last


def _ready_at(day: date, ended: Sequence[EndedRun]) -> datetime | None:
    """When a day whose last runs failed may be asked for again; None where its last run did not fail."""
    runs = sorted((run for run in ended if _covers(run.span, day)), key=lambda run: run.at, reverse=True)
    failures = next((i for i, run in enumerate(runs) if not run.failed), len(runs))
    if failures == 0:
        return None
    doublings = min(failures - 1, 16)  # beyond that the wait is the longest anyway
    return runs[0].at + min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)


def _ranges(wanted: Iterable[date], left_alone: Iterable[date]) -> list[Span]:
    """Ranges of the wanted days; none runs over a day that is left alone for now."""
    borders = sorted(left_alone)
    ranges: list[Span] = []
    for _, side_by_side in groupby(wanted, key=lambda day: bisect(borders, day)):
        ranges += contiguous_spans(side_by_side, MAX_DAYS_PER_RUN, MAX_STEP)
    return ranges


def span_of_tags(tags: dict[str, str]) -> Span | None:
    """The days a run was asked for, or None where its tags name none."""
    first = tags.get(RANGE_START) or tags.get(PARTITION)
    last = tags.get(RANGE_END) or first
    return Span(date.fromisoformat(first), date.fromisoformat(last)) if first and last else None


@dataclass(frozen=True, slots=True)
class SettlingRuns:
    """Which runs take the marks of their days away when they succeed; others leave them, however many days they compute."""

    job_names: Collection[str]
    closing: dg.AssetKey
    """The asset that takes the marks away."""

    def span(self, run: dg.DagsterRun) -> Span | None:
        """The days that a run settles. A backfill from the UI runs under a job name of Dagster's own and names its assets."""
        settles = self.closing in run.asset_selection if run.asset_selection else run.job_name in self.job_names
        return span_of_tags(dict(run.tags)) if settles else None

    def in_flight(self, instance: dg.DagsterInstance) -> list[Span]:
        """The days of runs that are queued or running."""
        runs = instance.get_runs(filters=dg.RunsFilter(statuses=IN_FLIGHT))
        return [span for run in runs if (span := self.span(run)) is not None]

    def ended(self, instance: dg.DagsterInstance, since: datetime) -> list[EndedRun]:
        """The runs that ended lately."""
        filters = dg.RunsFilter(statuses=ENDED, updated_after=since)
        return [
            EndedRun(span, record.dagster_run.status is not dg.DagsterRunStatus.SUCCESS, ended_at(record))
            for record in instance.get_run_records(filters, limit=_MOST_PAST_RUNS)
            if (span := self.span(record.dagster_run)) is not None
        ]


def span_to_check(last_whole: datetime | None, last_live: EndedRun | None, now: datetime) -> Span | None:
    """The days of the last live run, where nothing has looked at the tables since and it is time to.

    Args:
        last_whole: when the last run with all checks was asked for; None: not within `WHOLE_EVERY`, or never.
        last_live: the last run without them that succeeded.
        now: the time of the tick.
    """
    if last_live is None or last_whole is not None or now - last_live.at < WHOLE_EVERY:
        return None
    return last_live.span


def dirty_days_sensor(whole: AnyJob, live: AnyJob, settling: SettlingRuns) -> dg.SensorDefinition:
    """The sensor that asks for runs of a daily job.

    A tick with nothing to ask for looks again for `sensor_wait_seconds`, so that what comes in is seen at once, with a tick every few
    seconds and not five a second.

    Args:
        whole: the job with all checks and plots, asked for at most every `WHOLE_EVERY`, and once more when it has become quiet.
        live: the same with the blocking checks alone, asked for in between.
        settling: which runs take dirty marks away.
    """

    @dg.sensor(
        name="dirty_days",
        jobs=[whole, live],
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="One run per range of days with new or changed executions; days whose runs fail wait longer each time.",
    )
    def dirty_days(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> dg.SensorResult | dg.SkipReason:
        settings, store = load_settings(), ExecutionStore(postgres.database())
        until = time.monotonic() + settings.sensor_wait_seconds
        while not (plan := _plan(context.instance, store, settling, settings.first_partition)).ranges:
            if time.monotonic() >= until:
                break
            time.sleep(_LOOK_EVERY_S)
        now = datetime.now(UTC)
        looked_at = _last_asked(context.instance, whole.name, now)
        ranges, job = plan.ranges, live if looked_at else whole
        if not ranges and plan.in_flight == 0:
            quiet = span_to_check(looked_at, _last_done(context.instance, whole.name, live.name, settling, now), now)
            ranges = () if quiet is None else (quiet,)
        if not ranges:
            return dg.SkipReason(plan.why_nothing())
        return dg.SensorResult(run_requests=[_request(job.name, span) for span in ranges])

    return dirty_days


def _last_asked(instance: dg.DagsterInstance, job_name: str, now: datetime) -> datetime | None:
    """When a run of the job was last asked for, within `WHOLE_EVERY`."""
    filters = dg.RunsFilter(job_name=job_name, created_after=now - WHOLE_EVERY)
    return next((record.create_timestamp for record in instance.get_run_records(filters, limit=1)), None)


def _last_done(
    instance: dg.DagsterInstance, whole: str, live: str, settling: SettlingRuns, now: datetime
) -> EndedRun | None:
    """The last live run that succeeded lately; None where a whole one was asked for after it."""
    filters = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS], job_name=live, created_after=now - REMEMBERED)
    record = next(iter(instance.get_run_records(filters, limit=1)), None)
    if record is None or (span := settling.span(record.dagster_run)) is None:
        return None
    later = dg.RunsFilter(job_name=whole, created_after=record.create_timestamp)
    return None if instance.get_run_records(later, limit=1) else EndedRun(span, False, ended_at(record))


def _plan(instance: dg.DagsterInstance, store: ExecutionStore, settling: SettlingRuns, first: date) -> Plan:
    if not store.dirty_days():
        return Plan(())
    # Runs before marks: a run that ends in between took its marks away, and they are not seen.
    in_flight, now = settling.in_flight(instance), datetime.now(UTC)
    dirty = store.dirty_days()
    ended = settling.ended(instance, now - REMEMBERED) if dirty else []
    return plan_runs(dirty, in_flight, ended, first, now.date(), now)


def ended_at(record: dg.RunRecord) -> datetime:
    """When a run ended."""
    # A run cancelled while it was queued has no end of its own.
    return datetime.fromtimestamp(record.end_time or record.update_timestamp.timestamp(), UTC)


def _request(job_name: str, span: Span) -> dg.RunRequest:
    return dg.RunRequest(
        job_name=job_name,
        tags={RANGE_START: span.first.strftime(DATE_FORMAT), RANGE_END: span.last.strftime(DATE_FORMAT)},
    )
