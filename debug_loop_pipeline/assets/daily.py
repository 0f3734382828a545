"""What all daily assets share: partitions, backfill policy, pool, schema, and what one run of them tells.

Here: how an asset is declared and what it shows (https://docs.dagster.io/guides/build/partitions-and-backfills). Not here: the
assets themselves.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from debug_loop_pipeline.assets.insight import Insight
from debug_loop_pipeline.assets.tables import table_metadata, table_sample
from debug_loop_pipeline.partitions import daily_partitions
from debug_loop_pipeline.steps.framework import StepReport

OWNERS = ["team:debug-loop"]
KINDS = {"python", "postgres"}
FOLD_POOL = "debug_loop_folds"
"""Pool of 1: folds span days, so two runs over different days must not fold at once."""
FACT_POOL = "debug_loop_facts"
"""Bounds the writers of the fact tables."""


class RefreshConfig(dg.Config):
    """How much to compute."""

    full_refresh: bool = Field(
        default=False,
        description="Compute everything in the partitions again, not only what changed. Safe: rows that come out equal are not touched.",
    )


def daily_asset(
    *,
    table: str,
    code_version: str,
    description: str,
    group: str,
    deps: Sequence[str | dg.AssetDep] = (),
    fold: bool = False,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Decorator of a daily asset that writes `table`."""

    def decorate(body: Callable[..., Any]) -> dg.AssetsDefinition:
        with warnings.catch_warnings():
            # One run for a range is what makes a backfill of a year a matter of minutes; there is no other way to ask for it.
            warnings.filterwarnings("ignore", "Parameter `backfill_policy`", dg.BetaWarning)
            return dg.asset(
                deps=list(deps),
                partitions_def=daily_partitions(),
                backfill_policy=dg.BackfillPolicy.single_run(),
                code_version=code_version,
                description=description,
                group_name=group,
                owners=OWNERS,
                kinds=KINDS,
                metadata=table_metadata(table),
                pool=FOLD_POOL if fold else FACT_POOL,
            )(body)

    return decorate


def materialized(context: dg.AssetExecutionContext, report: StepReport, insight: Insight) -> dg.MaterializeResult[Any]:
    """What a step did and what the tables say now, as metadata of each partition of the run."""
    keys = sorted(context.partition_keys)
    if insight.rows_of_day is not None:
        for key in keys:
            rows = insight.rows_of_day.get(key, 0)
            context.add_asset_metadata({"dagster/partition_row_count": rows}, partition_key=key)
    shown: dict[str, Any] = dict(insight.shown)
    if report.recompute is not None:
        shown["recompute"] = dg.MetadataValue.json(report.recompute)
    if shown:
        context.add_asset_metadata(shown, partition_key=keys[-1])
    return dg.MaterializeResult(metadata=_counts(report) | insight.numbers)


def _counts(report: StepReport) -> dict[str, Any]:
    """Counts, rate and seconds of the whole run, be it over one day or a range."""
    metadata: dict[str, Any] = {
        "seconds": round(report.seconds, 3),
        "attempts": report.attempts,
        "keys": report.keys,
        "problems": report.problems,
        "rows_inserted": sum(change.inserted for change in report.rows.values()),
        "rows_updated": sum(change.updated for change in report.rows.values()),
        "rows_deleted": sum(change.deleted for change in report.rows.values()),
        "code_version": report.code_version,
    }
    if report.failed:
        metadata["left_undone"] = table_sample([{"subject": s, "why": why} for s, why in report.failed.items()])
    work = report.attempts or report.keys
    if work and report.seconds:
        metadata["per_second"] = round(work / report.seconds, 1)
    return metadata | report.details
