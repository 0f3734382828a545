"""When a partition of the ledger lags: what is young is the service's, what is old is asked for."""

from __future__ import annotations

from datetime import UTC, datetime

from debug_loop_pipeline.effects.consumer_offsets import PartitionLag
from debug_loop_pipeline.sensors.catch_up import PATIENCE
from debug_loop_pipeline.sensors.token_economy import lagging

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD = NOW - 2 * PATIENCE
YOUNG = NOW - PATIENCE / 2


def test_nothing_lags_where_everything_is_folded() -> None:
    assert lagging([PartitionLag(n, 0, OLD) for n in range(10)], {}, NOW) == []


def test_what_is_young_is_left_to_the_service() -> None:
    assert lagging([PartitionLag(1, 5, YOUNG)], {1: YOUNG, 2: YOUNG}, NOW) == []


def test_what_is_old_is_asked_for_once_whether_it_is_unpublished_or_not_folded() -> None:
    folded = [PartitionLag(1, 1, OLD), PartitionLag(2, 1, None), PartitionLag(5, 0, OLD), PartitionLag(7, 1, YOUNG)]
    assert lagging(folded, {7: OLD, 1: OLD, 6: YOUNG}, NOW) == [1, 2, 7]
