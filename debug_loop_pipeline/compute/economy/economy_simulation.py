"""An economy of N peers over D days, by seed: to choose rewards, limits and decay before using them (DOMAIN 4.3, 4.6).

Belongs here: a made-up population and what it does each day. What its doings earn, cost and come to is asked of the very
functions that decide in earnest. Not here: showing the result (cli), real data.

The population: how much a peer does is log-normal, how well it writes a beta distribution around its own skill, how much
of what it gives exists already grows with what there is, and what is reused is drawn by how much each peer has given.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from debug_loop_pipeline.compute.economy.economic_metrics import COLUMNS, economic_metrics
from debug_loop_pipeline.compute.reward_calculator import calculate_reward
from debug_loop_pipeline.compute.token_spender import cover, decay_amount, millitokens
from debug_loop_pipeline.models.contribution import (
    CodeSpan,
    Contribution,
    ContributionKind,
    DecisionStatus,
    RewardContext,
)
from debug_loop_pipeline.models.economic_metrics import EconomicMetrics
from debug_loop_pipeline.models.token import TransactionType
from debug_loop_pipeline.settings import EconomySettings

FIRST_DAY = date(2026, 1, 1)
"""Day 0 of every simulation."""

_SPAN = CodeSpan(function="simulated")
_MICRO_USD = 1_000_000


@dataclass(frozen=True, slots=True)
class SimulationParameters:
    """The population. Rates are means per peer and day."""

    peers: int = 100
    days: int = 90
    seed: int = 0
    contributions: float = 0.5
    """STFs given."""
    fixes: float = 0.05
    goldens: float = 0.02
    """Golden states approved."""
    uses: float = 1.0
    """Measured successes with another peer's STF or fix."""
    golden_uses: float = 0.1
    spending_usd: float = 0.05
    """What a peer would like to spend."""
    transfers: float = 0.01
    inequality: float = 0.8
    """Sigma of the log-normal activity; 0 = all do the same."""
    duplicates: float = 0.6
    """Share of STFs that exist already once there is much to write again."""

    def __post_init__(self) -> None:
        if self.peers < 1 or self.days < 1:
            raise ValueError(f"an economy of {self.peers} peers over {self.days} days has nothing to show")
        rates = (self.contributions, self.fixes, self.goldens, self.uses, self.golden_uses)
        if min(*rates, self.spending_usd, self.transfers, self.inequality) < 0 or not 0 <= self.duplicates <= 1:
            raise ValueError("rates are not below zero, and the share of duplicates is between 0 and 1")


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What became of the economy. Amounts are millitokens."""

    days: tuple[EconomicMetrics, ...]
    balances: tuple[int, ...]
    """By peer, at the end."""
    wanted: int
    """What peers would have spent."""
    uncovered: int
    """What of it they could not pay."""
    decayed: int
    statuses: dict[DecisionStatus, int]
    """How many contributions ended in each."""

    def frame(self) -> pd.DataFrame:
        """One row per day: gini, velocity, earnings_vs_spending, concentration (NaN where undefined), supply, flows."""
        return pd.DataFrame(
            {
                "day": [day.day for day in self.days],
                **{
                    metric.name: [getattr(day, metric.name).value for day in self.days]
                    for metric in self.days[0].metrics
                },
                **{
                    name: [getattr(day, name) for day in self.days]
                    for name in ("supply", "minted", "burned", "spent", "transferred", "contributors")
                },
            }
        )


def simulate(parameters: SimulationParameters, economy: EconomySettings | None = None) -> SimulationResult:
    """Run an economy. The same parameters and settings give the same result."""
    return _Economy(parameters, economy or EconomySettings()).run()


class _Economy:
    """The state of one simulation."""

    def __init__(self, parameters: SimulationParameters, economy: EconomySettings) -> None:
        self._p = parameters
        self._economy = economy
        self._rng: Generator = np.random.default_rng(parameters.seed)
        n = parameters.peers
        activity = self._rng.lognormal(0.0, parameters.inequality, n)
        self._activity: NDArray[np.float64] = activity / activity.mean()
        self._skill = self._rng.beta(4.0, 2.0, n)
        self._names = [f"peer-{i:0{len(str(n - 1))}d}" for i in range(n)]
        self._balances = [0] * n
        self._last_active = [0] * n
        self._given = np.zeros(n)
        self._written = 0
        self._goldens: list[tuple[int, int, int]] = []
        """(owner, reuses paid, millitokens paid)."""
        self._rewarded_today = [0] * n
        self._rows: list[tuple[str, str, int, datetime]] = []
        self._statuses = dict.fromkeys(DecisionStatus, 0)
        self._number = self._wanted = self._uncovered = self._decayed = 0
        self._day = 0
        self._now = datetime.combine(FIRST_DAY, time(12), UTC)

    def run(self) -> SimulationResult:
        windows = max(self._economy.metrics_window_days, self._economy.spending_window_days)
        recent: list[pd.DataFrame] = []
        opening = 0
        metrics = []
        for day in range(self._p.days):
            self._day = day
            self._now = datetime.combine(FIRST_DAY + timedelta(days=day), time(12), UTC)
            self._rows = []
            self._rewarded_today = [0] * self._p.peers
            self._give()
            self._reuse()
            self._spend()
            self._transfer()
            self._decay()
            recent.append(_frame(self._rows))
            if len(recent) > windows:
                opening += int(recent.pop(0)["amount"].sum())
            filled = [frame for frame in recent if len(frame)] or recent[:1]
            date_of = FIRST_DAY + timedelta(days=day)
            metrics.append(economic_metrics(pd.concat(filled), date_of, self._economy, opening))
        return SimulationResult(
            days=tuple(metrics),
            balances=tuple(self._balances),
            wanted=self._wanted,
            uncovered=self._uncovered,
            decayed=self._decayed,
            statuses=self._statuses,
        )

    def _give(self) -> None:
        for peer in self._doers(self._p.contributions):
            # What is easy to write has been written: duplicates come with the store's size.
            share = self._p.duplicates * self._written / (self._written + 10 * self._p.peers)
            similarity = 1.0 if self._rng.random() < share else float(self._rng.beta(2.0, 4.0))
            complexity = float(self._rng.choice([1.0, 0.8, 0.6, 0.4, 0.2], p=[0.6, 0.2, 0.1, 0.05, 0.05]))
            self._decide(ContributionKind.STF, peer, self._quality(peer), similarity, complexity)
            self._given[peer] += 1
            self._written += 1
        for peer in self._doers(self._p.fixes):
            self._decide(ContributionKind.FIX, peer)
        for peer in self._doers(self._p.goldens):
            quality = float(self._rng.uniform(0.8, 1.0))
            if self._decide(ContributionKind.GOLDEN_STATE, peer, quality):
                self._goldens.append((peer, 0, 0))

    def _reuse(self) -> None:
        if self._written:
            users = self._doers(self._p.uses)
            owners = self._rng.choice(self._p.peers, size=len(users), p=self._given / self._written)
            for user, owner in zip(users, owners.tolist(), strict=True):
                if owner != user:
                    self._decide(ContributionKind.REUSE, owner, used_by=user)
        if not self._goldens:
            return
        for user in self._doers(self._p.golden_uses):
            chosen = int(self._rng.integers(len(self._goldens)))
            owner, paid, amount = self._goldens[chosen]
            if owner != user:
                context = RewardContext(golden_reuses_paid=paid, golden_reuse_amount=amount)
                earned = self._decide(ContributionKind.GOLDEN_REUSE, owner, used_by=user, context=context)
                self._goldens[chosen] = owner, paid + bool(earned), amount + earned

    def _spend(self) -> None:
        if not self._p.spending_usd:
            return
        wishes = self._rng.exponential(self._p.spending_usd, self._p.peers)
        for peer, wish in enumerate(wishes):
            wanted = millitokens(Decimal(int(wish * _MICRO_USD)) / _MICRO_USD)
            spent, uncovered = cover(wanted, self._balances[peer])
            self._wanted += wanted
            self._uncovered += uncovered
            self._book(peer, TransactionType.SPENT, -spent)

    def _transfer(self) -> None:
        for giver in self._doers(self._p.transfers):
            receiver = int(self._rng.integers(self._p.peers))
            amount = int(self._balances[giver] * self._rng.uniform(0.0, 0.5))
            if receiver != giver:
                self._book(giver, TransactionType.TRANSFERRED, -amount)
                self._book(receiver, TransactionType.TRANSFERRED, amount)

    def _decay(self) -> None:
        rate, days = self._economy.decay_daily_rate, self._economy.decay_idle_days
        if not rate:
            return
        for peer, balance in enumerate(self._balances):
            idle = timedelta(days=self._day - self._last_active[peer])
            lost = decay_amount(balance, idle, rate, days)
            self._decayed += lost
            self._book(peer, TransactionType.ADJUSTMENT, -lost, active=False)

    def _doers(self, rate: float) -> list[int]:
        """Peers that do something today, each as often as it does it, in random order."""
        often = self._rng.poisson(rate * self._activity)
        return [int(peer) for peer in self._rng.permutation(np.repeat(np.arange(self._p.peers), often))]

    def _quality(self, peer: int) -> float:
        skill = float(self._skill[peer])
        return round(float(self._rng.beta(1 + 8 * skill, 1 + 8 * (1 - skill))), 4)

    def _decide(
        self,
        kind: ContributionKind,
        peer: int,
        quality: float | None = None,
        similarity: float | None = None,
        complexity: float | None = None,
        used_by: int | None = None,
        context: RewardContext | None = None,
    ) -> int:
        """Decide one contribution by the real rules and book it; millitokens earned."""
        self._number += 1
        is_stf = kind is ContributionKind.STF
        contribution = Contribution(
            contribution_id=UUID(int=self._number),
            kind=kind,
            peer_id=self._names[peer],
            attempt_id=UUID(int=self._number),
            occurred_at=self._now,
            subject=str(self._number),
            span=_SPAN if is_stf else None,
            code="" if is_stf else None,
            language="python" if is_stf else None,
            quality_score=quality,
            complexity_score=complexity,
            used_by_peer_id=self._names[used_by] if used_by is not None else None,
        )
        rewarded = self._rewarded_today[peer]
        limits = {"rewarded_on_attempt_day": rewarded, "rewarded_on_decision_day": rewarded}
        seen = (context or RewardContext()).model_copy(update=limits)
        reward = calculate_reward(contribution, seen, similarity, self._economy)
        self._statuses[reward.status] += 1
        if reward.amount:
            self._rewarded_today[peer] += 1
            self._book(peer, TransactionType.EARNED, reward.amount)
        return reward.amount

    def _book(self, peer: int, kind: TransactionType, amount: int, *, active: bool = True) -> None:
        if not amount:
            return
        self._balances[peer] += amount
        if active:
            self._last_active[peer] = self._day
        self._rows.append((self._names[peer], kind.value, amount, self._now))


def _frame(rows: list[tuple[str, str, int, datetime]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"amount": "int64"}).assign(timestamp=pd.to_datetime(frame["timestamp"], utc=True))
