"""DOMAIN 4.4: from USD to millitokens, what may be spent, and what closing a hold does."""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.compute.cost_tracker import PriceBook
from debug_loop_pipeline.compute.prices.genai_price_catalog import bundled_prices
from debug_loop_pipeline.compute.token_spender import (
    cheapest_model,
    cover,
    decay_amount,
    decide_spend,
    expire,
    millitokens,
    release,
    settle,
)
from debug_loop_pipeline.models.cost import BucketPrices, ModelPrice, TokenBuckets
from debug_loop_pipeline.models.token import Hold, HoldStatus, SpendOutcome
from tests.support.economy import START, later


@pytest.mark.parametrize(
    ("usd", "expected"),
    [
        ("0", 0),
        ("0.001", 1_000),
        ("0.000001", 1),
        ("0.0000001", 1),
        ("0.0010001", 1_001),
        ("1", 1_000_000),
        ("12.34", 12_340_000),
    ],
)
def test_a_thousandth_of_a_dollar_is_a_token_and_the_rest_is_rounded_up(usd: str, expected: int):
    assert millitokens(Decimal(usd)) == expected


@given(st.decimals(0, 10_000, allow_nan=False, allow_infinity=False, places=12))
def test_a_charge_covers_the_cost_and_is_less_than_a_millitoken_over(usd: Decimal):
    assert millitokens(usd) == int((usd * 1_000_000).to_integral_value(ROUND_CEILING))
    assert 0 <= Decimal(millitokens(usd)) / 1_000_000 - usd < Decimal("0.000001")


@pytest.mark.parametrize("usd", ["-0.01", "NaN", "Infinity"])
def test_a_cost_that_is_none_is_refused(usd: str):
    with pytest.raises(ValueError, match="cannot be charged"):
        millitokens(Decimal(usd))


def price(model: str, usd: str, provider: str = "p", **more) -> ModelPrice:
    prices = BucketPrices(input=Decimal(usd), output=Decimal(usd))
    return ModelPrice(provider=provider, model=model, prices=prices, **more)


CATALOG = (price("dear", "100"), price("middling", "10"), price("cheap", "1"))
USE = TokenBuckets(tokens_input=600, tokens_output=400)
"""Costs 0.1, 0.01 and 0.001 USD: 100,000, 10,000 and 1,000 millitokens."""


def decide(model: str, available: int, tokens: TokenBuckets = USE, catalog=CATALOG):
    return decide_spend("p", model, tokens, START, available, catalog)


def test_what_is_available_to_the_millitoken_is_enough():
    assert decide("dear", 100_000).outcome is SpendOutcome.AUTHORISED
    short = decide("dear", 99_999)
    assert (short.outcome, short.amount, short.missing) == (SpendOutcome.INSUFFICIENT, 100_000, 1)


def test_who_cannot_pay_is_told_the_cheapest_model_that_can_be_paid():
    advice = decide("dear", 10_000).advice
    assert advice is not None
    assert (advice.model, advice.amount, advice.cost_usd) == ("cheap", 1_000, Decimal("0.001"))
    assert decide("dear", 1_000).advice is not None
    assert decide("dear", 999).advice is None
    assert decide("dear", 0).advice is None


def test_advice_leaves_out_what_cannot_serve_the_request():
    fitting = price("fitting", "5")
    others = (
        price("old", "1", deprecated=True),
        price("narrow", "1", context_window=999),
        price("ended", "1", effective_to=START),
        ModelPrice(provider="p", model="half", prices=BucketPrices(input=Decimal(1))),
    )
    found = cheapest_model((*others, fitting), USE, START, 1_000_000)
    assert found is not None
    assert found.model == "fitting"
    assert cheapest_model(others, USE, START, 1_000_000) is None


def test_equal_costs_go_by_name_whatever_the_order_of_the_catalog():
    rows = [price("b", "1"), price("a", "1", provider="q"), price("c", "1")]
    assert {cheapest_model(order, USE, START, 10_000).model for order in (rows, rows[::-1])} == {"b"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("model", "tokens", "says"),
    [("unheard-of", USE, "unknown_model"), ("dear", TokenBuckets(tokens_cache_read=5), "no price for cache_read")],
)
def test_without_a_price_nothing_is_authorised(model: str, tokens: TokenBuckets, says: str):
    answer = decide(model, 10**9, tokens)
    assert (answer.outcome, answer.amount) == (SpendOutcome.UNPRICED, None)
    assert says in answer.detail


