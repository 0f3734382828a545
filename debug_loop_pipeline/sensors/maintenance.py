"""What keeps Dagster's own storage small and true: old runs go, runs whose process died are said to have failed.

Here: Dagster's runs and events (https://docs.dagster.io/deployment/oss/oss-instance-configuration says what its own retention covers:
ticks). Not here: the pipeline's tables, which hold what was learned and stay.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg
from pydantic import Field

SILENT_FOR = timedelta(minutes=15)
"""A run that wrote no event for so long is dead: a statement or a lock is waited for at most 5 minutes, and steps log every chunk."""
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_PAGE = 200
_EVENT_PAGE = 1_000


class RetentionConfig(dg.Config):
    """Which runs go. The defaults delete nothing that the UI still needs."""

    keep_days: int = Field(default=30, ge=1, description="Runs that began less than so many days ago stay.")
    most_runs: int = Field(
        default=2_000, ge=1, description="Runs deleted at once at most; the next day goes on from there."
    )
    dry_run: bool = Field(default=False, description="Only count what would go.")


@dg.op(
    description="Deletes runs past the retention, with their events and logs, unless they materialised what still stands."
)
def purge_old_runs(context: dg.OpExecutionContext, config: RetentionConfig) -> dict[str, int]:
    """Deletes old runs; one whose materialization is the latest of any partition stays, or the UI would call it missing."""
    before = datetime.now(UTC) - timedelta(days=config.keep_days)
    standing = standing_materializations(context.instance)
    deleted = kept = 0
    for run_id in _old_runs(context.instance, before):
        if deleted >= config.most_runs:
            break
        if materializations_of(context.instance, run_id) & standing:
            kept += 1
            continue
        if not config.dry_run:
            context.instance.compute_log_manager.delete_logs(prefix=[run_id])
            context.instance.delete_run(run_id)
        deleted += 1
    counts = {"deleted": deleted, "kept": kept}
    context.log.info(f"runs from before {before:%Y-%m-%d}: {counts}" + (" (dry run)" if config.dry_run else ""))
    context.add_output_metadata(counts)
    return counts


@dg.job(
    executor_def=dg.in_process_executor,
    description="Deletes Dagster's runs and events past the retention; nothing else ever does.",
)
def maintenance_job() -> None:
    """The daily maintenance."""
    purge_old_runs()


maintenance_schedule = dg.ScheduleDefinition(
    name="maintenance",
    job=maintenance_job,
    cron_schedule="17 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night. Stop it to keep every run for ever.",
)


def standing_materializations(instance: dg.DagsterInstance) -> set[int]:
    """Storage ids of the materializations that are the latest of their asset or partition."""
    standing: set[int] = set()
    for key in instance.get_asset_keys():
        kind = dg.DagsterEventType.ASSET_MATERIALIZATION
        standing |= set(instance.get_latest_storage_id_by_partition(key, kind).values())
        latest = instance.fetch_materializations(key, limit=1).records
        standing |= {record.storage_id for record in latest}
    return standing


def materializations_of(instance: dg.DagsterInstance, run_id: str) -> set[int]:
    """Storage ids of the materializations of one run."""
    found: set[int] = set()
    cursor: str | None = None
    while True:
        page = instance.get_records_for_run(
            run_id, cursor, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION, limit=_EVENT_PAGE
        )
        found |= {record.storage_id for record in page.records}
        if not page.has_more:
            return found
        cursor = page.cursor


def _old_runs(instance: dg.DagsterInstance, before: datetime) -> list[str]:
    """Ids of runs that ended and began before a time, oldest first."""
    filters = dg.RunsFilter(statuses=_ENDED, created_before=before)
    ids: list[str] = []
    # All pages before the first deletion: the cursor is a run, and after a deleted one there is no next page.
    while page := instance.get_run_records(filters, limit=_PAGE, ascending=True, cursor=ids[-1] if ids else None):
        ids += [record.dagster_run.run_id for record in page]
    return ids


def silent_runs(last_events: Mapping[str, datetime], now: datetime) -> list[str]:
    """The runs that wrote nothing for `SILENT_FOR`."""
    return sorted(run_id for run_id, at in last_events.items() if now - at > SILENT_FOR)


@dg.sensor(
    name="dead_runs",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs as failed whose process and code server died together: Dagster would call them started for ever,"
    " and their days and pools would stay taken.",
)
def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Reports dead runs as failed; `run_retries` then carries them on."""
    instance = context.instance
    started = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    runs = {record.dagster_run.run_id: record.dagster_run for record in started}
    last_events = {}
    for record in started:
        newest = instance.get_records_for_run(record.dagster_run.run_id, limit=1, ascending=False).records
        at = newest[0].timestamp if newest else record.start_time
        if at is not None:
            last_events[record.dagster_run.run_id] = datetime.fromtimestamp(at, UTC)
    dead = silent_runs(last_events, datetime.now(UTC))
    for run_id in dead:
        instance.report_run_failed(
            runs[run_id], f"No event for {SILENT_FOR}: the process of this run is gone, or it hangs."
        )
    return dg.SkipReason(f"{len(started)} runs in progress, {len(dead)} of them dead")
