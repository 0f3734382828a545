"""Costs: the fixtures of DOMAIN 3.10, name resolution, tiers, and what is never silently 0."""

from __future__ import annotations

import decimal
import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.compute.cost_tracker import PriceBook, cost_category, cost_of_usage, price_tokens, track_cost
from debug_loop_pipeline.compute.prices.genai_price_catalog import bundled_prices
from debug_loop_pipeline.models.cost import (
    BUCKETS,
    BucketPrices,
    CostCategory,
    ModelPrice,
    PriceTier,
    TokenBuckets,
    UnpricedReason,
)
from debug_loop_pipeline.models.execution import ExecutionEvent, UsageRecord

AT = datetime(2026, 4, 1, 12, tzinfo=UTC)
BOOK = PriceBook(bundled_prices())
FULL = BucketPrices(
    input=Decimal(3),
    cache_read=Decimal("0.3"),
    cache_write_5m=Decimal("3.75"),
    cache_write_1h=Decimal(6),
    output=Decimal(15),
)


def book(*rows: ModelPrice) -> PriceBook:
    return PriceBook(rows)


def event(**fields: Any) -> ExecutionEvent:
    base: dict[str, Any] = {
        "attempt_id": UUID(int=1),
        "correlation_id": UUID(int=2),
        "agent_name": "agent",
        "user_request": "fix it",
        "status": "success",
        "started_at": AT,
    }
    return ExecutionEvent.model_validate(base | fields)


def record(**fields: Any) -> UsageRecord:
    return UsageRecord.model_validate({"message_id": "m", "model": "big", "provider": "acme"} | fields)


def test_every_bucket_is_charged_at_its_own_price() -> None:
    tokens = TokenBuckets(
        tokens_input=1_000_000,
        tokens_cache_read=2_000_000,
        tokens_cache_write_5m=100_000,
        tokens_cache_write_1h=10_000,
        tokens_output=1_000,
    )
    assert price_tokens(tokens, FULL) == (Decimal("4.05"), ())  # 3 + 0.6 + 0.375 + 0.06 + 0.015


@pytest.mark.parametrize(
    ("cost", "category"),
    [
        ("0", CostCategory.CHEAP),
        ("0.0099999", CostCategory.CHEAP),
        ("0.01", CostCategory.MODERATE),
        ("0.0999999", CostCategory.MODERATE),
        ("0.10", CostCategory.EXPENSIVE),
        ("12", CostCategory.EXPENSIVE),
    ],
)
def test_category_boundaries_belong_to_the_dearer_side(cost: str, category: CostCategory) -> None:
    assert cost_category(Decimal(cost)) == category
    assert cost_category(None) is CostCategory.UNPRICED


def test_an_unknown_model_is_unpriced_and_says_which() -> None:
    cost = track_cost(event(model_used="nobody-knows-1", tokens_input=10), BOOK)
    assert (cost.cost_usd, cost.category) == (None, CostCategory.UNPRICED)
    assert cost.unpriced is UnpricedReason.UNKNOWN_MODEL
    assert cost.detail == "nobody-knows-1"


def test_tokens_without_a_model_are_unpriced() -> None:
    assert track_cost(event(tokens_input=10), BOOK).unpriced is UnpricedReason.NO_MODEL


def test_no_tokens_are_no_usage_and_not_free() -> None:
    cost = track_cost(event(model_used="claude-sonnet-4-6"), BOOK)
    assert (cost.cost_usd, cost.unpriced) == (None, UnpricedReason.NO_USAGE)


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_in_use_without_a_price_is_unpriced_and_an_unused_one_is_not(bucket: str) -> None:
    prices = book(ModelPrice(provider="acme", model="big", prices=FULL.model_copy(update={bucket: None})))
    in_use = cost_of_usage((record(**{f"tokens_{bucket}": 1}),), AT, prices)
    assert (in_use.cost_usd, in_use.unpriced) == (None, UnpricedReason.BUCKET_WITHOUT_PRICE)
    assert bucket in in_use.detail
    other = next(name for name in BUCKETS if name != bucket)
    assert cost_of_usage((record(**{f"tokens_{other}": 1}),), AT, prices).cost_usd is not None


def test_a_price_of_zero_is_a_price() -> None:
    prices = book(ModelPrice(provider="acme", model="big", prices=BucketPrices(input=Decimal(0))))
    cost = cost_of_usage((record(tokens_input=5),), AT, prices)
    assert (cost.cost_usd, cost.category) == (Decimal(0), CostCategory.CHEAP)


