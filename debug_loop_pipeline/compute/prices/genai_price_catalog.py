"""The seed of the price catalog: genai-prices' bundled data as dated rows (DOMAIN 3.10).

Belongs here: the translation of that package's shapes (date and time-of-day constraints, tiers, cache prices, name
matching) into `ModelPrice` rows. Pure: the data is the package's own, nothing is fetched. Not here: storing the rows.

Only tokens are priced: per-search, per-image and batch prices have no bucket in our usage. A cache write price without
a lifetime is the 5-minute one, and the 1-hour bucket is priced only where the data names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from importlib.metadata import version
from typing import NamedTuple

from genai_prices import types as genai
from genai_prices.data import providers as bundled_providers

from debug_loop_pipeline.models.cost import (
    PRICES_BEGIN,
    BucketPrices,
    DailyWindow,
    ModelPrice,
    PriceTier,
)

_PriceValue = Decimal | genai.TieredPrices
_MIDNIGHT = time(0, 0)


class _Prices(NamedTuple):
    prices: BucketPrices
    tiers: tuple[PriceTier, ...]


def bundled_prices() -> tuple[ModelPrice, ...]:
    """Every token price of the installed genai-prices package, ordered by (provider, model, effective_from)."""
    return price_rows(bundled_providers, source=f"genai-prices {version('genai-prices')}")


def price_rows(providers: Sequence[genai.Provider], *, source: str) -> tuple[ModelPrice, ...]:
    """Dated rows of the given providers; a model without any token price gives a row without prices.

    A model's rows follow one another without a gap: each start date in the data closes the row before it.
    """
    rows = [row for provider in providers for model in provider.models for row in _rows_of(provider.id, model, source)]
    return tuple(sorted(rows, key=lambda row: (row.provider, row.model, row.effective_from)))


def _rows_of(provider: str, model: genai.ModelInfo, source: str) -> Iterator[ModelPrice]:
    pattern = _pattern(model.match)
    days = [(start, *_day_of(model, start)) for start in (PRICES_BEGIN, *_start_dates(model))]
    # A date at which only a price changed that we do not keep begins no row.
    segments = [day for number, day in enumerate(days) if number == 0 or day[1:] != days[number - 1][1:]]
    ends = [*(start for start, _, _ in segments[1:]), None]
    for (start, usual, windows), end in zip(segments, ends, strict=True):
        # A model without any price gets its row too: without it another model's pattern would take its name and price.
        yield ModelPrice(
            provider=provider,
            model=model.id,
            effective_from=start,
            effective_to=end,
            prices=usual.prices,
            tiers=usual.tiers,
            daily_windows=windows,
            match_pattern=pattern,
            deprecated=bool(model.deprecated),
            context_window=model.context_window,
            source=source,
        )


def _start_dates(model: genai.ModelInfo) -> list[datetime]:
    if isinstance(model.prices, genai.ModelPrice):
        return []
    dates = {
        conditional.constraint.start_date
        for conditional in model.prices
        if isinstance(conditional.constraint, genai.StartDateConstraint)
    }
    return [datetime.combine(day, _MIDNIGHT, tzinfo=UTC) for day in sorted(dates)]


def _day_of(model: genai.ModelInfo, day: datetime) -> tuple[_Prices, tuple[DailyWindow, ...]]:
    """Prices of the UTC day that begins at `day`: those that hold longest, and the windows with others.

    The package's own rule says what holds in each stretch of the day, so precedence among its constraints is not ours.
    """
    if isinstance(model.prices, genai.ModelPrice):
        return _buckets(model.prices), ()
    cuts = sorted({_MIDNIGHT, *(cut for conditional in model.prices for cut in _cuts(conditional.constraint))})
    stretches = [
        (start, end, _buckets(model.get_prices(_on(day, start))))
        for start, end in zip(cuts, [*cuts[1:], _MIDNIGHT], strict=True)
    ]
    held: dict[_Prices, timedelta] = {}
    for start, end, prices in stretches:
        held[prices] = held.get(prices, timedelta()) + (_on(day, end, next_day=end == _MIDNIGHT) - _on(day, start))
    usual = max(held, key=lambda prices: held[prices])
    windows = tuple(
        DailyWindow(starts=start, ends=end, prices=found.prices, tiers=found.tiers)
        for start, end, found in stretches
        if found != usual
    )
    return usual, windows


def _on(day: datetime, at: time, *, next_day: bool = False) -> datetime:
    return datetime.combine(day.date() + timedelta(days=int(next_day)), at, tzinfo=UTC)


def _cuts(constraint: genai.StartDateConstraint | genai.TimeOfDateConstraint | None) -> Iterator[time]:
    if isinstance(constraint, genai.TimeOfDateConstraint):
        for at in (constraint.start_time, constraint.end_time):
            aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
            yield datetime.combine(PRICES_BEGIN.date(), aware).astimezone(UTC).time()


def _buckets(prices: genai.ModelPrice) -> _Prices:
    write_5m = _price(prices, "cache_write_5m_mtok")
    by_bucket: dict[str, _PriceValue | None] = {
        "input": _price(prices, "input_mtok"),
        "cache_read": _price(prices, "cache_read_mtok"),
        "cache_write_5m": _price(prices, "cache_write_mtok") if write_5m is None else write_5m,
        "cache_write_1h": _price(prices, "cache_write_1h_mtok"),
        "output": _price(prices, "output_mtok"),
    }
    tiered = [value for value in by_bucket.values() if isinstance(value, genai.TieredPrices)]
    base = BucketPrices(**{bucket: _at(value, 0) for bucket, value in by_bucket.items()})
    tiers = tuple(
        PriceTier(
            above_input_tokens=start,
            prices=BucketPrices(**{bucket: _at(value, start + 1) for bucket, value in by_bucket.items()}),
        )
        for start in sorted({tier.start for value in tiered for tier in value.tiers})
    )
    return _Prices(base, tiers)


def _price(prices: genai.ModelPrice, key: str) -> _PriceValue | None:
    value: _PriceValue | None = getattr(prices, key)
    return value


def _at(value: _PriceValue | None, input_tokens: int) -> Decimal | None:
    if not isinstance(value, genai.TieredPrices):
        return value
    price = value.base
    for tier in value.tiers:
        if input_tokens > tier.start:
            price = tier.price
    return price


def _pattern(match: genai.MatchLogic) -> str:
    """The package's match logic as one regular expression to search in a lower-cased name."""
    match match:
        case genai.ClauseEquals():
            return f"^{re.escape(match.equals.lower())}$"
        case genai.ClauseStartsWith():
            return f"^{re.escape(match.starts_with.lower())}"
        case genai.ClauseEndsWith():
            return f"{re.escape(match.ends_with.lower())}$"
        case genai.ClauseContains():
            return re.escape(match.contains.lower())
        case genai.ClauseRegex():
            return match.regex
        case genai.ClauseOr():
            return "|".join(f"(?:{_pattern(clause)})" for clause in match.or_)
        case genai.ClauseAnd():
            # Each clause looks ahead from the start, so that all must hold of the whole name.
            return "^" + "".join(f"(?=.*?(?:{_pattern(clause)}))" for clause in match.and_)
