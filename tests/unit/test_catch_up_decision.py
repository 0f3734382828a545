"""When a run over a topic's partitions is asked for, and which executions lag."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from debug_loop_pipeline.effects.consumer_offsets import PartitionLag
from debug_loop_pipeline.sensors.catch_up import PATIENCE, CatchUp, plan_catch_up
from debug_loop_pipeline.sensors.dirty_days import FIRST_WAIT, LONGEST_WAIT
from debug_loop_pipeline.sensors.execution_lag import partitions_behind

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOTHING = "all is read"


def plan(behind: list[int], running: int = 0, failures: list[datetime] | None = None, now: datetime = NOW) -> CatchUp:
    return plan_catch_up(behind, running, failures or [], now, NOTHING)


def test_nothing_is_asked_for_where_nothing_lags() -> None:
    assert plan([], running=1, failures=[NOW]) == CatchUp(reason=NOTHING)


def test_one_run_covers_every_partition_that_lags() -> None:
    assert plan([7, 2]) == CatchUp(2, 7)


def test_a_run_in_progress_sees_to_it() -> None:
    answer = plan([3], running=1)
    assert answer.first is None
    assert "1 run" in answer.reason


def test_each_failure_doubles_the_wait_up_to_the_longest() -> None:
    for failures, wait in ((1, FIRST_WAIT), (2, 2 * FIRST_WAIT), (4, 8 * FIRST_WAIT), (50, LONGEST_WAIT)):
        just_before = plan([3], failures=[NOW] * failures, now=NOW + wait - timedelta(seconds=1))
        assert just_before.first is None, failures
        assert "failed lately" in just_before.reason
        assert plan([3], failures=[NOW] * failures, now=NOW + wait).first == 3, failures


def test_what_is_young_is_left_to_the_service_and_what_is_old_or_never_read_lags() -> None:
    lags = [
        PartitionLag(0, 0, NOW - 9 * PATIENCE),
        PartitionLag(1, 5, NOW - PATIENCE / 2),
        PartitionLag(2, 5, NOW - PATIENCE),
        PartitionLag(3, 1, None),
    ]
    assert partitions_behind(lags, NOW) == [2, 3]
