"""ModelPriceCatalogEffect: dated model prices in PostgreSQL (DOMAIN 3.10).

A price is never overwritten: a new one closes the row in force at its start and stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.cost_tracker import PriceBook
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database, advisory_lock, stage_and_upsert
from debug_loop_pipeline.models.cost import BUCKETS, BucketPrices, ModelPrice

_COLUMNS = (
    "provider",
    "model",
    "effective_from",
    "effective_to",
    *(f"{bucket}_per_million" for bucket in BUCKETS),
    "tiers",
    "daily_windows",
    "match_pattern",
    "context_window",
    "deprecated",
    "source",
)
MANUAL = "manual"


class PriceConflictError(ValueError):
    """A price for that model and moment is there already, with other numbers."""


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A model whose price is another one from a moment on."""

    provider: str
    model: str
    since: datetime


@dataclass(frozen=True, slots=True)
class SeededPrices:
    """What a price list of `total` rows changed in the catalog."""

    total: int
    inserted: int
    updated: int
    changes: tuple[PriceChange, ...]


class UnknownModelError(LookupError):
    """The catalog has no such model."""


class ModelPriceCatalogEffect:
    """add_model, update_pricing, get_pricing, list_models, mark_deprecated."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_model(self, price: ModelPrice) -> None:
        """Adds a model the catalog does not have.

        Raises:
            PriceConflictError: the model is there; use `update_pricing`.
        """
        with self._database.transaction("add_model") as connection:
            _lock(connection)
            if _rows_of(connection, self._database, price.provider, price.model):
                raise PriceConflictError(
                    f"{price.provider}/{price.model} is in the catalog already; give the new price with `model add --update`"
                )
            _write(connection, [price])

    def update_pricing(self, price: ModelPrice) -> None:
        """Gives a model another price from `effective_from` on: the row in force then is closed there.

        Raises:
            PriceConflictError: another price with that very start is there.
        """
        with self._database.transaction("update_pricing") as connection:
            _lock(connection)
            rows = _rows_of(connection, self._database, price.provider, price.model)
            if any(row.effective_from == price.effective_from for row in rows):
                raise PriceConflictError(
                    f"{price.provider}/{price.model} has a price from {price.effective_from:%Y-%m-%d %H:%M} on already; "
                    "a price is never overwritten, choose another start"
                )
            in_force = next((row for row in rows if row.in_force(price.effective_from)), None)
            later = min((row.effective_from for row in rows if row.effective_from > price.effective_from), default=None)
            if price.effective_to is None and later is not None:
                price = price.model_copy(update={"effective_to": later})
            closed = [in_force.model_copy(update={"effective_to": price.effective_from})] if in_force else []
            _write(connection, [*closed, price])

    def get_pricing(self, provider: str, model: str, at: datetime) -> ModelPrice | None:
        """The price of a model in force at a moment, or None."""
        rows = fetch_rows(
            self._database,
            "select * from model_price_catalog where provider = :provider and model = :model"
            " and effective_from <= :at and (effective_to is null or effective_to > :at)",
            {"provider": provider, "model": model, "at": at},
        )
        return _price(rows[0]) if rows else None

    def list_models(
        self, *, provider: str | None = None, name_contains: str | None = None, include_deprecated: bool = False
    ) -> list[ModelPrice]:
        """Every row that passes the filters, by (provider, model, effective_from)."""
        rows = fetch_rows(
            self._database,
            "select * from model_price_catalog"
            " where (cast(:provider as text) is null or provider = :provider)"
            " and (cast(:name as text) is null or position(lower(:name) in lower(model)) > 0)"
            " and (:deprecated or not deprecated) order by provider, model, effective_from",
            {"provider": provider, "name": name_contains, "deprecated": include_deprecated},
        )
        return [_price(row) for row in rows]

    def mark_deprecated(self, provider: str, model: str) -> None:
        """Takes a model out of advice; its prices still price what used it.

        Raises:
            UnknownModelError: no such model.
        """
        with self._database.transaction("mark_deprecated") as connection:
            changed = connection.execute(
                text("update model_price_catalog set deprecated = true where provider = :provider and model = :model"),
                {"provider": provider, "model": model},
            ).rowcount
        if not changed:
            raise UnknownModelError(f"the catalog has no {provider}/{model}; `debug-loop model list` shows what it has")

    def seed(self, prices: Sequence[ModelPrice]) -> SeededPrices:
        """Brings the catalog to a price list: new rows are added, rows in force closed, prices given by hand left alone."""
        with self._database.transaction("seed_prices") as connection:
            _lock(connection)
            by_hand = {
                (row["provider"], row["model"])
                for row in fetch_rows(
                    self._database,
                    "select distinct provider, model from model_price_catalog where source = :manual",
                    {"manual": MANUAL},
                    connection,
                )
            }
            known = {
                (row["provider"], row["model"], row["effective_from"]): _price(row)
                for row in fetch_rows(self._database, "select * from model_price_catalog", connection=connection)
            }
            wanted: list[ModelPrice] = []
            changes: list[PriceChange] = []
            for price in prices:
                if (price.provider, price.model) in by_hand:
                    continue
                stored = known.get((price.provider, price.model, price.effective_from))
                if stored is None:
                    changes.append(PriceChange(price.provider, price.model, price.effective_from))
                    wanted.append(price)
                    continue
                if stored.effective_to != price.effective_to:
                    since = min(end for end in (stored.effective_to, price.effective_to) if end is not None)
                    changes.append(PriceChange(price.provider, price.model, since))
                # A price that was seen with other numbers before stays as it was: what it priced was right then.
                wanted.append(stored.model_copy(update={"effective_to": price.effective_to}))
            inserted, updated = _write(connection, wanted)
        return SeededPrices(len(prices), inserted, updated, tuple(changes))


class PriceBooks:
    """The catalog as the cost tracker reads it; built again only when the catalog changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version: tuple[Any, ...] | None = None
        self._book = PriceBook(())

    def current(self, connection: Connection | None = None) -> PriceBook:
        """The book of the catalog as it is now."""
        query = "select count(*) as rows, max(updated_at) as latest from model_price_catalog"
        row = fetch_rows(self._database, query, connection=connection)[0]
        version = (row["rows"], row["latest"])
        if version != self._version:
            self._book = PriceBook(ModelPriceCatalogEffect(self._database).list_models(include_deprecated=True))
            self._version = version
        return self._book


