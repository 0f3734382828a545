"""What all daily assets share: partitions, backfill policy, pool, schema metadata, and the metadata of one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from debug_loop_pipeline.effects.schema_columns import table_columns
from debug_loop_pipeline.partitions import daily_partitions
from debug_loop_pipeline.steps.framework import StepReport

OWNERS = ["team:debug-loop"]
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


def table_metadata(table: str) -> dict[str, Any]:
    """Name and column schema of the table an asset writes, as the UI shows them."""
    columns = [
        dg.TableColumn(name, kind, constraints=dg.TableColumnConstraints(nullable=nullable))
        for name, kind, nullable in table_columns()[table]
    ]
    return {"dagster/table_name": table, "dagster/column_schema": dg.TableSchema(columns=columns)}


def daily_asset(
    *, table: str, code_version: str, description: str, group: str, deps: Sequence[str] = (), fold: bool = False
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Decorator of a daily asset that writes `table`."""
    return dg.asset(
        deps=list(deps),
        partitions_def=daily_partitions(),
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=code_version,
        description=description,
        group_name=group,
        owners=OWNERS,
        kinds={"python", "postgres"},
        metadata=table_metadata(table),
        pool=FOLD_POOL if fold else FACT_POOL,
    )


def report_metadata(report: StepReport, rows_of: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Counts, rates and seconds of one step, as materialization metadata."""
    rows = report.rows.get(rows_of)
    metadata: dict[str, Any] = {
        "seconds": round(report.seconds, 3),
        "attempts": report.attempts,
        "keys": report.keys,
        "problems": report.problems,
        "rows_inserted": sum(change.inserted for change in report.rows.values()),
        "rows_updated": sum(change.updated for change in report.rows.values()),
        "rows_deleted": sum(change.deleted for change in report.rows.values()),
        "rows_moved_in_table": rows.total if rows else 0,
        "code_version": report.code_version,
    }
    work = report.attempts or report.keys
    if work and report.seconds:
        metadata["per_second"] = round(work / report.seconds, 1)
    if report.recompute is not None:
        metadata["recompute"] = dg.MetadataValue.json(report.recompute)
    return metadata | dict(report.details) | dict(extra or {})


def table_sample(rows: Iterable[Mapping[str, Any]]) -> dg.MetadataValue:
    """A few rows as a Markdown table."""
    listed = [dict(row) for row in rows]
    if not listed:
        return dg.MetadataValue.md("no rows")
    columns = list(listed[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    for row in listed:
        cells = (str(row[column]).replace("|", "\\|").replace("\n", " ")[:120] for column in columns)
        lines.append("| " + " | ".join(cells) + " |")
    return dg.MetadataValue.md("\n".join(lines))
