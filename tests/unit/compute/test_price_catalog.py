"""The seed rows say what genai-prices says, at any time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from genai_prices import types as genai
from genai_prices.data import providers as bundled_providers
from hypothesis import given, settings
from hypothesis import strategies as st

from debug_loop_pipeline.compute.cost_tracker import PriceBook, prices_for
from debug_loop_pipeline.compute.prices.genai_price_catalog import bundled_prices, price_rows
from debug_loop_pipeline.models.cost import PRICES_BEGIN, ModelPrice, UnpricedReason

ROWS = bundled_prices()
BOOK = PriceBook(ROWS)
MODELS = [(provider, model) for provider in bundled_providers for model in provider.models]
KEYS = {
    "input": ("input_mtok",),
    "cache_read": ("cache_read_mtok",),
    "cache_write_5m": ("cache_write_5m_mtok", "cache_write_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok",),
    "output": ("output_mtok",),
}


def _expected(model: genai.ModelInfo, at: datetime, input_tokens: int) -> dict[str, Decimal | None]:
    prices = model.get_prices(at)
    found: dict[str, Decimal | None] = {}
    for bucket, keys in KEYS.items():
        value = next((getattr(prices, key) for key in keys if getattr(prices, key) is not None), None)
        if isinstance(value, genai.TieredPrices):
            value = next((tier.price for tier in reversed(value.tiers) if input_tokens > tier.start), value.base)
        found[bucket] = value
    return found


@settings(max_examples=300, deadline=None)
@given(
    number=st.integers(0, len(MODELS) - 1),
    second=st.integers(0, 4 * 365 * 86_400),
    input_tokens=st.sampled_from([0, 1, 99_999, 100_001, 200_000, 200_001, 272_001, 1_000_000]),
)
def test_a_row_gives_the_packages_own_price_at_any_time_and_size(number: int, second: int, input_tokens: int) -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    provider, model = MODELS[number]
    expected = _expected(model, at, input_tokens)
    row = BOOK.price_at(provider.id, model.id, at)
    if isinstance(row, UnpricedReason):
        assert all(price is None for price in expected.values())
    else:
        assert (row.provider, row.model) == (provider.id, model.id)
        assert prices_for(row, at, input_tokens).model_dump() == expected


@pytest.mark.parametrize("hour", range(24))
def test_models_with_daily_windows_agree_at_every_hour(hour: int) -> None:
    for provider, model in MODELS:
        if provider.id != "deepseek":
            continue
        for minute in (0, 29, 30, 59):
            at = datetime(2026, 10, 3, hour, minute, tzinfo=UTC)
            row = BOOK.price_at(provider.id, model.id, at)
            assert isinstance(row, ModelPrice)
            assert prices_for(row, at, 0).model_dump() == _expected(model, at, 0), (model.id, at)


def test_rows_of_a_model_follow_one_another_without_gap_or_overlap() -> None:
    by_model: dict[tuple[str, str], list[ModelPrice]] = {}
    for row in ROWS:
        by_model.setdefault((row.provider, row.model), []).append(row)
    dated = 0
    for rows in by_model.values():
        assert rows[-1].effective_to is None
        for before, after in pairwise(rows):
            assert before.effective_to == after.effective_from
            dated += 1
    assert dated > 0


def test_the_same_data_gives_the_same_rows() -> None:
    assert bundled_prices() == ROWS
    keys = [(row.provider, row.model, row.effective_from) for row in ROWS]
    assert keys == sorted(set(keys))


def test_the_one_hour_cache_write_is_priced_only_where_the_data_names_it() -> None:
    def model(**prices: Decimal) -> genai.ModelInfo:
        return genai.ModelInfo(
            id="m", match=genai.ClauseEquals(equals="m"), prices=genai.ModelPrice(input_mtok=Decimal(1), **prices)
        )

    def row(**prices: Decimal) -> ModelPrice:
        provider = genai.Provider(id="p", name="P", api_pattern="p", models=[model(**prices)])
        return price_rows([provider], source="test")[0]

    assert row(cache_write_mtok=Decimal(2)).prices.cache_write_5m == 2
    assert row(cache_write_mtok=Decimal(2)).prices.cache_write_1h is None
    assert row(cache_write_mtok=Decimal(2), cache_write_1h_mtok=Decimal(3)).prices.cache_write_1h == 3
    free = row(cache_write_mtok=Decimal(2), cache_write_5m_mtok=Decimal(0))
    assert free.prices.cache_write_5m == 0


def test_a_start_date_closes_the_row_before_it() -> None:
    model = genai.ModelInfo(
        id="m",
        match=genai.ClauseEquals(equals="m"),
        prices=[
            genai.ConditionalPrice(prices=genai.ModelPrice(input_mtok=Decimal(2))),
            genai.ConditionalPrice(
                constraint=genai.StartDateConstraint(start_date=date(2026, 1, 5)),
                prices=genai.ModelPrice(input_mtok=Decimal(1)),
            ),
        ],
    )
    rows = price_rows([genai.Provider(id="p", name="P", api_pattern="p", models=[model])], source="test")
    turn = datetime(2026, 1, 5, tzinfo=UTC)
    assert [(row.effective_from, row.effective_to, row.prices.input) for row in rows] == [
        (PRICES_BEGIN, turn, Decimal(2)),
        (turn, None, Decimal(1)),
    ]
    book = PriceBook(rows)
    before, after = book.price_at("p", "m", turn - timedelta(microseconds=1)), book.price_at("p", "m", turn)
    assert (before, after) == rows


def test_a_window_across_midnight_holds_on_both_sides_of_it() -> None:
    model = genai.ModelInfo(
        id="m",
        match=genai.ClauseEquals(equals="m"),
        prices=[
            genai.ConditionalPrice(prices=genai.ModelPrice(input_mtok=Decimal(2))),
            genai.ConditionalPrice(
                constraint=genai.TimeOfDateConstraint(start_time=time(22, tzinfo=UTC), end_time=time(2, tzinfo=UTC)),
                prices=genai.ModelPrice(input_mtok=Decimal(1)),
            ),
        ],
    )
    (row,) = price_rows([genai.Provider(id="p", name="P", api_pattern="p", models=[model])], source="test")
    expected = {21: 2, 22: 1, 23: 1, 0: 1, 1: 1, 2: 2, 12: 2}
    assert {hour: prices_for(row, datetime(2026, 1, 1, hour, tzinfo=UTC), 0).input for hour in expected} == expected


def test_every_other_name_that_the_package_knows_finds_the_same_model() -> None:
    def literals(match: genai.MatchLogic) -> list[str]:
        if isinstance(match, genai.ClauseEquals):
            return [match.equals]
        if isinstance(match, genai.ClauseStartsWith):
            return [match.starts_with]
        return [text for clause in getattr(match, "or_", ()) for text in literals(clause)]

    priced = {(row.provider, row.model.lower()) for row in ROWS}
    checked = 0
    for provider, model in MODELS:
        if provider.id not in {"anthropic", "openai", "google", "deepseek"}:
            continue
        for name in literals(model.match):
            first = provider.find_model(name)
            if first is None or (provider.id, first.id.lower()) not in priced:
                continue
            assert BOOK.resolve(provider.id, name) == (provider.id, first.id.lower()), name
            checked += 1
    assert checked > 100
