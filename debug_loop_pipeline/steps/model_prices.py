"""Step `model_price_catalog`: the bundled price list into the catalog."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from debug_loop_pipeline.compute.genai_price_catalog import bundled_prices
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.model_price_catalog import ModelPriceCatalogEffect
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.run_all import run_dirty_days


@dataclass(frozen=True, slots=True)
class SeededPrices:
    """Rows of the price list, and what they changed."""

    total: int
    inserted: int
    updated: int


def seed(database: Database) -> SeededPrices:
    """Adds what the installed price list has and the catalog has not."""
    prices = bundled_prices()
    inserted, updated = ModelPriceCatalogEffect(database).seed(prices)
    return SeededPrices(len(prices), inserted, updated)


def reprice(context: StepContext, provider: str, model: str) -> int:
    """Costs the attempts again that a new price may concern: those of that model, and the unpriced ones. Returns how many."""
    with context.database.transaction("reprice") as connection:
        attempts = [
            row["attempt_id"]
            for row in fetch_rows(
                context.database,
                "select attempt_id from execution_costs where (model = :model and provider = :provider)"
                " or unpriced_reason in ('unknown_model', 'not_in_force', 'bucket_without_price')"
                " or by_model @> cast(:part as jsonb) order by attempt_id",
                {
                    "provider": provider,
                    "model": model,
                    "part": orjson.dumps([{"provider": provider, "model": model}]).decode(),
                },
                connection,
            )
        ]
        context.store.forget_progress(connection, ["execution_costs"], attempts)
    if attempts:
        run_dirty_days(context)
    return len(attempts)
