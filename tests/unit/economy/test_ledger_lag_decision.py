"""When the ledger is folded by a run: what is young is the service's, what is old is asked for, what fails waits longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from debug_loop_pipeline.sensors.dirty_days import FIRST_WAIT, LONGEST_WAIT
from debug_loop_pipeline.sensors.token_economy import PATIENCE, LedgerPlan, PartitionLag, partition_lags, plan_fold

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD = NOW - 2 * PATIENCE
YOUNG = NOW - PATIENCE / 2


def behind(partition: int = 3) -> PartitionLag:
    return PartitionLag(partition, unpublished=5, oldest_unpublished=OLD)


def test_nothing_is_asked_for_where_nothing_lags() -> None:
    plan = plan_fold([PartitionLag(n) for n in range(10)], running=0, failures=(), now=NOW)
    assert plan.first is None
    assert "folded" in plan.reason


@pytest.mark.parametrize(
    "lag",
    [
        PartitionLag(1, unpublished=5, oldest_unpublished=YOUNG),
        PartitionLag(1, unfolded=5, last_folded=YOUNG),
        PartitionLag(1, unpublished=5, oldest_unpublished=YOUNG, unfolded=5, last_folded=YOUNG),
    ],
)
def test_what_is_young_is_left_to_the_service(lag: PartitionLag) -> None:
    assert plan_fold([lag], running=0, failures=(), now=NOW).first is None


@pytest.mark.parametrize(
    "lag",
    [
        PartitionLag(1, unpublished=1, oldest_unpublished=OLD),
        PartitionLag(1, unfolded=1, last_folded=OLD),
        PartitionLag(1, unfolded=1, last_folded=None),
        PartitionLag(1, unpublished=9, oldest_unpublished=YOUNG, unfolded=1, last_folded=OLD),
    ],
)
def test_what_is_old_is_asked_for(lag: PartitionLag) -> None:
    assert plan_fold([lag], running=0, failures=(), now=NOW) == LedgerPlan(1, 1)


def test_one_run_covers_every_partition_that_lags() -> None:
    assert plan_fold([behind(7), behind(2), PartitionLag(5)], running=0, failures=(), now=NOW) == LedgerPlan(2, 7)


def test_a_run_in_progress_sees_to_it() -> None:
    plan = plan_fold([behind()], running=1, failures=(), now=NOW)
    assert plan.first is None
    assert "1 run" in plan.reason


def test_each_failure_doubles_the_wait_up_to_the_longest() -> None:
    for failures, wait in ((1, FIRST_WAIT), (2, 2 * FIRST_WAIT), (4, 8 * FIRST_WAIT), (50, LONGEST_WAIT)):
        ended = [NOW] * failures
        just_before = plan_fold([behind()], 0, ended, NOW + wait - timedelta(seconds=1))
        assert just_before.first is None, failures
        assert "failed lately" in just_before.reason
        assert plan_fold([behind()], 0, ended, NOW + wait).first == 3, failures


def test_the_lag_of_a_partition_joins_what_waits_with_what_the_broker_has() -> None:
    lags = partition_lags({2: (4, OLD)}, {2: (10, YOUNG), 3: (7, OLD)}, {2: 12, 3: 7, 4: 1})
    assert lags[2] == PartitionLag(2, 4, OLD, 2, YOUNG)
    assert lags[3] == PartitionLag(3, 0, None, 0, OLD)
    assert lags[4] == PartitionLag(4, 0, None, 1, None)
    assert lags[0] == PartitionLag(0)


def test_a_broker_that_ends_before_what_was_read_is_no_lag() -> None:
    assert partition_lags({}, {0: (10, OLD)}, {0: 3})[0].unfolded == 0
