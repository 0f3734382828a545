"""Step `model_price_catalog`: the bundled price list into the catalog."""

from __future__ import annotations

from dataclasses import dataclass

from debug_loop_pipeline.compute.genai_price_catalog import bundled_prices
from debug_loop_pipeline.effects.model_price_catalog import ModelPriceCatalogEffect
from debug_loop_pipeline.effects.postgres import Database


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
