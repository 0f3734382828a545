"""Step `error_costs`: what each error signature costs per day, and how much of that came after a fix for it was known.

Two folds: the charges of a task (`error_cost_items`) from all its attempts, and the totals of the (signature, day) pairs they touch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.compute.errors.error_cost import CostedAttempt, charge_errors
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.step_store import RowChanges, Table
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.framework import Span, StepContext, StepReport, keys_by, run_fold

FOLD = "error_costs"
BY_SIGNATURE = "error_costs_by_signature"

ITEMS = Table(
    "error_cost_items",
    ("attempt_id", "signature", "correlation_id", "day", "started_at", "kind", "cost_usd"),
    ("attempt_id", "signature"),
    scope="correlation_id",
)
TOTALS = Table(
    "error_costs",
    (
        "signature",
        "day",
        "failed_attempts",
        "retry_attempts",
        "unpriced_attempts",
        "cost_usd",
        "cost_after_fix_known_usd",
    ),
    ("signature", "day"),
    scope="signature",
)


def run(
    context: StepContext, span: Span, *, full_refresh: bool = False, only_keys: Sequence[str] | None = None
) -> StepReport:
    """Charges the tasks touched on these days, then totals the signatures those charges or new fixes touched."""
    report = run_fold(
        context,
        FOLD,
        versions.ERROR_COSTS,
        span,
        charge_tasks,
        keys_by(
            "select correlation_id::text as key from attempt_errors where day = any(:days)"
            " union select correlation_id::text from error_cost_items where day = any(:days)"
        ),
        full_refresh=full_refresh,
        only_keys=only_keys,
    )
    totals = run_fold(
        context,
        BY_SIGNATURE,
        versions.ERROR_COSTS,
        span,
        total_signatures,
        keys_by("select distinct signature as key from error_cost_items where day = any(:days)"),
        only_keys=None if only_keys is None else context.store.noted(BY_SIGNATURE),
    )
    report.add_rows(totals.rows)
    report.keys += totals.keys
    report.seconds += totals.seconds
    return report


def charge_tasks(context: StepContext, connection: Connection, tasks: list[str], span: Span) -> dict[str, RowChanges]:
    """Recomputes the charges of some tasks and marks the signatures they touch."""
    ids = [UUID(task) for task in tasks]
    before = fetch_rows(
        context.database,
        "select distinct signature from error_cost_items where correlation_id = any(:ids)",
        {"ids": ids},
        connection,
    )
    rows: list[tuple[Any, ...]] = []
    for task, group in groupby(
        fetch_rows(context.database, _ATTEMPTS_OF_TASKS, {"ids": ids}, connection),
        key=lambda row: row["correlation_id"],
    ):
        rows += _items(task, list(group))
    touched = {row["signature"] for row in before} | {row[1] for row in rows}
    context.store.mark(connection, BY_SIGNATURE, [(signature, span.first) for signature in touched])
    return {ITEMS.name: context.store.replace(connection, ITEMS, rows, ids)}


def _items(task: UUID, attempts: Iterable[dict[str, Any]]) -> list[tuple[Any, ...]]:
    known = {row["attempt_id"]: row for row in attempts}
    charges = charge_errors(
        [
            CostedAttempt(row["attempt_id"], row["started_at"], row["succeeded"], frozenset(row["signatures"] or ()))
            for row in known.values()
        ]
    )
    return [
        (
            charge.attempt_id,
            charge.signature,
            task,
            known[charge.attempt_id]["day"],
            known[charge.attempt_id]["started_at"],
            charge.kind,
            known[charge.attempt_id]["cost_usd"],
        )
        for charge in charges
    ]


def total_signatures(
    context: StepContext, connection: Connection, signatures: list[str], span: Span
) -> dict[str, RowChanges]:
    """Totals some signatures per day."""
    rows = fetch_rows(context.database, _TOTALS, {"signatures": signatures}, connection)
    return {
        TOTALS.name: context.store.replace(
            connection, TOTALS, [tuple(row[column] for column in TOTALS.columns) for row in rows], signatures
        )
    }


_ATTEMPTS_OF_TASKS = """
select a.correlation_id, a.attempt_id, a.day, a.started_at, a.outcome = 'succeeded' as succeeded, c.cost_usd, e.signatures
from debug_execution_attempts a
left join execution_costs c using (attempt_id)
left join lateral (
    select array_agg(distinct e.signature) as signatures
    from attempt_errors e
    where e.attempt_id = a.attempt_id and e.origin = 'agent_action'
) e on true
where a.correlation_id = any(:ids)
order by a.correlation_id, a.started_at, a.attempt_id
"""

_TOTALS = """
with known as (
    select signature, min(first_success_at) as at
    from debug_error_success_mappings
    where signature = any(:signatures) and first_success_at is not null
    group by signature
)
select i.signature, i.day,
       count(*) filter (where i.kind = 'failed') as failed_attempts,
       count(*) filter (where i.kind = 'retry') as retry_attempts,
       count(*) filter (where i.cost_usd is null) as unpriced_attempts,
       coalesce(sum(i.cost_usd), 0) as cost_usd,
       coalesce(sum(i.cost_usd) filter (where i.started_at > k.at), 0) as cost_after_fix_known_usd
from error_cost_items i
left join known k using (signature)
where i.signature = any(:signatures)
group by i.signature, i.day
order by i.signature, i.day
"""
