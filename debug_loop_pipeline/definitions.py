"""The one Definitions object: assets, checks, sensors, schedules, jobs and resources.

Here: what is wired to what (https://docs.dagster.io/guides/build/projects), and running it in this process. Loads with an empty
environment and touches no network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from debug_loop_pipeline.assets import debug_intelligence, execution_events
from debug_loop_pipeline.checks import debug_intelligence as debug_intelligence_checks
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.resources.servers import KafkaResource, PostgresResource, ValkeyResource
from debug_loop_pipeline.sensors.dirty_days import RANGE_END, RANGE_START, SettlingRuns, dirty_days_sensor
from debug_loop_pipeline.sensors.execution_lag import execution_lag_sensor
from debug_loop_pipeline.sensors.maintenance import dead_runs, maintenance_job, maintenance_schedule
from debug_loop_pipeline.sensors.price_list import price_list_sensor
from debug_loop_pipeline.settings import load_settings
from debug_loop_pipeline.steps.framework import Span

_DAILY = dg.AssetSelection.groups(debug_intelligence.GROUP) - dg.AssetSelection.assets(
    "model_price_catalog", execution_events.EVENTS
)
debug_intelligence_job = dg.define_asset_job(
    "debug_intelligence_job",
    selection=_DAILY,
    executor_def=dg.in_process_executor,
    description="Everything of Part 1 over a day or a range of days.",
)
_GATES = [spec.key for step in debug_intelligence_checks.ALL_CHECKS for spec in step.check_specs if spec.blocking]
gated_job = dg.define_asset_job(
    "debug_intelligence_gated_job",
    selection=_DAILY.without_checks() | dg.AssetSelection.checks(*_GATES),
    executor_def=dg.in_process_executor,
    tags={debug_intelligence.PLOTS: "no"},
    description="The same with the blocking checks alone and without plots, for moments and for the first of several ranges: the other"
    " checks speak of whole tables, now and then is enough.",
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
    part_1 = dg.Definitions(
        assets=dg.load_assets_from_modules([debug_intelligence, execution_events]),
        asset_checks=debug_intelligence_checks.ALL_CHECKS,
        jobs=[debug_intelligence_job, gated_job, price_job, execution_events.execution_events_job, maintenance_job],
        schedules=[maintenance_schedule],
        sensors=[
            dirty_days_sensor(
                debug_intelligence_job,
                gated_job,
                SettlingRuns({debug_intelligence_job.name, gated_job.name}, dg.AssetKey(debug_intelligence.CLOSING)),
            ),
            execution_lag_sensor(execution_events.execution_events_job.name),
            price_list_sensor(price_job.name),
            dead_runs,
        ],
        resources=resources | dict(resource_overrides or {}),
        executor=dg.in_process_executor,
    )
    settings = load_settings()
    parts = [part_1]
    if settings.economy_enabled:
        parts.append(_economy())
    if settings.units_folder is not None:
        parts.append(_units(settings.units_folder))
    return dg.Definitions.merge(*parts)


def _units(folder: Path) -> dg.Definitions:
    """The generated units that are to be in the graph."""
    from debug_loop_pipeline.components.unit import unit_asset
    from debug_loop_pipeline.onex.generated import load_unit

    wanted = sorted(path.parent for path in folder.glob("*/defs.yaml"))
    return dg.Definitions(assets=[unit_asset(load_unit(found).unit) for found in wanted])


def _economy() -> dg.Definitions:
    """The group of Part 2, on the resources of Part 1; imported only where it is on."""
    from debug_loop_pipeline.assets import token_economy
    from debug_loop_pipeline.checks import token_economy as token_economy_checks
    from debug_loop_pipeline.sensors.token_economy import ledger_lag_sensor, new_contributions_sensor

    return dg.Definitions(
        assets=dg.load_assets_from_modules([token_economy]),
        asset_checks=token_economy_checks.ALL_CHECKS,
        jobs=[
            token_economy.token_economy_job,
            token_economy.token_economy_unchecked_job,
            token_economy.token_balances_job,
        ],
        sensors=[
            new_contributions_sensor(token_economy.token_economy_job.name),
            ledger_lag_sensor(token_economy.token_balances_job.name),
        ],
    )


defs = build_defs()


def materialize_days(
    spans: Sequence[Span], *, full_refresh: bool = False, more_follow: bool = False
) -> list[dict[str, Any]]:
    """Runs the price job, then the debug-intelligence job over each range of days, in this process, on the instance of DAGSTER_HOME.

    Checks run with the last range; with `more_follow` the caller has further ranges, and only what holds others back is checked.

    Returns:
        What each asset did over all ranges: {asset, attempts, keys, rows_changed, problems, seconds}.

    Raises:
        DebugLoopError: a step failed; the run in the Dagster UI says more.
    """
    told: dict[str, dict[str, Any]] = {}
    with dg.DagsterInstance.get() as instance:
        _execute(defs.resolve_job_def(price_job.name), instance, {}, {})
        for span in spans:
            tags = {RANGE_START: span.first.isoformat(), RANGE_END: span.last.isoformat()}
            refreshable = [name for name in debug_intelligence.REFRESHABLE if full_refresh]
            config = {"ops": {name: {"config": {"full_refresh": True}} for name in refreshable}}
            job = debug_intelligence_job if span is spans[-1] and not more_follow else gated_job
            result = _execute(defs.resolve_job_def(job.name), instance, tags, config)
            # an event per partition says the same of the whole run: the last of each asset is enough
            for row in {row["asset"]: row for row in map(_told, result.get_asset_materialization_events())}.values():
                _add(told.setdefault(row["asset"], {"asset": row["asset"]}), row)
    return list(told.values())


def materialize_economy(spans: Sequence[Span]) -> list[dict[str, Any]]:
    """Runs the economy's daily job over each range of days, folds the ledger, then computes the numbers of today.

    Returns and raises as `materialize_days`.
    """
    from debug_loop_pipeline.assets import token_economy

    today = datetime.now(UTC).date()
    told: dict[str, dict[str, Any]] = {}
    unchecked, fold = token_economy.token_economy_unchecked_job.name, token_economy.token_balances_job.name
    ledger = token_economy.ledger_partitions.get_partition_keys()
    with dg.DagsterInstance.get() as instance:
        for name, first, last in (
            *((unchecked, span.first.isoformat(), span.last.isoformat()) for span in spans),
            (fold, ledger[0], ledger[-1]),
            (token_economy.token_economy_job.name, today.isoformat(), today.isoformat()),
        ):
            result = _execute(defs.resolve_job_def(name), instance, {RANGE_START: first, RANGE_END: last}, {})
            for row in {row["asset"]: row for row in map(_told, result.get_asset_materialization_events())}.values():
                _add(told.setdefault(row["asset"], {"asset": row["asset"]}), row)
    return list(told.values())


def _add(total: dict[str, Any], row: dict[str, Any]) -> None:
    for key in ("attempts", "keys", "rows_changed", "problems", "seconds"):
        total[key] = round((total.get(key) or 0) + (row[key] or 0), 3)


def _execute(
    job: dg.JobDefinition, instance: dg.DagsterInstance, tags: dict[str, str], config: dict[str, Any]
) -> dg.ExecuteInProcessResult:
    quiet = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}
    result = job.execute_in_process(instance=instance, tags=tags, run_config=config | quiet, raise_on_error=False)
    if not result.success:
        failed = [event.step_key or "" for event in result.all_events if event.is_step_failure]
        raise DebugLoopError(
            f"{job.name} failed in {', '.join(failed) or 'its set-up'}; run {result.run_id} in the Dagster UI says why"
        )
    return result


def _told(event: dg.DagsterEvent) -> dict[str, Any]:
    materialization = event.step_materialization_data.materialization
    told = {key: value.value for key, value in materialization.metadata.items()}
    return {
        "asset": materialization.asset_key.to_user_string(),
        "attempts": told.get("attempts"),
        "keys": told.get("keys"),
        "rows_changed": sum(told.get(f"rows_{kind}", 0) for kind in ("inserted", "updated", "deleted")),
        "problems": told.get("problems"),
        "seconds": told.get("seconds"),
    }
