"""`debug-loop model list | show | add | deprecate`."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer
from pydantic import ValidationError

from debug_loop_pipeline.cli.output import JsonOption, counted, explain_invalid, print_json, print_table
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.effects.model_price_catalog import (
    MANUAL,
    ModelPriceCatalogEffect,
    PriceConflictError,
    UnknownModelError,
)
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.cost import BUCKETS, PRICES_BEGIN, BucketPrices, ModelPrice
from debug_loop_pipeline.steps.model_prices import reprice

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The dated price catalog.")

_LISTED = 50
_HIGHEST = 1_000_000
"""USD per million tokens, a dollar a token; more is a slip of the keys."""

PriceOption = Annotated[str | None, typer.Option(help="USD per million tokens.")]


@app.command("list")
def list_(
    provider: Annotated[str | None, typer.Option(help="Only this provider.")] = None,
    name: Annotated[str | None, typer.Option(help="Only models whose name contains this.")] = None,
    deprecated: Annotated[bool, typer.Option("--deprecated", help="Deprecated ones too.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="The first so many; by default 50 in a table, else all.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List models with the price in force now."""
    now = datetime.now(UTC)
    with open_store() as store:
        rows = ModelPriceCatalogEffect(store.database).list_models(
            provider=provider, name_contains=name, include_deprecated=deprecated
        )
    rows = [row for row in rows if row.in_force(now)]
    shown = rows[: limit if limit is not None or json else _LISTED]
    _show(shown, json)
    if len(shown) < len(rows) and not json:
        typer.echo(f"{len(shown)} of {len(rows)} models; --name, --provider and --limit show others")


@app.command()
def show(provider: str, model: str, json: JsonOption = False) -> None:
    """Show every price a model ever had."""
    with open_store() as store:
        rows = ModelPriceCatalogEffect(store.database).list_models(
            provider=provider, name_contains=model, include_deprecated=True
        )
    found = [row for row in rows if row.model == model]
    if not found:
        raise DebugLoopError(
            f"the catalog has no {provider}/{model}; `debug-loop model list --name {model}` shows what is close"
        )
    _show(found, json)


@app.command()
def add(
    provider: str,
    model: str,
    input: PriceOption = None,
    output: PriceOption = None,
    cache_read: PriceOption = None,
    cache_write_5m: PriceOption = None,
    cache_write_1h: PriceOption = None,
    effective_from: Annotated[
        datetime | None, typer.Option(help="UTC; default: since ever, or now with --update.")
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="The model is known; this is its price from then on.")
    ] = False,
) -> None:
    """Add a model, or a new price of one; attempts that it prices are costed again."""
    given = {
        "input": input,
        "output": output,
        "cache_read": cache_read,
        "cache_write_5m": cache_write_5m,
        "cache_write_1h": cache_write_1h,
    }
    start = effective_from.replace(tzinfo=UTC) if effective_from else (datetime.now(UTC) if update else PRICES_BEGIN)
    prices = {name: _price(name, value) for name, value in given.items()}
    if all(price is None for price in prices.values()):
        raise DebugLoopError("name a price, such as --input 3 --output 15: without one its attempts stay unpriced")
    try:
        price = ModelPrice(
            provider=provider, model=model, effective_from=start, prices=BucketPrices(**prices), source=MANUAL
        )
    except ValidationError as error:
        raise DebugLoopError(explain_invalid(error)) from error
    with open_store() as store:
        catalog = ModelPriceCatalogEffect(store.database)
        try:
            (catalog.update_pricing if update else catalog.add_model)(price)
        except PriceConflictError as error:
            raise DebugLoopError(str(error)) from error
        attempts = reprice(store, provider, model)
    since = "for all times" if start == PRICES_BEGIN else f"from {start:%Y-%m-%d %H:%M} on"
    typer.echo(f"{provider}/{model} priced {since}; {counted(attempts, 'attempt')} costed again")


@app.command()
def deprecate(provider: str, model: str) -> None:
    """Take a model out of advice; its prices still price what used it."""
    with open_store() as store:
        try:
            ModelPriceCatalogEffect(store.database).mark_deprecated(provider, model)
        except UnknownModelError as error:
            raise DebugLoopError(str(error)) from error
    typer.echo(f"{provider}/{model} is deprecated")


def _price(name: str, value: str | None) -> Decimal | None:
    if value is None:
        return None
    try:
        price = Decimal(value)
    except InvalidOperation:
        price = Decimal("NaN")
    if not (price.is_finite() and 0 <= price <= _HIGHEST):
        raise DebugLoopError(
            f"--{name.replace('_', '-')} is a number of USD per million tokens from 0 to {_HIGHEST:,}, not {value!r}"
        )
    return price


def _told(price: Decimal | None) -> str:
    """A price without the zeros that its column in the database adds."""
    return "" if price is None else f"{price.normalize():f}"


def _show(rows: list[ModelPrice], json: bool) -> None:
    if json:
        print_json([row.model_dump(mode="json") for row in rows])
        return
    print_table(
        ("provider", "model", *(f"{bucket} $/M" for bucket in BUCKETS), "from", "source"),
        [
            (
                row.provider,
                row.model,
                *(_told(getattr(row.prices, bucket)) for bucket in BUCKETS),
                "" if row.effective_from == PRICES_BEGIN else f"{row.effective_from:%Y-%m-%d}",
                row.source,
            )
            for row in rows
        ],
    )
