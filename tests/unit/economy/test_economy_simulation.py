"""The made-up economy: by seed the same, conserving, and sensitive to the settings it is there to try."""

from __future__ import annotations

import pytest

from debug_loop_pipeline.compute.economy.economy_simulation import SimulationParameters, simulate
from debug_loop_pipeline.models.contribution import DecisionStatus
from debug_loop_pipeline.models.economic_metrics import MetricStatus
from debug_loop_pipeline.settings import EconomySettings

SMALL = SimulationParameters(peers=25, days=20, seed=3)


def test_the_same_seed_gives_the_same_economy_and_another_another():
    assert simulate(SMALL) == simulate(SMALL)
    assert simulate(SMALL).balances != simulate(SimulationParameters(peers=25, days=20, seed=4)).balances


def test_what_was_minted_less_what_was_burned_is_what_peers_have():
    result = simulate(SMALL)
    assert sum(result.balances) == result.days[-1].supply
    assert result.days[-1].supply == sum(day.minted - day.burned for day in result.days)
    assert min(result.balances) >= 0
    assert result.wanted - result.uncovered == sum(day.spent for day in result.days)


def test_its_days_make_a_frame_with_one_row_each():
    frame = simulate(SMALL).frame()
    assert len(frame) == 20
    assert {"day", "gini", "velocity", "supply", "minted", "spent"} <= set(frame.columns)
    assert frame["gini"].between(0, 1).all()


def test_decay_takes_from_who_is_idle_only():
    idle = SimulationParameters(peers=25, days=20, seed=3, contributions=0.02, uses=0, golden_uses=0, spending_usd=0)
    off, on = simulate(idle), simulate(idle, EconomySettings(decay_daily_rate=0.1, decay_idle_days=5))
    assert off.decayed == 0
    assert on.decayed > 0
    assert on.days[-1].supply == sum(on.balances) == sum(day.minted for day in on.days) - on.decayed


def test_a_limit_a_day_bounds_who_gives_most():
    busy = SimulationParameters(peers=12, days=10, seed=3, contributions=15)
    free, limited = simulate(busy, EconomySettings(rewards_per_attempt_day=10_000)), simulate(busy)
    assert free.statuses[DecisionStatus.RATE_LIMITED] == 0
    assert limited.statuses[DecisionStatus.RATE_LIMITED] > 0
    assert limited.statuses[DecisionStatus.REWARDED] <= 12 * 10 * 20


def test_unequal_activity_makes_unequal_earnings():
    even = simulate(SimulationParameters(peers=40, days=30, seed=1, inequality=0.0)).days[-1].gini
    uneven = simulate(SimulationParameters(peers=40, days=30, seed=1, inequality=1.5)).days[-1].gini
    assert even.value is not None
    assert uneven.value is not None
    assert even.value < uneven.value
    assert uneven.status is MetricStatus.FAILED


def test_an_economy_of_nine_says_it_has_not_enough_data():
    assert simulate(SimulationParameters(peers=9, days=5)).days[-1].gini.status is MetricStatus.NOT_ENOUGH_DATA


def test_an_economy_where_nothing_happens_is_empty():
    still = SimulationParameters(
        peers=3, days=2, contributions=0, fixes=0, goldens=0, uses=0, golden_uses=0, transfers=0
    )
    result = simulate(still)
    assert result.balances == (0, 0, 0)
    assert result.days[-1].supply == 0


@pytest.mark.parametrize("wrong", [{"peers": 0}, {"days": 0}, {"uses": -1.0}, {"duplicates": 1.5}])
def test_parameters_without_sense_are_refused(wrong: dict):
    with pytest.raises(ValueError, match=r"nothing to show|not below zero"):
        SimulationParameters(**wrong)
