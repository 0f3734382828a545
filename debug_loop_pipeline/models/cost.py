"""Token usage, dated prices and what an attempt cost (DOMAIN 3.10).

Belongs here: the shapes of usage, price rows and costs. Not here: how a price is found and applied
(compute/cost_tracker.py) or where the seed prices come from (compute/prices/genai_price_catalog.py). Money is Decimal, never
float.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from debug_loop_pipeline.models.base import FrozenModel, UtcDatetime

BUCKETS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
"""The disjoint token buckets, in the order of every table and report."""

PRICES_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
"""`effective_from` of a price whose beginning the source does not tell."""

NonNegativeDecimal = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class TokenBuckets(FrozenModel):
    """Tokens of a request or an attempt, in disjoint buckets. Reasoning tokens are inside `tokens_output`."""

    tokens_input: int = Field(default=0, ge=0)
    tokens_cache_read: int = Field(default=0, ge=0)
    tokens_cache_write_5m: int = Field(default=0, ge=0)
    tokens_cache_write_1h: int = Field(default=0, ge=0)
    tokens_output: int = Field(default=0, ge=0)

    @property
    def input_side(self) -> int:
        """Everything the model read: what a long-context tier is decided by."""
        return self.tokens_input + self.tokens_cache_read + self.tokens_cache_write_5m + self.tokens_cache_write_1h

    @property
    def total(self) -> int:
        """All tokens."""
        return self.input_side + self.tokens_output

    def __add__(self, other: TokenBuckets) -> TokenBuckets:
        return TokenBuckets(
            tokens_input=self.tokens_input + other.tokens_input,
            tokens_cache_read=self.tokens_cache_read + other.tokens_cache_read,
            tokens_cache_write_5m=self.tokens_cache_write_5m + other.tokens_cache_write_5m,
            tokens_cache_write_1h=self.tokens_cache_write_1h + other.tokens_cache_write_1h,
            tokens_output=self.tokens_output + other.tokens_output,
        )


class BucketPrices(FrozenModel):
    """USD per million tokens of each bucket; None = the source gives no price for it."""

    input: NonNegativeDecimal | None = None
    cache_read: NonNegativeDecimal | None = None
    cache_write_5m: NonNegativeDecimal | None = None
    cache_write_1h: NonNegativeDecimal | None = None
    output: NonNegativeDecimal | None = None


class PriceTier(FrozenModel):
    """Prices of a whole request that reads more than `above_input_tokens` (the cliff that providers bill by)."""

    above_input_tokens: int = Field(ge=0)
    prices: BucketPrices


class DailyWindow(FrozenModel):
    """Other prices between two times of the UTC day: [starts, ends), across midnight where ends <= starts."""

    starts: time
    ends: time
    prices: BucketPrices
    tiers: tuple[PriceTier, ...] = ()

    @model_validator(mode="after")
    def _naive_utc_times(self) -> Self:
        if self.starts.tzinfo is not None or self.ends.tzinfo is not None:
            raise ValueError("daily windows are UTC and carry no offset of their own")
        return self

    def holds(self, at: time) -> bool:
        """Whether the naive UTC time of day `at` lies inside."""
        if self.ends <= self.starts:
            return at >= self.starts or at < self.ends
        return self.starts <= at < self.ends


class ModelPrice(FrozenModel):
    """One dated row of the price catalog, in force in [effective_from, effective_to); None = still in force."""

    provider: str = Field(min_length=1, max_length=200)
    model: str = Field(min_length=1, max_length=400)
    effective_from: UtcDatetime = PRICES_BEGIN
    effective_to: UtcDatetime | None = None
    prices: BucketPrices
    tiers: tuple[PriceTier, ...] = ()
    """Ascending by `above_input_tokens`."""
    daily_windows: tuple[DailyWindow, ...] = ()
    """Disjoint; outside them `prices` and `tiers` hold."""
    match_pattern: str | None = None
    """Regular expression (searched in the lower-cased name) of the other names that mean this model."""
    deprecated: bool = False
    context_window: int | None = Field(default=None, ge=1)
    source: str = "manual"
    """Where the row comes from: `genai-prices <version>` or `manual`."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            raise ValueError(f"effective_to {self.effective_to} is not after effective_from {self.effective_from}")
        starts = [tier.above_input_tokens for tier in self.tiers]
        if starts != sorted(set(starts)):
            raise ValueError(f"tiers must ascend without repeats, got {starts}")
        return self

    def in_force(self, at: datetime) -> bool:
        """Whether this row holds at the aware time `at`."""
        return self.effective_from <= at and (self.effective_to is None or at < self.effective_to)


class CostCategory(StrEnum):
    """Cheap < 0.01 USD, moderate < 0.10, expensive from there on; unpriced where the cost is not known."""

    CHEAP = "cheap"
    MODERATE = "moderate"
    EXPENSIVE = "expensive"
    UNPRICED = "unpriced"


class UnpricedReason(StrEnum):
    """Why a cost is not known."""

    NO_USAGE = "no_usage"
    """The source told no tokens."""
    NO_MODEL = "no_model"
    """Tokens without a model's name."""
    UNKNOWN_MODEL = "unknown_model"
    """No row of the catalog means this model."""
    NOT_IN_FORCE = "not_in_force"
    """The model is known, but no row of it holds at that time."""
    BUCKET_WITHOUT_PRICE = "bucket_without_price"
    """A bucket in use has no price."""


class ModelCost(FrozenModel):
    """The part of an attempt's cost that one model caused."""

    provider: str | None
    """Provider of the price row, or as the source said where none was found."""
    model: str | None
    """Model of the price row, or as the source said where none was found."""
    tokens: TokenBuckets
    cost_usd: Decimal | None
    unpriced: UnpricedReason | None = None
    detail: str = ""
    """What the reason is about: the model's name as told, or the buckets without a price."""
    tier_unknown: bool = False
    """Priced at the base tier from a total over several requests that might have reached a dearer one."""


class ExecutionCost(FrozenModel):
    """What an attempt cost. `cost_usd` is None, never 0, where any part of it is unpriced."""

    cost_usd: Decimal | None
    category: CostCategory
    unpriced: UnpricedReason | None = None
    detail: str = ""
    tokens: TokenBuckets
    by_model: tuple[ModelCost, ...] = ()
    """Sorted by provider and model; one entry for each pair."""
    usage_estimated: bool = False

    @model_validator(mode="after")
    def _cost_or_reason(self) -> Self:
        unknown = self.cost_usd is None
        if unknown == (self.unpriced is None) or unknown != (self.category is CostCategory.UNPRICED):
            raise ValueError("an execution cost has either an amount with its category or a reason why it has none")
        return self
