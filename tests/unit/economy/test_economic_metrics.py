"""DOMAIN 4.6: the metrics of a day, each against an implementation of its own."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debug_loop_pipeline.compute.economy.economic_metrics import (
    economic_metrics,
    gini,
    lorenz_curve,
    top_share,
    velocity,
)
from debug_loop_pipeline.models.economic_metrics import MetricStatus

DAY = date(2026, 3, 31)
VALUES = st.lists(st.integers(0, 10**9), min_size=1, max_size=40)


def pairwise_gini(values: list[int]) -> float:
    """By its definition: mean absolute difference of all ordered pairs over twice the mean."""
    n = len(values)
    return sum(abs(a - b) for a, b in itertools.product(values, values)) / (2 * n * sum(values))


def area_gini(values: list[int]) -> float:
    """1 - twice the area under the Lorenz curve."""
    held, area = 0, 0.0
    for value in sorted(values):
        area += (held + held + value) / 2 / sum(values) / len(values)
        held += value
    return 1 - 2 * area


@given(VALUES)
def test_gini_agrees_with_the_pairwise_definition_and_with_the_lorenz_area(values: list[int]):
    found = gini(np.array(values, dtype=float))
    if sum(values) == 0:
        assert found is None
        return
    assert found == pytest.approx(pairwise_gini(values), abs=1e-9)
    assert found == pytest.approx(area_gini(values), abs=1e-9)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([5, 5, 5, 5], 0.0), ([0, 0, 0, 1], 0.75), ([1, 2, 3, 4], 0.25), ([1, 1, 1, 7], 0.45), ([3], 0.0)],
)
def test_gini_of_known_distributions(values: list[float], expected: float):
    assert gini(np.array(values, dtype=float)) == pytest.approx(expected)


def test_gini_of_nothing_or_below_zero_is_not_defined():
    assert gini(np.array([])) is None
    assert gini(np.zeros(5)) is None
    with pytest.raises(ValueError, match="not defined"):
        gini(np.array([-1.0, 5.0]))


@given(VALUES, st.integers(1, 50))
def test_the_lorenz_curve_is_convex_from_zero_to_one_below_the_diagonal(values: list[int], points: int):
    curve = lorenz_curve(np.array(values, dtype=float), points)
    if sum(values) == 0:
        assert curve == ()
        return
    assert curve[0] == (0.0, 0.0)
    assert curve[-1] == pytest.approx((1.0, 1.0))
    assert len(curve) <= points + 1
    assert all(held <= share + 1e-9 for share, held in curve)
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.pairwise(curve)]
    assert all(a <= b + 1e-6 for a, b in itertools.pairwise(slopes))


def test_the_top_tenth_is_rounded_up_to_whole_peers():
    assert top_share(np.array([9.0, 1.0])) == 0.9
    assert top_share(np.ones(20)) == pytest.approx(0.1)
    assert top_share(np.ones(21)) == pytest.approx(3 / 21)
    assert top_share(np.zeros(3)) is None


def test_velocity_needs_a_supply():
    assert velocity(50, 500.0) == 0.1
    assert velocity(50, 0.0) is None


Row = tuple[str, str, int, datetime]


def at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def ago(days: int, hour: int = 12) -> datetime:
    return at(DAY - timedelta(days=days), hour)


def frame(rows: list[Row]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["peer_id", "transaction_type", "amount", "timestamp"])


def earned(peers: int, amount: int = 1_000, days: int = 3) -> list[Row]:
    return [(f"p{i}", "earned", amount, ago(days)) for i in range(peers)]


def statuses(rows: list[Row], **more) -> dict[str, str]:
    return {m.name: m.status.value for m in economic_metrics(frame(rows), DAY, **more).metrics}


@st.composite
def ledgers(draw: st.DrawFn) -> list[Row]:
    rows = []
    for _ in range(draw(st.integers(0, 60))):
        kind, sign = draw(
            st.sampled_from(
                [
                    ("earned", 1),
                    ("spent", -1),
                    ("bonus", 1),
                    ("adjustment", -1),
                    ("transferred", 1),
                    ("transferred", -1),
                    ("hold", 1),
                    ("release", -1),
                ]
            )
        )
        rows.append(
            (
                f"p{draw(st.integers(0, 15))}",
                kind,
                sign * draw(st.integers(1, 10**6)),
                ago(draw(st.integers(-2, 40)), draw(st.integers(0, 23))),
            )
        )
    return rows


@settings(max_examples=40, deadline=None)
@given(ledgers(), st.integers(0, 10**6))
def test_every_number_agrees_with_a_plain_loop_over_the_ledger(rows: list[Row], opening: int):
    found = economic_metrics(frame(rows), DAY, opening_supply=opening)
    opened, closed = opening, opening
    minted = burned = spent = transferred = 0
    window: dict[str, int] = defaultdict(int)
    for peer, kind, amount, when in rows:
        if when.date() > DAY or kind in ("hold", "release"):
            continue
        closed += amount
        if when.date() < DAY:
            opened += amount
        elif kind == "transferred":
            transferred += max(0, amount)
        else:
            minted += max(0, amount)
            burned += max(0, -amount)
            spent += -amount if kind == "spent" else 0
        if kind == "earned" and when.date() > DAY - timedelta(days=30):
            window[peer] += amount
    week = [row for row in rows if DAY - timedelta(days=7) < row[3].date() <= DAY and row[0] in window]
    assert (found.supply, found.mean_supply) == (closed, (opened + closed) / 2)
    assert (found.minted, found.burned, found.spent, found.transferred) == (minted, burned, spent, transferred)
    assert found.contributors == len(window)
    assert found.earnings == sum(amount for _, kind, amount, _ in week if kind == "earned")
    assert found.spending == -sum(amount for _, kind, amount, _ in week if kind == "spent")
    if opened + closed > 0:
        assert found.velocity.value == pytest.approx((spent + transferred) / ((opened + closed) / 2))
    if window:
        assert found.gini.value == pytest.approx(pairwise_gini(list(window.values())), abs=1e-9)
        top = sorted(window.values(), reverse=True)[: -(-len(window) // 10)]
        assert found.concentration.value == pytest.approx(sum(top) / sum(window.values()))
    enough = len(window) >= 10 and (closed > 0 or opened + closed > 0)
    assert all((m.status is MetricStatus.NOT_ENOUGH_DATA) != enough for m in found.metrics)


def test_a_healthy_economy_passes():
    rows = earned(10) + [(f"p{i}", "spent", -500, ago(0)) for i in range(10)]
    assert statuses(rows) == {
        "gini": "passed",
        "velocity": "passed",
        "earnings_vs_spending": "passed",
        "concentration": "information",
    }


def test_an_economy_where_one_has_it_all_and_nothing_moves_fails():
    rows = [
        *earned(10, 1),
        ("p0", "earned", 10**6, ago(2)),
        ("p0", "bonus", 10**9, ago(20)),
        ("p0", "spent", -(2 * 10**6), ago(1)),
    ]
    assert statuses(rows) == {
        "gini": "failed",
        "velocity": "failed",
        "earnings_vs_spending": "failed",
        "concentration": "information",
    }


def test_the_targets_are_strict():
    # 1,000 spent of a mean supply of (10,500 + 9,500) / 2.
    half = [*earned(10, 1_000), ("a", "spent", -1_000, ago(0)), ("b", "bonus", 500, ago(5))]
    found = economic_metrics(frame(half), DAY)
    assert found.velocity.value == pytest.approx(1_000 / 10_000)
    assert found.velocity.status is MetricStatus.FAILED


def test_nine_contributors_are_not_enough_and_neither_is_no_supply():
    assert set(statuses(earned(9)).values()) == {"not_enough_data"}
    assert set(statuses([]).values()) == {"not_enough_data"}
    broke = earned(10) + [(f"p{i}", "spent", -1_000, ago(2)) for i in range(10)]
    found = economic_metrics(frame(broke), DAY)
    assert {m.status for m in found.metrics} == {MetricStatus.NOT_ENOUGH_DATA}
    assert "no supply" in found.gini.detail


def test_windows_end_with_the_day_and_begin_30_and_7_days_before():
    inside, outside = ago(29, 0), ago(30, 23)
    found = economic_metrics(frame([("in", "earned", 1, inside), ("out", "earned", 1, outside)]), DAY)
    assert (found.contributors, found.supply) == (1, 2)
    week = [("in", "earned", 5, ago(6, 0)), ("in", "earned", 7, ago(7, 23)), ("other", "spent", -3, ago(1))]
    found = economic_metrics(frame(week), DAY)
    assert (found.earnings, found.spending) == (5, 0)


def test_spending_by_peers_that_gave_nothing_is_left_out_of_the_comparison():
    rows = [*earned(10), ("consumer", "bonus", 10**7, ago(5)), ("consumer", "spent", -(10**6), ago(1))]
    assert statuses(rows)["earnings_vs_spending"] == "passed"


def test_a_frame_without_a_column_is_refused():
    with pytest.raises(ValueError, match="lacks amount"):
        economic_metrics(frame([]).drop(columns="amount"), DAY)