def _lock(connection: Connection) -> None:
    advisory_lock(connection, "model_price_catalog")


def _rows_of(connection: Connection, database: Database, provider: str, model: str) -> list[ModelPrice]:
    rows = fetch_rows(
        database,
        "select * from model_price_catalog where provider = :provider and model = :model order by effective_from",
        {"provider": provider, "model": model},
        connection,
    )
    return [_price(row) for row in rows]


def _write(connection: Connection, prices: Sequence[ModelPrice]) -> tuple[int, int]:
    rows = [
        (
            p.provider,
            p.model,
            p.effective_from,
            p.effective_to,
            *(getattr(p.prices, bucket) for bucket in BUCKETS),
            [tier.model_dump(mode="json") for tier in p.tiers],
            [window.model_dump(mode="json") for window in p.daily_windows],
            p.match_pattern,
            p.context_window,
            p.deprecated,
            p.source,
        )
        for p in prices
    ]
    counts = stage_and_upsert(
        connection, "model_price_catalog", _COLUMNS, rows, key=("provider", "model", "effective_from")
    )
    return counts.inserted, counts.updated


def _price(row: dict[str, Any]) -> ModelPrice:
    return ModelPrice(
        provider=row["provider"],
        model=row["model"],
        effective_from=row["effective_from"],
        effective_to=row["effective_to"],
        prices=BucketPrices(**{bucket: row[f"{bucket}_per_million"] for bucket in BUCKETS}),
        tiers=row["tiers"],
        daily_windows=row["daily_windows"],
        match_pattern=row["match_pattern"],
        context_window=row["context_window"],
        deprecated=row["deprecated"],
        source=row["source"],
    )
