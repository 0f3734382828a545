"""The one Definitions object: assets, checks, sensors, jobs and resources.

Here: what is wired to what. Loads with an empty environment and touches no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from debug_loop_pipeline.assets import debug_intelligence
from debug_loop_pipeline.checks import debug_intelligence as debug_intelligence_checks
from debug_loop_pipeline.resources.servers import KafkaResource, PostgresResource, ValkeyResource
from debug_loop_pipeline.sensors.dirty_days import dirty_days_sensor

debug_intelligence_job = dg.define_asset_job(
    "debug_intelligence_job",
    selection=dg.AssetSelection.groups(debug_intelligence.GROUP) - dg.AssetSelection.assets("model_price_catalog"),
    executor_def=dg.in_process_executor,
    description="Everything of Part 1 over a day or a range of days.",
)
price_job = dg.define_asset_job(
    "model_price_catalog_job",
    selection=dg.AssetSelection.assets("model_price_catalog"),
    executor_def=dg.in_process_executor,
    description="Brings the price catalog to the installed price list.",
)


def build_defs(*, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The definitions; tests override resources."""
    resources: dict[str, Any] = {
        "postgres": PostgresResource(),
        "kafka": KafkaResource(),
        "valkey": ValkeyResource(),
    }
    return dg.Definitions(
        assets=dg.load_assets_from_modules([debug_intelligence]),
        asset_checks=debug_intelligence_checks.ALL_CHECKS,
        jobs=[debug_intelligence_job, price_job],
        sensors=[dirty_days_sensor(debug_intelligence_job)],
        resources=resources | dict(resource_overrides or {}),
        executor=dg.in_process_executor,
    )


defs = build_defs()
