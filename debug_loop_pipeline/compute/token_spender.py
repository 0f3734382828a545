"""TokenSpenderCompute: what a request costs in tokens, whether it may go ahead, and what closing a hold does (DOMAIN 4.4).

Belongs here: the decisions, as pure functions of what the account's lock holder sees. Not here: the lock, the rows
(effects), or prices (compute/cost_tracker.py). What is spent is rounded up to the millitoken, and nothing that is
decided here takes a balance, or what is available, below zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from debug_loop_pipeline.compute.cost_tracker import PriceBook, price_tokens, prices_for
from debug_loop_pipeline.models.cost import ModelPrice, TokenBuckets, UnpricedReason
from debug_loop_pipeline.models.token import (
    MILLITOKENS_PER_TOKEN,
    Hold,
    HoldStatus,
    ModelAdvice,
    SettleDecision,
    SpendDecision,
    SpendOutcome,
)

SPENDER_VERSION = "1"

TOKENS_PER_USD = 1_000


def millitokens(cost_usd: Decimal) -> int:
    """Millitokens of a cost: USD / 0.001 tokens, rounded up to the millitoken.

    Raises:
        ValueError: A cost below zero or not finite.
    """
    if not cost_usd.is_finite() or cost_usd < 0:
        raise ValueError(f"a cost of {cost_usd} USD cannot be charged")
    return ceil(Fraction(cost_usd) * TOKENS_PER_USD * MILLITOKENS_PER_TOKEN)


def decide_spend(
    provider: str | None,
    model: str,
    tokens: TokenBuckets,
    at: datetime,
    available: int,
    catalog: Iterable[ModelPrice],
    book: PriceBook | None = None,
) -> SpendDecision:
    """Whether a request may go ahead.

    Args:
        provider: Of the model, as told; None where it is not.
        model: Its name, as told.
        tokens: What the request may use at most.
        at: Aware time of the request: decides the prices.
        available: Millitokens that the peer can spend.
        catalog: Every price row.
        book: The same rows ready to be asked; built from them where the caller has none.
    """
    rows = tuple(catalog)
    row = (book or PriceBook(rows)).price_at(provider, model, at)
    if isinstance(row, UnpricedReason):
        return SpendDecision(outcome=SpendOutcome.UNPRICED, available=available, detail=f"{row}: {model}")
    cost, missing = price_tokens(tokens, prices_for(row, at, tokens.input_side))
    if cost is None:
        detail = f"{row.provider}/{row.model} has no price for {', '.join(missing)}"
        return SpendDecision(outcome=SpendOutcome.UNPRICED, available=available, detail=detail)
    amount = millitokens(cost)
    if amount <= available:
        return SpendDecision(outcome=SpendOutcome.AUTHORISED, amount=amount, available=available)
    return SpendDecision(
        outcome=SpendOutcome.INSUFFICIENT,
        amount=amount,
        available=available,
        missing=amount - available,
        advice=cheapest_model(rows, tokens, at, available),
    )


def cheapest_model(
    rows: Iterable[ModelPrice], tokens: TokenBuckets, at: datetime, available: int
) -> ModelAdvice | None:
    """The catalog model that costs least for these tokens, or None where `available` pays for none.

    Models that are deprecated, cannot hold the request, or have no price for a bucket in use are left out. Equal costs
    go by provider and name.
    """
    best: tuple[Decimal, str, str] | None = None
    for row in rows:
        if row.deprecated or not row.in_force(at):
            continue
        if row.context_window is not None and row.context_window < tokens.total:
            continue
        cost, _ = price_tokens(tokens, prices_for(row, at, tokens.input_side))
        if cost is not None and (best is None or (cost, row.provider, row.model) < best):
            best = (cost, row.provider, row.model)
    if best is None or millitokens(best[0]) > available:
        return None
    cost, provider, model = best
    return ModelAdvice(provider=provider, model=model, cost_usd=cost, amount=millitokens(cost))


def cover(amount: int, available: int) -> tuple[int, int]:
    """(spent, uncovered) of a charge that has to be taken as far as what is available goes."""
    spent = max(0, min(amount, available))
    return spent, amount - spent


def settle(hold: Hold, actual: int, available: int, *, charged: bool = False) -> SettleDecision:
    """What settling a hold does: the whole hold is released and what was used is spent.

    Args:
        hold: As the lock holder reads it.
        actual: Millitokens used.
        available: What the peer can spend before this, the hold itself not counted.
        charged: The daily charge has taken this attempt's cost already; then nothing is spent.

    A hold that expired (or is past its time) is settled once too, as far as what is available goes; one that was
    settled or released is left as it is.

    Raises:
        ValueError: A negative amount.
    """
    if actual < 0:
        raise ValueError(f"{actual} millitokens cannot have been used")
    if hold.status in (HoldStatus.SETTLED, HoldStatus.RELEASED):
        return SettleDecision(status=hold.status, changed=False)
    release = hold.amount if hold.status is HoldStatus.OPEN else 0
    spent, uncovered = (0, 0) if charged else cover(actual, available + release)
    return SettleDecision(status=HoldStatus.SETTLED, release=release, spent=spent, uncovered=uncovered, changed=True)


def release(hold: Hold) -> SettleDecision:
    """What giving a hold back does: nothing is spent; only an open hold changes."""
    return _closed(hold, HoldStatus.RELEASED)


def expire(hold: Hold, now: datetime) -> SettleDecision:
    """What the time `now` does to a hold: an open one past its time gives back what it held."""
    return (
        _closed(hold, HoldStatus.EXPIRED) if hold.expired_at(now) else SettleDecision(status=hold.status, changed=False)
    )


def decay_amount(available: int, idle_for: timedelta, daily_rate: float, idle_days: int) -> int:
    """Millitokens that an idle account loses today, rounded down; what is held does not decay.

    Args:
        available: What the peer can spend.
        idle_for: Time since its last transaction that was no decay.
        daily_rate: Share per day, 0..1.
        idle_days: Days from which it counts as idle.
    """
    if idle_for < timedelta(days=idle_days) or available <= 0:
        return 0
    return floor(available * Fraction(repr(daily_rate)))


def _closed(hold: Hold, status: HoldStatus) -> SettleDecision:
    if hold.status is not HoldStatus.OPEN:
        return SettleDecision(status=hold.status, changed=False)
    return SettleDecision(status=status, release=hold.amount, changed=True)
