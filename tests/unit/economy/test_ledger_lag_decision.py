"""When a partition of the ledger lags: what is young is the service's, what is old is asked for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from debug_loop_pipeline.sensors.catch_up import PATIENCE
from debug_loop_pipeline.sensors.token_economy import PartitionLag, lagging, partition_lags

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD = NOW - 2 * PATIENCE
YOUNG = NOW - PATIENCE / 2


def test_nothing_lags_where_everything_is_folded() -> None:
    assert lagging([PartitionLag(n) for n in range(10)], NOW) == []


@pytest.mark.parametrize(
    "lag",
    [
        PartitionLag(1, unpublished=5, oldest_unpublished=YOUNG),
        PartitionLag(1, unfolded=5, last_folded=YOUNG),
        PartitionLag(1, unpublished=5, oldest_unpublished=YOUNG, unfolded=5, last_folded=YOUNG),
    ],
)
def test_what_is_young_is_left_to_the_service(lag: PartitionLag) -> None:
    assert lagging([lag], NOW) == []


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
    assert lagging([lag, PartitionLag(5)], NOW) == [1]


def test_the_lag_of_a_partition_joins_what_waits_with_what_the_broker_has() -> None:
    lags = partition_lags({2: (4, OLD)}, {2: (10, YOUNG), 3: (7, OLD)}, {2: 12, 3: 7, 4: 1})
    assert lags[2] == PartitionLag(2, 4, OLD, 2, YOUNG)
    assert lags[3] == PartitionLag(3, 0, None, 0, OLD)
    assert lags[4] == PartitionLag(4, 0, None, 1, None)
    assert lags[0] == PartitionLag(0)


def test_a_broker_that_ends_before_what_was_read_is_no_lag() -> None:
    assert partition_lags({}, {0: (10, OLD)}, {0: 3})[0].unfolded == 0
