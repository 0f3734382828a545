"""Step `model_price_catalog`: the bundled price list into the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from debug_loop_pipeline.compute.prices.genai_price_catalog import bundled_prices
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.model_price_catalog import ModelPriceCatalogEffect, PriceChange, SeededPrices
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.run_all import run_dirty_days

_PRICE_MISSING = ["unknown_model", "not_in_force", "bucket_without_price"]
"""Reasons of an unpriced attempt that a price can cure."""


def seed(database: Database) -> SeededPrices:
    """Adds what the installed price list has and the catalog has not."""
    return ModelPriceCatalogEffect(database).seed(bundled_prices())


def cost_again(context: StepContext, changes: Sequence[PriceChange]) -> int:
    """Makes `execution_costs` do the attempts again that another price list may price otherwise; their days become dirty.

    Those are the unpriced ones, and those of a changed model from the change on. Returns how many.
    """
    if not changes:
        return 0
    return _cost_again(
        context,
        "unpriced_reason = any(:price_missing) or exists ("
        " select from unnest(cast(:providers as text[]), cast(:models as text[]), cast(:days as date[])) as c(provider, model, since)"
        " where day >= c.since"
        " and by_model @> jsonb_build_array(jsonb_build_object('provider', c.provider, 'model', c.model)))",
        {
            "providers": [change.provider for change in changes],
            "models": [change.model for change in changes],
            "days": [change.since.date() for change in changes],
        },
    )


def reprice(context: StepContext, provider: str, model: str) -> int:
    """Costs the attempts again that a new price may concern: those of that model, and the unpriced ones. Returns how many."""
    part = orjson.dumps([{"provider": provider, "model": model}]).decode()
    attempts = _cost_again(
        context,
        "(model = :model and provider = :provider) or unpriced_reason = any(:price_missing) or by_model @> cast(:part as jsonb)",
        {"provider": provider, "model": model, "part": part},
    )
    if attempts:
        run_dirty_days(context)
    return attempts


def _cost_again(context: StepContext, which: str, params: dict[str, Any]) -> int:
    with context.database.transaction("cost_again") as connection:
        rows = fetch_rows(
            context.database,
            f"select attempt_id from execution_costs where {which} order by attempt_id",
            params | {"price_missing": _PRICE_MISSING},
            connection,
        )
        attempts = [row["attempt_id"] for row in rows]
        context.store.forget_progress(connection, ["execution_costs"], attempts, because="new prices")
    return len(rows)
