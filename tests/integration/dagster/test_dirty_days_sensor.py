"""The sensor on a real instance: what it asks for, what it leaves to runs in flight, and how long it waits after failures."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from debug_loop_pipeline.assets.debug_intelligence import CLOSING
from debug_loop_pipeline.sensors import dirty_days as sensor_module
from debug_loop_pipeline.sensors.dirty_days import FIRST_WAIT, RANGE_END, RANGE_START
from debug_loop_pipeline.steps.framework import Span
from tests.integration.dagster.conftest import Pipeline
from tests.support.events import START, fixed_task

FIRST = START.date()
JOB = "debug_intelligence_job"


def evaluate(pipeline: Pipeline) -> dg.SensorResult | dg.SkipReason:
    with dg.build_sensor_context(instance=pipeline.instance, resources={"postgres": pipeline.postgres}) as context:
        answer = pipeline.defs.resolve_sensor_def("dirty_days")(context)
    assert isinstance(answer, (dg.SensorResult, dg.SkipReason))
    return answer


def asked(pipeline: Pipeline) -> list[tuple[date, date]]:
    answer = evaluate(pipeline)
    requests = answer.run_requests or [] if isinstance(answer, dg.SensorResult) else []
    assert all(request.run_key is None for request in requests)  # a key would ask once and never again
    return [
        (date.fromisoformat(request.tags[RANGE_START]), date.fromisoformat(request.tags[RANGE_END]))
        for request in requests
    ]


def reason(pipeline: Pipeline) -> str:
    answer = evaluate(pipeline)
    assert isinstance(answer, dg.SkipReason)
    return answer.skip_message or ""


def a_run(
    pipeline: Pipeline, span: Span, status: dg.DagsterRunStatus, *, job: str = JOB, **more: object
) -> dg.DagsterRun:
    """A run as the instance knows it, without running it."""
    run = dg.DagsterRun(
        job_name=job,
        status=dg.DagsterRunStatus.NOT_STARTED,
        tags={RANGE_START: span.first.isoformat(), RANGE_END: span.last.isoformat()},
        **more,  # type: ignore[arg-type]
    )
    pipeline.instance.add_run(run)
    if status is dg.DagsterRunStatus.FAILURE:
        pipeline.instance.report_run_failed(run)
    elif status is dg.DagsterRunStatus.CANCELED:
        pipeline.instance.report_run_canceled(run)
    elif status is not dg.DagsterRunStatus.NOT_STARTED:
        event = {
            dg.DagsterRunStatus.STARTED: dg.DagsterEventType.RUN_START,
            dg.DagsterRunStatus.SUCCESS: dg.DagsterEventType.RUN_SUCCESS,
        }[status]
        pipeline.instance.report_dagster_event(dg.DagsterEvent(event.value, job), run.run_id)
    return run


@pytest.fixture
def dirty(pipeline: Pipeline) -> Pipeline:
    """Three days are dirty: the first, the second and the third of March."""
    pipeline.ingest([event for day in range(2) for event in fixed_task(f"task-{day}", day=day)])
    return pipeline


THREE = Span(FIRST, FIRST + timedelta(days=2))
ALL = [(THREE.first, THREE.last)]


def test_nothing_dirty_is_skipped_with_that_reason(pipeline: Pipeline) -> None:
    assert reason(pipeline) == "no day has new or changed executions"


def test_contiguous_dirty_days_are_asked_for_in_one_run_again_and_again_until_it_is_there(dirty: Pipeline) -> None:
    assert asked(dirty) == ALL
    assert asked(dirty) == ALL


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_days_in_flight_are_not_asked_for(dirty: Pipeline, status: dg.DagsterRunStatus) -> None:
    a_run(dirty, Span(FIRST, FIRST), status)
    assert asked(dirty) == [(FIRST + timedelta(days=1), THREE.last)]
    a_run(dirty, THREE, status)
    assert reason(dirty) == "dirty days: 3 in a run already"


def test_days_of_a_backfill_are_in_flight_where_it_settles_them(dirty: Pipeline) -> None:
    partial = frozenset({dg.AssetKey("execution_attempts")})
    a_run(dirty, THREE, dg.DagsterRunStatus.STARTED, job="__ASSET_JOB", asset_selection=partial)
    assert asked(dirty) == ALL
    whole = partial | {dg.AssetKey(CLOSING)}
    a_run(dirty, THREE, dg.DagsterRunStatus.STARTED, job="__ASSET_JOB", asset_selection=whole)
    assert asked(dirty) == []


def test_a_run_of_another_job_is_none_of_the_sensors_business(dirty: Pipeline) -> None:
    a_run(dirty, THREE, dg.DagsterRunStatus.STARTED, job="another_job")
    assert asked(dirty) == ALL


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
def test_days_whose_run_failed_wait_longer_each_time(
    dirty: Pipeline, status: dg.DagsterRunStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        ahead = timedelta(0)

        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + cls.ahead

    monkeypatch.setattr(sensor_module, "datetime", Clock)
    a_run(dirty, THREE, status)
    assert "3 failed lately and wait until" in reason(dirty)
    Clock.ahead = FIRST_WAIT
    assert asked(dirty) == ALL
    a_run(dirty, THREE, status)
    assert asked(dirty) == []
    Clock.ahead = FIRST_WAIT * 2 + timedelta(seconds=10)
    assert asked(dirty) == ALL
    a_run(dirty, THREE, dg.DagsterRunStatus.SUCCESS)
    Clock.ahead = timedelta(0)
    assert asked(dirty) == ALL


def test_what_the_sensor_asked_for_makes_the_days_clean(dirty: Pipeline) -> None:
    [(first, last)] = asked(dirty)
    assert dirty.run(Span(first, last)).success
    assert reason(dirty) == "no day has new or changed executions"


def test_a_database_that_does_not_answer_fails_the_tick_and_is_not_taken_for_clean_days(dirty: Pipeline) -> None:
    dirty.execute("alter table dirty_days rename to gone")
    with pytest.raises(Exception, match="dirty_days"):
        evaluate(dirty)