def test_advice_from_the_whole_bundled_catalog_comes_within_a_compute_units_time():
    rows = bundled_prices()
    book = PriceBook(rows)
    usage = TokenBuckets(tokens_input=50_000, tokens_output=4_000)
    decide_spend("anthropic", "claude-3-opus-20240229", usage, START, 100, rows, book)
    begin = time.process_time()
    answer = decide_spend("anthropic", "claude-3-opus-20240229", usage, START, 50_000, rows, book)
    assert time.process_time() - begin < 0.1
    assert answer.outcome is SpendOutcome.INSUFFICIENT
    assert answer.advice is not None
    assert answer.advice.amount <= 50_000


def hold(status: str = "open", amount: int = 100) -> Hold:
    return Hold(
        hold_id=UUID(int=1),
        peer_id="ann",
        request_id="r",
        model="m",
        amount=amount,
        status=HoldStatus(status),
        created_at=START,
        expires_at=START + timedelta(hours=1),
    )


def closing(decision) -> tuple[str, int, int, int, bool]:
    return decision.status.value, decision.release, decision.spent, decision.uncovered, decision.changed


@pytest.mark.parametrize(
    ("actual", "available", "expected"),
    [
        (60, 0, ("settled", 100, 60, 0, True)),
        (100, 0, ("settled", 100, 100, 0, True)),
        (0, 0, ("settled", 100, 0, 0, True)),
        (150, 500, ("settled", 100, 150, 0, True)),
        (150, 20, ("settled", 100, 120, 30, True)),
    ],
    ids=["below", "all", "nothing", "above and available", "above and not available"],
)
def test_settling_releases_the_whole_hold_and_spends_what_was_used(actual: int, available: int, expected: tuple):
    assert closing(settle(hold(), actual, available)) == expected


def test_a_late_settle_spends_as_far_as_what_is_available_goes():
    assert closing(settle(hold("expired"), 60, 500)) == ("settled", 0, 60, 0, True)
    assert closing(settle(hold("expired"), 60, 50)) == ("settled", 0, 50, 10, True)
    assert closing(settle(hold("expired"), 60, 0)) == ("settled", 0, 0, 60, True)


@pytest.mark.parametrize("status", ["settled", "released"])
def test_a_hold_that_was_settled_or_released_stays_so(status: str):
    assert closing(settle(hold(status), 60, 500)) == (status, 0, 0, 0, False)
    assert closing(release(hold(status))) == (status, 0, 0, 0, False)
    assert closing(expire(hold(status), later(days=1))) == (status, 0, 0, 0, False)


def test_a_settle_after_the_daily_charge_spends_nothing():
    assert closing(settle(hold(), 60, 500, charged=True)) == ("settled", 100, 0, 0, True)
    assert closing(settle(hold("expired"), 60, 500, charged=True)) == ("settled", 0, 0, 0, True)


def test_a_hold_expires_at_its_time_and_not_before():
    assert closing(expire(hold(), later(minutes=59, seconds=59))) == ("open", 0, 0, 0, False)
    assert closing(expire(hold(), later(hours=1))) == ("expired", 100, 0, 0, True)
    assert closing(release(hold())) == ("released", 100, 0, 0, True)


def test_a_negative_use_is_refused():
    with pytest.raises(ValueError, match="cannot have been used"):
        settle(hold(), -1, 0)


AMOUNTS = st.integers(0, 10**12)


@given(st.sampled_from(list(HoldStatus)), AMOUNTS, AMOUNTS, AMOUNTS, st.booleans())
def test_no_settle_takes_what_is_available_below_zero(
    status: HoldStatus, held: int, actual: int, available: int, charged: bool
):
    decision = settle(hold(status.value, held), actual, available, charged=charged)
    assert available + decision.release - decision.spent >= 0
    assert decision.spent + decision.uncovered in (0, actual)
    after = hold(decision.status.value, held)
    assert not settle(after, actual, available).changed


@given(AMOUNTS, st.integers(-100, 10**12))
def test_a_charge_is_spent_or_uncovered(amount: int, available: int):
    spent, uncovered = cover(amount, available)
    assert spent + uncovered == amount
    assert 0 <= spent <= max(0, available)


@pytest.mark.parametrize(
    ("available", "idle_days", "rate", "lost"),
    [
        (100_000, 90, 0.01, 1_000),
        (100_000, 89, 0.01, 0),
        (99, 90, 0.01, 0),
        (100_000, 90, 0.0, 0),
        (-5, 90, 0.5, 0),
        (7, 365, 1.0, 7),
        (10, 90, 0.1, 1),
    ],
)
def test_an_idle_balance_decays_by_the_daily_rate_rounded_down(available: int, idle_days: int, rate: float, lost: int):
    assert decay_amount(available, timedelta(days=idle_days), rate, 90) == lost
