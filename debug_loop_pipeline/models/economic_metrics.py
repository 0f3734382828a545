"""What is measured of the economy per day, and whether it is as it should be (DOMAIN 4.6)."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from debug_loop_pipeline.models.base import FrozenModel


class MetricStatus(StrEnum):
    """What a metric's value means."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_ENOUGH_DATA = "not_enough_data"
    """Too few contributors, or no supply: neither passed nor failed, shown as a warning."""
    INFORMATION = "information"
    """Has no target."""


class Metric(FrozenModel):
    """One number with its target."""

    name: str
    value: float | None
    """None where it is not defined. A value may stand beside `not_enough_data`."""
    target: str = ""
    """For people, such as `< 0.5`."""
    status: MetricStatus
    detail: str = ""


class EconomicMetrics(FrozenModel):
    """One UTC day of the economy. Amounts are millitokens."""

    day: date
    supply: int
    """Sum of all balances at the end of the day."""
    mean_supply: float
    """Mean of the supply at the beginning and at the end of the day."""
    minted: int = Field(ge=0)
    """Rewards, grants and upward corrections of the day."""
    burned: int = Field(ge=0)
    """Spends, decay and downward corrections of the day."""
    spent: int = Field(ge=0)
    transferred: int = Field(ge=0)
    """What changed hands that day, each transfer once."""
    contributors: int = Field(ge=0)
    """Peers with a reward in the trailing window."""
    earnings: int
    """Of those contributors in the window of the spending comparison."""
    spending: int
    """Likewise."""
    gini: Metric
    velocity: Metric
    earnings_vs_spending: Metric
    concentration: Metric
    """Share of the window's rewards that went to the top tenth of contributors."""
    lorenz: tuple[tuple[float, float], ...] = ()
    """(share of contributors, share of earnings), from (0, 0) to (1, 1); empty without contributors."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The judged numbers, in the order of reports."""
        return self.gini, self.velocity, self.earnings_vs_spending, self.concentration


METRIC_MEANINGS = {
    "gini": "how unequal contributors earned in the last 30 days: 0 all alike, 1 one has all",
    "velocity": "share of the supply that was spent or transferred that day",
    "earnings_vs_spending": "what contributors earned in the last 7 days for each token they spent",
    "concentration": "share of the last 30 days' rewards that went to the top tenth of contributors",
    "supply": "all balances together at the end of the day",
    "minted": "rewards, grants and upward corrections of the day",
    "burned": "spending, decay and downward corrections of the day",
    "spent": "paid for attempts that day",
    "transferred": "changed hands between peers that day",
    "contributors": "peers with a reward in the last 30 days",
}
"""What each number is, for people; the windows are those of the default settings."""


class RewardRing(FrozenModel):
    """Peers that reuse mostly each other's work."""

    peers: tuple[str, ...]
    """Sorted."""
    uses_inside: int = Field(ge=0)
    uses_received: int = Field(ge=0)
    """Of their work, by anybody."""
    uses_made: int = Field(ge=0)
    """By them, of anybody's work."""
    share: float = Field(ge=0.0, le=1.0)
    """Inside uses as a share of those received or made, whichever is smaller."""

    @model_validator(mode="after")
    def _at_least_two(self) -> Self:
        if len(self.peers) < 2:
            raise ValueError("a ring has two peers at least")
        return self
