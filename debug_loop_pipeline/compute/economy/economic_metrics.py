"""The economy of a day in numbers (DOMAIN 4.6): Gini, velocity, earnings against spending, concentration, supply.

Belongs here: formulas over a frame of transactions, with their targets. Not here: reading the frame (effects), plots and
the severity of a failed check (checks), rings (compute/economy/reward_rings.py).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from math import ceil

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debug_loop_pipeline.models.economic_metrics import EconomicMetrics, Metric, MetricStatus
from debug_loop_pipeline.models.token import TransactionType
from debug_loop_pipeline.settings import EconomySettings

METRICS_VERSION = "1"

COLUMNS = ("peer_id", "transaction_type", "amount", "timestamp")
"""What the frame of transactions needs: str, str, int64 millitokens, aware UTC datetime."""

_HOLDING = (TransactionType.HOLD.value, TransactionType.RELEASE.value)
_LORENZ_POINTS = 200

Amounts = NDArray[np.float64]


def gini(values: Amounts) -> float | None:
    """Gini coefficient of non-negative values: 0 for equal ones, (n - 1) / n where one has everything.

    Half the mean absolute difference of all pairs over the mean, by ranks: sum((2i - n - 1) x_i) / (n sum(x)) with x
    ascending and i from 1. None where there is nothing to share.

    Raises:
        ValueError: A value below zero.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if ordered.size and ordered[0] < 0:
        raise ValueError(f"the Gini coefficient is not defined for {ordered[0]}")
    total = float(ordered.sum())
    if total == 0:
        return None
    n = ordered.size
    ranks = 2 * np.arange(1, n + 1) - n - 1
    return max(0.0, float(ranks @ ordered) / (n * total))


def lorenz_curve(values: Amounts, points: int = _LORENZ_POINTS) -> tuple[tuple[float, float], ...]:
    """(share of holders, share held by them), poorest first, from (0, 0) to (1, 1); at most `points` steps."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    total = float(ordered.sum())
    if total == 0:
        return ()
    held = np.concatenate([[0.0], np.cumsum(ordered) / total])
    at = np.unique(np.linspace(0, ordered.size, min(points, ordered.size) + 1).round().astype(int))
    return tuple((float(i / ordered.size), float(min(1.0, held[i]))) for i in at)


def velocity(moved: int, mean_supply: float) -> float | None:
    """Tokens spent or transferred in a day over the mean supply of that day; None without a supply."""
    return moved / mean_supply if mean_supply > 0 else None


def top_share(values: Amounts, tenth: float = 0.1) -> float | None:
    """Share of the sum that the top tenth of holders has (rounded up to whole ones); None where there is no sum."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))[::-1]
    total = float(ordered.sum())
    if total == 0:
        return None
    return min(1.0, float(ordered[: ceil(ordered.size * tenth)].sum()) / total)


def economic_metrics(
    transactions: pd.DataFrame, day: date, economy: EconomySettings | None = None, opening_supply: int = 0
) -> EconomicMetrics:
    """The metrics of one UTC day.

    Args:
        transactions: At least those of the trailing windows up to the end of `day`; see COLUMNS. Later ones are left
            out, and so are holds and releases.
        day: The day.
        economy: Other windows and targets than the defaults.
        opening_supply: Millitokens in circulation before the first transaction of the frame.

    Raises:
        ValueError: A column is missing.
    """
    economy = economy or EconomySettings()
    missing = [column for column in COLUMNS if column not in transactions.columns]
    if missing:
        raise ValueError(f"the frame of transactions lacks {', '.join(missing)}")
    starts = datetime.combine(day, time.min, UTC)
    ends = starts + timedelta(days=1)
    frame = transactions.loc[:, list(COLUMNS)]
    frame = frame[~frame["transaction_type"].isin(_HOLDING)]
    at = pd.to_datetime(frame["timestamp"], utc=True)
    frame, at = frame[at < ends], at[at < ends]

    today = frame[at >= starts]
    supply = opening_supply + _total(frame)
    mean_supply = (supply + supply - _total(today)) / 2
    own = today[today["transaction_type"] != TransactionType.TRANSFERRED.value]
    minted, burned = _total(own[own["amount"] > 0]), -_total(own[own["amount"] < 0])
    spent = -_total(_of(today, TransactionType.SPENT))
    transfers = _of(today, TransactionType.TRANSFERRED)
    transferred = _total(transfers[transfers["amount"] > 0])

    rewards = _of(frame[at >= ends - timedelta(days=economy.metrics_window_days)], TransactionType.EARNED)
    per_peer = rewards.groupby("peer_id")["amount"].sum()
    week = frame[at >= ends - timedelta(days=economy.spending_window_days)]
    theirs = week[week["peer_id"].isin(per_peer.index)]
    earnings, spending = _total(_of(theirs, TransactionType.EARNED)), -_total(_of(theirs, TransactionType.SPENT))
    earned = per_peer.to_numpy(dtype=np.float64)
    judge = _Judge(len(earned), supply, mean_supply, economy.min_contributors)
    ratio = earnings / spending if spending else None
    moved = velocity(spent + transferred, mean_supply)
    coefficient = gini(earned)
    return EconomicMetrics(
        day=day,
        supply=supply,
        mean_supply=mean_supply,
        minted=minted,
        burned=burned,
        spent=spent,
        transferred=transferred,
        contributors=len(earned),
        earnings=earnings,
        spending=spending,
        gini=judge.metric("gini", coefficient, f"< {economy.gini_below:g}", (coefficient or 0.0) < economy.gini_below),
        velocity=judge.metric(
            "velocity", moved, f"> {economy.velocity_above:g}", (moved or 0.0) > economy.velocity_above
        ),
        earnings_vs_spending=judge.metric(
            "earnings_vs_spending",
            ratio,
            ">= 1",
            earnings >= spending,
            detail="nothing was spent" if not spending else "",
        ),
        concentration=judge.metric("concentration", top_share(earned), "", None),
        lorenz=lorenz_curve(earned),
    )


class _Judge:
    """Gives a number its status; knows when there is not enough to judge by."""

    def __init__(self, contributors: int, supply: int, mean_supply: float, least: int) -> None:
        lacks = []
        if contributors < least:
            lacks.append(f"{contributors} contributors, {least} are needed")
        if supply <= 0 and mean_supply <= 0:
            lacks.append("no supply")
        self._lacks = "; ".join(lacks)

    def metric(self, name: str, value: float | None, target: str, passed: bool | None, detail: str = "") -> Metric:
        """One metric. `passed` None: it has no target."""
        if self._lacks:
            return Metric(
                name=name, value=value, target=target, status=MetricStatus.NOT_ENOUGH_DATA, detail=self._lacks
            )
        status = MetricStatus.PASSED if passed else MetricStatus.FAILED
        if passed is None:
            status = MetricStatus.INFORMATION
        return Metric(name=name, value=value, target=target, status=status, detail=detail)


def _of(frame: pd.DataFrame, kind: TransactionType) -> pd.DataFrame:
    return frame[frame["transaction_type"] == kind.value]


def _total(frame: pd.DataFrame) -> int:
    return int(frame["amount"].sum())
