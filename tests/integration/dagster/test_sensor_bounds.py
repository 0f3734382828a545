"""The tick of the day sensor where much is waiting: a million executions, a year of dirty days, many marks."""

from __future__ import annotations

import time
from datetime import date, timedelta

import dagster as dg
import pytest

from debug_loop_pipeline.sensors.dirty_days import MAX_RUNS_PER_TICK, RANGE_END, RANGE_START
from tests.integration.dagster.conftest import Pipeline

BEGIN = date(2025, 1, 1)
DAYS = 365
ROWS = 1_000_000
MARKS = 200_000
TICK_S = 10.0
"""Of the 60 s that Dagster gives a tick; 0.1 s where the machine is quiet."""

_ID = "('00000000-0000-5000-8000-' || lpad(n::text, 12, '0'))::uuid"
_INBOX = f"""
insert into execution_inbox (attempt_id, digest, day, correlation_id, started_at, evidence_rank, source_rank, steps, event, holds)
select {_ID}, md5(n::text) || md5(n::text), date '{BEGIN}' + n % {DAYS}, {_ID},
       timestamptz '{BEGIN} 12:00+00' + n % {DAYS} * interval '1 day', 1, 0, 0, '{{}}', true
from generate_series(%s, %s) n
"""
_CHUNK = 50_000


def tick(pipeline: Pipeline) -> tuple[float, list[tuple[date, date]]]:
    """Seconds and the ranges that were asked for."""
    with dg.build_sensor_context(instance=pipeline.instance, resources={"postgres": pipeline.postgres}) as context:
        started = time.perf_counter()
        answer = pipeline.defs.resolve_sensor_def("dirty_days")(context)
        spent = time.perf_counter() - started
    assert isinstance(answer, dg.SensorResult)
    return spent, [
        (date.fromisoformat(request.tags[RANGE_START]), date.fromisoformat(request.tags[RANGE_END]))
        for request in answer.run_requests or []
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_tick_is_bounded_over_a_million_executions_and_a_year_of_dirty_days(pipeline: Pipeline) -> None:
    year = (BEGIN, BEGIN + timedelta(days=DAYS - 1))
    for first in range(1, ROWS, _CHUNK):
        pipeline.execute(_INBOX.replace("%s, %s", f"{first}, {first + _CHUNK - 1}"))
    pipeline.execute(
        f"insert into dirty_days (day) select date '{BEGIN}' + n % {DAYS} from generate_series(1, {MARKS}) n",
    )
    spent, asked = min(tick(pipeline) for _ in range(3))
    print(f"a tick over {ROWS} executions and {MARKS} marks: {spent * 1000:.0f} ms")  # noqa: T201
    assert asked == [year]
    assert spent < TICK_S

    pipeline.execute(f"delete from dirty_days where (day - date '{BEGIN}') % 20 <> 0")  # far apart: no two share a run
    spent, asked = min(tick(pipeline) for _ in range(3))
    assert [first for first, _ in asked] == [BEGIN + timedelta(days=20 * n) for n in range(MAX_RUNS_PER_TICK)]
    assert spent < TICK_S
