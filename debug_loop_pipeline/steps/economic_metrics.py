"""Step `economic_metrics`: the economy of each day in numbers, from what was folded (DOMAIN 4.6).

Here: reading the fold by day and keeping the numbers. Not here: formulas and targets (`compute/economy/economic_metrics`), plots and
severities (`checks/token_economy`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database, stage_and_upsert
from debug_loop_pipeline.effects.step_store import RowChanges
from debug_loop_pipeline.models.economic_metrics import EconomicMetrics, Metric, MetricStatus, RewardRing
from debug_loop_pipeline.models.token import MILLITOKENS_PER_TOKEN
from debug_loop_pipeline.settings import EconomySettings
from debug_loop_pipeline.steps.framework import Span, StepContext, StepReport

if TYPE_CHECKING:
    import pandas as pd

STEP = "economic_metrics"
CODE_VERSION = "metrics=1"

_COLUMNS = ("day", "metric", "status", "value", "target", "met", "sample_size", "details", "computed_at")
_FLOWS = ("supply", "minted", "burned", "spent", "transferred")
"""Amounts, kept in tokens."""


def run(context: StepContext, span: Span) -> StepReport:
    """Computes the metrics of these days, those before the first transaction left out."""
    started = time.perf_counter()
    report = StepReport(STEP, CODE_VERSION)
    now = datetime.now(UTC)
    rows = [row for day in metrics_of(context.database, span, context.settings.economy) for row in _rows(day, now)]
    with context.database.transaction(STEP) as connection:
        counts = stage_and_upsert(
            connection,
            STEP,
            _COLUMNS,
            rows,
            key=("day", "metric"),
            update=[c for c in _COLUMNS if c not in _COLUMNS[:2]],
        )
    report.rows[STEP] = RowChanges(counts.inserted, counts.updated)
    report.keys = len({row[0] for row in rows})
    report.seconds = time.perf_counter() - started
    return report


def metrics_of(database: Database, span: Span, economy: EconomySettings) -> Iterable[EconomicMetrics]:
    """The metrics of each day from the first transaction on, oldest first, as folded until now."""
    from debug_loop_pipeline.compute.economy.economic_metrics import (
        economic_metrics,  # pandas is 0.4 s of every other start
    )

    window = timedelta(days=max(economy.metrics_window_days, economy.spending_window_days))
    [known] = fetch_rows(
        database,
        "select (min(occurred_at) at time zone 'UTC')::date as first,"
        " coalesce(sum(amount) filter (where occurred_at < :from and transaction_type not in ('hold', 'release')), 0)::bigint"
        " as opening from token_transactions",
        {"from": _midnight(span.first - window)},
    )
    if known["first"] is None:
        return
    frame = _frame(database, span.first - window, span.last)
    day = max(span.first, known["first"])
    while day <= span.last:
        yield economic_metrics(frame, day, economy, known["opening"])
        day += timedelta(days=1)


def rings_of(database: Database, economy: EconomySettings) -> tuple[RewardRing, ...]:
    """Peers that reuse mostly each other's work, as it was rewarded."""
    import pandas as pd

    from debug_loop_pipeline.compute.economy.reward_rings import COLUMNS, reward_rings

    rows = fetch_rows(
        database,
        "select peer_id, used_by_peer_id, count(*) as uses from contributions"
        " where status in ('rewarded', 'rate_limited', 'unrewarded') and kind in ('reuse', 'golden_reuse') group by 1, 2",
    )
    [peers] = fetch_rows(database, "select count(*) as peers from token_accounts")
    return reward_rings(pd.DataFrame(rows, columns=list(COLUMNS)), economy, peers["peers"])


def _frame(database: Database, first: date, last: date) -> pd.DataFrame:
    """What each peer's transactions of each kind and sign came to on each day: all that the formulas ask for."""
    import pandas as pd

    from debug_loop_pipeline.compute.economy.economic_metrics import COLUMNS

    rows = fetch_rows(
        database,
        "select peer_id, transaction_type, sum(amount)::bigint as amount, date_trunc('day', occurred_at, 'UTC') as timestamp"
        " from token_transactions where occurred_at >= :from and occurred_at < :until"
        " and transaction_type not in ('hold', 'release') group by 1, 2, 4, amount > 0",
        {"from": _midnight(first), "until": _midnight(last + timedelta(days=1))},
    )
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"amount": "int64"})
    return frame.assign(timestamp=pd.to_datetime(frame["timestamp"], utc=True))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _rows(metrics: EconomicMetrics, now: datetime) -> list[tuple[Any, ...]]:
    targets = {"gini": "<", "velocity": ">", "earnings_vs_spending": ">="}
    rows = []
    for metric in metrics.metrics:
        details: dict[str, Any] = {"target": metric.target, "detail": metric.detail}
        if metric.name == "gini":
            details["lorenz"] = metrics.lorenz
        if metric.name == "earnings_vs_spending":
            details |= {"earnings": metrics.earnings, "spending": metrics.spending}
        target = float(metric.target.removeprefix(targets[metric.name])) if metric.name in targets else None
        rows.append(_judged(metrics, metric, target, details, now))
    for name in _FLOWS:
        tokens = getattr(metrics, name) / MILLITOKENS_PER_TOKEN
        rows.append((metrics.day, name, "ok", tokens, None, None, metrics.contributors, {"unit": "tokens"}, now))
    rows.append((metrics.day, "contributors", "ok", metrics.contributors, None, None, metrics.contributors, {}, now))
    return rows


def _judged(
    metrics: EconomicMetrics, metric: Metric, target: float | None, details: Mapping[str, Any], now: datetime
) -> tuple[Any, ...]:
    if metric.status is MetricStatus.NOT_ENOUGH_DATA:
        found = dict(details) | {"value": metric.value}
        return (metrics.day, metric.name, "not_enough_data", None, target, None, metrics.contributors, found, now)
    met = {MetricStatus.PASSED: True, MetricStatus.FAILED: False}.get(metric.status)
    # earnings against no spending at all: as much more as there can be
    value = float("inf") if metric.value is None else metric.value
    return (metrics.day, metric.name, "ok", value, target, met, metrics.contributors, dict(details), now)


STALE_DAYS = """
select d.day::date as day
from generate_series(
    (select (min(occurred_at) at time zone 'UTC')::date from token_transactions), cast(:today as date), interval '1 day'
) as d(day)
left join lateral (select min(computed_at) as computed_at from economic_metrics m where m.day = d.day::date) m on true
where m.computed_at is null
   or (d.day::date < :today and m.computed_at < (d.day::date + 1)::timestamp at time zone 'UTC')
   or d.day::date >= cast(:today as date) - 7 and exists (
       select from token_transactions t
       where t.occurred_at >= d.day::date::timestamp at time zone 'UTC'
         and t.occurred_at < (d.day::date + 1)::timestamp at time zone 'UTC' and t.folded_at > m.computed_at
   )
order by 1
"""
"""Days whose metrics are missing, were computed before the day was over, or before all of its transactions were folded.

What is folded later than a week after it was decided does not ask for its day again.
"""
