"""CostTrackerCompute: token buckets x dated prices -> cost and category (DOMAIN 3.10).

Belongs here: which price row holds, and the arithmetic. Not here: the catalog's storage (effects) or its seed
(compute/prices/genai_price_catalog.py).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal

from debug_loop_pipeline.compute.prices.model_names import billing_providers, spellings
from debug_loop_pipeline.models.cost import (
    BUCKETS,
    BucketPrices,
    CostCategory,
    ExecutionCost,
    ModelCost,
    ModelPrice,
    PriceTier,
    TokenBuckets,
    UnpricedReason,
)
from debug_loop_pipeline.models.execution import ExecutionEvent, UsageRecord

COST_TRACKER_VERSION = 1


@dataclass(frozen=True, slots=True)
class CostLimits:
    """Where the categories of a cost end, in USD (DOMAIN 3.10)."""

    cheap_below: Decimal = Decimal("0.01")
    moderate_below: Decimal = Decimal("0.10")


DEFAULT_LIMITS = CostLimits()

_EXACT = Context(prec=60)
"""Wide enough that no sum of an attempt is rounded, whatever the caller's own context says."""
_MILLION_EXPONENT = -6

_ModelKey = tuple[str, str]


class PriceBook:
    """The catalog's rows, ready to be asked for the price in force. Built once for a batch; answers are remembered."""

    def __init__(self, rows: Iterable[ModelPrice]) -> None:
        by_model: dict[_ModelKey, list[ModelPrice]] = defaultdict(list)
        for row in rows:
            by_model[row.provider.lower(), row.model.lower()].append(row)
        self._rows: dict[_ModelKey, tuple[ModelPrice, ...]] = {
            key: tuple(sorted(found, key=lambda row: row.effective_from, reverse=True))
            for key, found in by_model.items()
        }
        self._providers = frozenset(provider for provider, _ in self._rows)
        self._patterns: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._compiled: dict[str, tuple[tuple[str, re.Pattern[str]], ...]] = {}
        carriers: dict[str, set[str]] = defaultdict(set)
        # Where two patterns take one name, the longer model id is the more specific.
        for provider, model in sorted(self._rows, key=lambda key: (key[0], -len(key[1]), key[1])):
            found = self._rows[provider, model]
            carriers[model].add(provider)
            for pattern in dict.fromkeys(row.match_pattern for row in found if row.match_pattern):
                self._patterns[provider].append((model, pattern))
        self._only_carrier = {model: next(iter(found)) for model, found in carriers.items() if len(found) == 1}
        self._resolved: dict[tuple[str | None, str], _ModelKey | None] = {}

    def resolve(self, provider: str | None, model: str) -> tuple[str, str] | None:
        """(provider, model) of the catalog that the names in a log mean, or None for an unknown model."""
        asked = (provider, model)
        if asked not in self._resolved:
            self._resolved[asked] = self._resolve(provider, model)
        return self._resolved[asked]

    def _resolve(self, provider: str | None, model: str) -> _ModelKey | None:
        names = tuple(spellings(model))
        if not names:
            return None
        billing = billing_providers(provider, names[0], self._providers)
        for candidate in billing:
            for name in names:
                if (candidate, name) in self._rows:
                    return candidate, name
                for known, pattern in self._patterns_of(candidate):
                    if pattern.search(name):
                        return candidate, known
        if not billing:
            # A model that one provider alone carries (a self-hosted one that was added by hand) needs no provider.
            for name in names:
                if name in self._only_carrier:
                    return self._only_carrier[name], name
        return None

    def _patterns_of(self, provider: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
        # Compiling all of a catalog's patterns takes half a second; a batch asks for one or two providers.
        if provider not in self._compiled:
            found = self._patterns.get(provider, ())
            self._compiled[provider] = tuple((model, re.compile(pattern)) for model, pattern in found)
        return self._compiled[provider]

    def price_at(self, provider: str | None, model: str, at: datetime) -> ModelPrice | UnpricedReason:
        """Row of the model in force at the aware time `at`, or why there is none."""
        key = self.resolve(provider, model)
        if key is None:
            return UnpricedReason.UNKNOWN_MODEL
        for row in self._rows[key]:
            if row.in_force(at):
                return row
        return UnpricedReason.NOT_IN_FORCE


def cost_category(cost_usd: Decimal | None, limits: CostLimits = DEFAULT_LIMITS) -> CostCategory:
    """Category of a cost (DOMAIN 3.10): cheap < 0.01 USD, moderate < 0.10, else expensive; None is unpriced."""
    if cost_usd is None:
        return CostCategory.UNPRICED
    if cost_usd < limits.cheap_below:
        return CostCategory.CHEAP
    return CostCategory.MODERATE if cost_usd < limits.moderate_below else CostCategory.EXPENSIVE


def prices_for(row: ModelPrice, at: datetime, input_tokens: int) -> BucketPrices:
    """Bucket prices of a row for one request: those of its daily window, then of the highest tier it reaches.

    Args:
        row: The row in force.
        at: Aware time that decides the window.
        input_tokens: All tokens the request read, cached ones included.
    """
    prices, tiers = _at_time_of_day(row, at)
    for tier in tiers:
        if input_tokens > tier.above_input_tokens:
            prices = tier.prices
    return prices


def _at_time_of_day(row: ModelPrice, at: datetime) -> tuple[BucketPrices, tuple[PriceTier, ...]]:
    time_of_day = at.astimezone(UTC).time()
    for window in row.daily_windows:
        if window.holds(time_of_day):
            return window.prices, window.tiers
    return row.prices, row.tiers


def price_tokens(tokens: TokenBuckets, prices: BucketPrices) -> tuple[Decimal | None, tuple[str, ...]]:
    """Cost in USD, exact, and the buckets in use that have no price (then the cost is None)."""
    cost = Decimal(0)
    missing: list[str] = []
    for bucket in BUCKETS:
        count: int = getattr(tokens, f"tokens_{bucket}")
        if not count:
            continue
        price: Decimal | None = getattr(prices, bucket)
        if price is None:
            missing.append(bucket)
        else:
            cost = _EXACT.add(cost, _EXACT.multiply(Decimal(count), price))
    if missing:
        return None, tuple(missing)
    return _EXACT.scaleb(cost, _MILLION_EXPONENT), ()


def track_cost(event: ExecutionEvent, book: PriceBook, limits: CostLimits = DEFAULT_LIMITS) -> ExecutionCost:
    """Cost of one attempt at the prices in force at its `started_at`.

    Where the source tells usage per API response, each response is priced by its own model and tier and the results are
    summed; else the attempt's buckets are priced by `model_used`. One unpriced part leaves the whole attempt unpriced.
    """
    if event.usage:
        return cost_of_usage(
            event.usage, event.started_at, book, model=event.model_used, provider=event.provider, limits=limits
        )
    totals = UsageRecord(
        message_id="",
        tokens_input=event.tokens_input,
        tokens_cache_read=event.tokens_cache_read,
        tokens_cache_write_5m=event.tokens_cache_write_5m,
        tokens_cache_write_1h=event.tokens_cache_write_1h,
        tokens_output=event.tokens_output,
        estimated=event.usage_estimated,
    )
    return cost_of_usage(
        (totals,),
        event.started_at,
        book,
        model=event.model_used,
        provider=event.provider,
        per_request=False,
        limits=limits,
    )


def cost_of_usage(
    usage: Sequence[UsageRecord],
    at: datetime,
    book: PriceBook,
    *,
    model: str | None = None,
    provider: str | None = None,
    per_request: bool = True,
    limits: CostLimits = DEFAULT_LIMITS,
) -> ExecutionCost:
    """Cost of usage records at the prices in force at `at`.

    Args:
        usage: Records, each counted as it stands (the caller has dropped repeats).
        at: Aware time that decides the price rows: the attempt's start.
        book: The catalog.
        model: Stands in for a record that names no model.
        provider: Stands in for a record that names no provider and either no model or this one.
        per_request: False where a record is a total over several requests. A long-context tier is decided by one
            request's size, which a total does not tell: it is priced at the base tier and marked.
        limits: Where the categories end.
    """
    parts: dict[tuple[str, str], ModelCost] = {}
    for record in usage:
        tokens = _tokens_of(record)
        if not tokens.total:
            continue
        name = record.model or model
        host = record.provider or (provider if name == model else None)
        part = _cost_of_record(tokens, host, name, at, book, per_request)
        key = (part.provider or "", part.model or "")
        parts[key] = _merged(parts[key], part) if key in parts else part
    by_model = tuple(parts[key] for key in sorted(parts))
    estimated = any(record.estimated for record in usage)
    total = TokenBuckets()
    cost: Decimal | None = Decimal(0)
    reason, detail = None, ""
    if not by_model:
        reason, cost = UnpricedReason.NO_USAGE, None
    for part in by_model:
        total = total + part.tokens
        if part.cost_usd is None:
            reason, detail, cost = reason or part.unpriced, detail or part.detail, None
        elif cost is not None:
            cost = _EXACT.add(cost, part.cost_usd)
    return ExecutionCost(
        cost_usd=cost,
        category=cost_category(cost, limits),
        unpriced=reason,
        detail=detail,
        tokens=total,
        by_model=by_model,
        usage_estimated=estimated,
    )


def _tokens_of(record: UsageRecord) -> TokenBuckets:
    return TokenBuckets(
        tokens_input=record.tokens_input,
        tokens_cache_read=record.tokens_cache_read,
        tokens_cache_write_5m=record.tokens_cache_write_5m,
        tokens_cache_write_1h=record.tokens_cache_write_1h,
        tokens_output=record.tokens_output,
    )


def _cost_of_record(
    tokens: TokenBuckets, provider: str | None, model: str | None, at: datetime, book: PriceBook, per_request: bool
) -> ModelCost:
    if not model or not model.strip():
        return ModelCost(
            provider=provider,
            model=None,
            tokens=tokens,
            cost_usd=None,
            unpriced=UnpricedReason.NO_MODEL,
            detail="no model told",
        )
    row = book.price_at(provider, model, at)
    if isinstance(row, UnpricedReason):
        return ModelCost(provider=provider, model=model, tokens=tokens, cost_usd=None, unpriced=row, detail=model)
    tier_unknown = not per_request and prices_for(row, at, tokens.input_side) != prices_for(row, at, 0)
    cost, missing = price_tokens(tokens, prices_for(row, at, tokens.input_side if per_request else 0))
    return ModelCost(
        provider=row.provider,
        model=row.model,
        tokens=tokens,
        cost_usd=cost,
        unpriced=UnpricedReason.BUCKET_WITHOUT_PRICE if missing else None,
        detail=f"{row.provider}/{row.model}: {', '.join(missing)}" if missing else "",
        tier_unknown=tier_unknown,
    )


def _merged(one: ModelCost, other: ModelCost) -> ModelCost:
    unpriced = next((part for part in (one, other) if part.cost_usd is None), None)
    cost = None
    if one.cost_usd is not None and other.cost_usd is not None:
        cost = _EXACT.add(one.cost_usd, other.cost_usd)
    return ModelCost(
        provider=one.provider,
        model=one.model,
        tokens=one.tokens + other.tokens,
        cost_usd=cost,
        unpriced=unpriced.unpriced if unpriced else None,
        detail=unpriced.detail if unpriced else "",
        tier_unknown=one.tier_unknown or other.tier_unknown,
    )