def test_several_models_in_one_attempt_are_summed_each_at_its_own_price() -> None:
    prices = book(
        ModelPrice(provider="acme", model="big", prices=BucketPrices(input=Decimal(10))),
        ModelPrice(provider="acme", model="small", prices=BucketPrices(input=Decimal(1))),
    )
    usage = (
        record(tokens_input=100),
        record(model="small", tokens_input=1_000),
        record(tokens_input=100),
    )
    cost = cost_of_usage(usage, AT, prices)
    assert cost.cost_usd == Decimal("0.003")
    assert [(part.model, part.tokens.total, part.cost_usd) for part in cost.by_model] == [
        ("big", 200, Decimal("0.002")),
        ("small", 1_000, Decimal("0.001")),
    ]


def test_one_unpriced_part_leaves_the_whole_attempt_unpriced_but_its_parts_known() -> None:
    prices = book(ModelPrice(provider="acme", model="big", prices=FULL))
    cost = cost_of_usage((record(tokens_input=10), record(model="other", tokens_input=1)), AT, prices)
    assert (cost.cost_usd, cost.unpriced, cost.detail) == (None, UnpricedReason.UNKNOWN_MODEL, "other")
    assert [part.cost_usd is None for part in cost.by_model] == [False, True]
    assert cost.tokens.total == 11


def test_a_record_without_tokens_asks_for_no_price() -> None:
    prices = book(ModelPrice(provider="acme", model="big", prices=FULL))
    cost = cost_of_usage((record(tokens_input=10), record(model="<synthetic>")), AT, prices)
    assert cost.cost_usd == Decimal("0.00003")


def test_the_price_is_the_one_in_force_at_the_attempts_start() -> None:
    turn = datetime(2026, 4, 1, tzinfo=UTC)
    prices = book(
        ModelPrice(provider="acme", model="big", effective_to=turn, prices=BucketPrices(input=Decimal(2))),
        ModelPrice(provider="acme", model="big", effective_from=turn, prices=BucketPrices(input=Decimal(1))),
    )
    before = event(model_used="big", tokens_input=1_000_000, started_at=datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC))
    after = event(model_used="big", tokens_input=1_000_000, started_at=turn)
    assert (track_cost(before, prices).cost_usd, track_cost(after, prices).cost_usd) == (2, 1)


def test_a_model_whose_prices_begin_later_is_not_priced_before() -> None:
    prices = book(
        ModelPrice(provider="acme", model="big", effective_from=datetime(2030, 1, 1, tzinfo=UTC), prices=FULL)
    )
    assert track_cost(event(model_used="big", tokens_input=1), prices).unpriced is UnpricedReason.NOT_IN_FORCE


TIERED = ModelPrice(
    provider="acme",
    model="big",
    prices=BucketPrices(input=Decimal(3), cache_read=Decimal(1)),
    tiers=(PriceTier(above_input_tokens=200_000, prices=BucketPrices(input=Decimal(6), cache_read=Decimal(2))),),
)


def test_a_request_over_the_threshold_pays_the_tier_for_all_its_tokens() -> None:
    at_threshold = cost_of_usage((record(tokens_input=100_000, tokens_cache_read=100_000),), AT, book(TIERED))
    over = cost_of_usage((record(tokens_input=100_001, tokens_cache_read=100_000),), AT, book(TIERED))
    assert at_threshold.cost_usd == Decimal("0.4")
    assert over.cost_usd == Decimal("0.800006")


def test_a_total_over_several_requests_is_priced_at_the_base_tier_and_marked() -> None:
    cost = track_cost(event(model_used="big", provider="acme", tokens_input=1_000_000), book(TIERED))
    assert cost.cost_usd == 3
    assert cost.by_model[0].tier_unknown
    small = track_cost(event(model_used="big", provider="acme", tokens_input=1_000), book(TIERED))
    assert not small.by_model[0].tier_unknown


