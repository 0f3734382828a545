"""Retention of runs, and runs whose process is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from debug_loop_pipeline.sensors import maintenance
from debug_loop_pipeline.sensors.maintenance import SILENT_FOR, silent_runs, standing_materializations
from debug_loop_pipeline.sensors.price_list import price_list_sensor
from debug_loop_pipeline.steps.framework import Span
from tests.integration.dagster.conftest import Pipeline
from tests.support.events import START, fixed_task

FIRST = START.date()


def aged(pipeline: Pipeline, days: int) -> None:
    """Makes every run so far so many days older."""
    with pipeline.instance.run_storage.connect() as connection:
        connection.exec_driver_sql(f"update runs set create_timestamp = create_timestamp - interval '{days} days'")


def purge(pipeline: Pipeline, **config: object) -> dict[str, int]:
    job = pipeline.defs.resolve_job_def("maintenance_job")
    result = job.execute_in_process(
        instance=pipeline.instance, run_config={"ops": {"purge_old_runs": {"config": config}}} if config else {}
    )
    counts = result.output_for_node("purge_old_runs")
    pipeline.instance.delete_run(result.run_id)
    return counts


def run_ids(pipeline: Pipeline) -> set[str]:
    return {run.run_id for run in pipeline.instance.get_runs()}


def test_old_runs_go_with_their_events_unless_what_they_materialised_still_stands(pipeline: Pipeline) -> None:
    pipeline.ingest(fixed_task("task", day=0))
    two_days = Span(FIRST, FIRST + timedelta(days=1))
    first_day, second_day = Span(FIRST, FIRST), Span(FIRST + timedelta(days=1), FIRST + timedelta(days=1))
    only = ("execution_attempts", "error_patterns")
    superseded = pipeline.run(two_days, only=only)
    half = pipeline.run(first_day, only=only)
    newest = pipeline.run(second_day, only=only)
    standing = standing_materializations(pipeline.instance)
    aged(pipeline, 31)
    young = pipeline.run(first_day, only=only)
    assert run_ids(pipeline) == {superseded.run_id, half.run_id, newest.run_id, young.run_id}

    assert purge(pipeline, dry_run=True) == {"deleted": 2, "kept": 1}
    assert purge(pipeline, keep_days=60) == {"deleted": 0, "kept": 0}
    assert purge(pipeline, most_runs=1) == {"deleted": 1, "kept": 0}
    assert run_ids(pipeline) == {half.run_id, newest.run_id, young.run_id}
    assert purge(pipeline) == {"deleted": 1, "kept": 1}
    assert run_ids(pipeline) == {newest.run_id, young.run_id}
    assert list(pipeline.instance.all_logs(superseded.run_id)) == []
    assert list(pipeline.instance.all_logs(newest.run_id)) != []

    key = dg.AssetKey("execution_attempts")
    materialised = pipeline.instance.get_materialized_partitions(key)
    assert materialised == {FIRST.isoformat(), (FIRST + timedelta(days=1)).isoformat()}
    assert standing_materializations(pipeline.instance) & standing


def test_a_run_that_is_not_over_stays_however_old_it_is(pipeline: Pipeline) -> None:
    run = dg.DagsterRun(job_name="debug_intelligence_job", status=dg.DagsterRunStatus.STARTED)
    pipeline.instance.add_run(run)
    aged(pipeline, 400)
    assert purge(pipeline) == {"deleted": 0, "kept": 0}
    assert run.run_id in run_ids(pipeline)


def test_only_runs_that_were_silent_for_long_are_dead() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    last_events = {"b": now - SILENT_FOR * 2, "a": now - SILENT_FOR * 3, "alive": now - SILENT_FOR, "new": now}
    assert silent_runs(last_events, now) == ["a", "b"]


def test_a_dead_run_is_reported_as_failed_and_a_living_one_is_not(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = dg.DagsterRun(job_name="debug_intelligence_job")
    pipeline.instance.add_run(dead)
    pipeline.instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", dead.job_name), dead.run_id)
    context = dg.build_sensor_context(instance=pipeline.instance)
    sensor = pipeline.defs.resolve_sensor_def("dead_runs")
    assert sensor(context).skip_message == "1 runs in progress, 0 of them dead"

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + SILENT_FOR + timedelta(minutes=1)

    monkeypatch.setattr(maintenance, "datetime", Later)
    assert sensor(context).skip_message == "1 runs in progress, 1 of them dead"
    found = pipeline.instance.get_run_by_id(dead.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.FAILURE
    assert sensor(context).skip_message == "0 runs in progress, 0 of them dead"


def test_maintenance_runs_every_night_unless_it_is_stopped(pipeline: Pipeline) -> None:
    schedule = pipeline.defs.resolve_schedule_def("maintenance")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert schedule.cron_schedule == "17 4 * * *"


def test_the_price_list_is_asked_for_once_per_version(monkeypatch: pytest.MonkeyPatch) -> None:
    sensor = price_list_sensor("model_price_catalog_job")
    context = dg.build_sensor_context()
    assert sensor(context).run_key == sensor(context).run_key
    before = sensor(context).run_key
    monkeypatch.setattr("debug_loop_pipeline.sensors.price_list.version", lambda _: "999")
    assert sensor(context).run_key == "genai-prices 999" != before