def test_estimated_usage_is_marked() -> None:
    assert track_cost(event(model_used="claude-sonnet-4-6", tokens_input=1, usage_estimated=True), BOOK).usage_estimated


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        (None, "claude-sonnet-4-6", ("anthropic", "claude-sonnet-4-6")),
        (None, "anthropic/claude-sonnet-4-6", ("anthropic", "claude-sonnet-4-6")),
        (None, "claude-sonnet-4.6", ("anthropic", "claude-sonnet-4-6")),
        (None, "claude-opus-4-5-20251101", ("anthropic", "claude-opus-4-5")),
        (None, "claude-opus-4-6[1m]", ("anthropic", "claude-opus-4-6")),
        (None, "Claude-Opus-4-6", ("anthropic", "claude-opus-4-6")),
        ("anthropic", "claude-3-5-sonnet-20241022", ("anthropic", "claude-3-5-sonnet")),
        (None, "deepseek/deepseek-chat", ("deepseek", "deepseek-chat")),
        ("deepseek", "deepseek-reasoner", ("deepseek", "deepseek-reasoner")),
        (None, "gpt-4o", ("openai", "gpt-4o")),
        (None, "gpt-4o-2024-08-06", ("openai", "gpt-4o")),
        ("openai-codex", "gpt-5.5", ("openai", "gpt-5.5")),
        ("some-proxy", "gpt-5.1-codex", ("openai", "gpt-5.1")),
        (None, "gemini-2.5-flash", ("google", "gemini-2.5-flash")),
        ("vertex_ai", "claude-sonnet-4-5@20250929", ("google", "claude-sonnet-4-5")),
        ("litellm", "vertex_ai/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        (None, "openrouter/anthropic/claude-3-opus", ("openrouter", "anthropic/claude-3-opus")),
        ("copilot", "claude-sonnet-4.6", ("github-copilot", "claude-sonnet-4.6")),
        (
            None,
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            ("aws", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ),
        ("azure", "gpt-5.2-20251211", ("openai", "gpt-5.2")),
        (None, "<synthetic>", None),
        (None, "gpt-5.3-codex-of-nobody", None),
        (None, "", None),
        (None, "   ", None),
        (None, "llama-3-70b", None),
    ],
)
def test_names_in_logs_find_the_model_they_mean(
    provider: str | None, model: str, expected: tuple[str, str] | None
) -> None:
    assert BOOK.resolve(provider, model) == expected


def test_a_model_added_by_hand_is_found_without_a_provider_unless_two_carry_it() -> None:
    local = ModelPrice(provider="acme", model="Local-7B", prices=FULL)
    assert book(local).resolve(None, "local-7b") == ("acme", "local-7b")
    other = ModelPrice(provider="other", model="local-7b", prices=FULL)
    assert book(local, other).resolve(None, "local-7b") is None
    assert book(local, other).resolve("other", "local-7b") == ("other", "local-7b")


@given(
    counts=st.lists(st.lists(st.integers(0, 10**9), min_size=5, max_size=5), min_size=1, max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_the_sum_is_exact_and_independent_of_order_and_of_the_callers_decimal_context(
    counts: list[list[int]], order: Any
) -> None:
    prices = book(ModelPrice(provider="acme", model="big", prices=FULL))
    usage = [record(**{f"tokens_{bucket}": n for bucket, n in zip(BUCKETS, row, strict=True)}) for row in counts]
    expected = sum(
        int(getattr(FULL, bucket) * 100) * row[number] for row in counts for number, bucket in enumerate(BUCKETS)
    )
    order.shuffle(usage)
    with decimal.localcontext(prec=3):
        cost = cost_of_usage(usage, AT, prices)
    if expected == 0 and not any(any(row) for row in counts):
        assert cost.unpriced is UnpricedReason.NO_USAGE
    else:
        assert cost.cost_usd is not None
        assert cost.cost_usd.scaleb(8) == expected


def test_an_empty_catalog_prices_nothing() -> None:
    assert track_cost(event(model_used="claude-sonnet-4-6", tokens_input=1), book()).unpriced is (
        UnpricedReason.UNKNOWN_MODEL
    )


def test_real_deepseek_runs_cost_about_what_their_own_accounting_says() -> None:
    root = Path(os.environ.get("DEBUG_LOOP_SHARED_DATA", "../shared/data")) / "mini_swe_deepseek"
    files = sorted(root.glob("**/*.traj.json"))
    if not files:
        pytest.skip(f"no trajectories under {root}")
    compared = 0
    for path in files:
        data = json.loads(path.read_text())
        told = data["info"]["model_stats"]["instance_cost"]
        usage = []
        for message in data["messages"]:
            extra = message.get("extra") or {}
            response = extra.get("response") or {}
            counted = response.get("usage")
            if counted:
                cached = (counted.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
                usage.append(
                    UsageRecord(
                        message_id=response["id"],
                        model=response["model"],
                        at=datetime.fromtimestamp(response["created"], UTC),
                        tokens_input=counted["prompt_tokens"] - cached,
                        tokens_cache_read=cached,
                        tokens_output=counted["completion_tokens"],
                    )
                )
        if not usage or not told:
            continue
        started = usage[0].at
        assert started is not None
        cost = cost_of_usage(usage, started, BOOK)
        assert cost.cost_usd is not None, cost.detail
        # Two price lists of one model at different dates: the same magnitude, not the same cent.
        assert 0.2 < float(cost.cost_usd) / told < 5, (path.name, cost.cost_usd, told)
        compared += 1
    assert compared >= 10
