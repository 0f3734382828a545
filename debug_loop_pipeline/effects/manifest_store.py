"""What a manifest is made of, read from the approved part of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.mapping_examples import with_own_examples
from debug_loop_pipeline.effects.postgres import Database

_FIXES = 20
_LATEST_ATTEMPTS = 500
"""Whose cost is averaged: an agent waits for it, and what attempts cost last year is no advice."""


def fixes_of(database: Database, signature: str) -> list[dict[str, Any]]:
    """Everything known about one error signature that is not suppressed or deprecated, best lower bound first."""
    rows = fetch_rows(
        database,
        "select v.*, a.peer_id from v_error_resolution_patterns v"
        " left join debug_execution_attempts a on a.attempt_id = v.example_attempt_id"
        " where v.signature = :signature order by v.wilson_lower_bound desc, v.success_count desc, v.mapping_id limit :n",
        {"signature": signature, "n": _FIXES},
    )
    return with_own_examples(database, rows)


def functions_by_hash(database: Database, hashes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Approved, unsuppressed functions by hash."""
    rows = fetch_rows(
        database, "select * from v_recommended_stfs where stf_hash = any(:hashes)", {"hashes": list(hashes)}
    )
    return {row["stf_hash"]: row for row in rows}


def golden_of_functions(database: Database, hashes: Sequence[str]) -> list[dict[str, Any]]:
    """Approved golden states that stand on some functions."""
    return fetch_rows(
        database,
        "select * from v_golden_states_full where state = 'approved' and stf_hash = any(:hashes)"
        " order by quality_score desc, reuse_count desc, golden_state_id",
        {"hashes": list(hashes)},
    )


def cost_of_problem(database: Database, problem_hash: str, category: str) -> dict[str, Any] | None:
    """Average cost of the latest attempts on the same problem, or else of its category, and the cheapest model that succeeded."""
    for condition, key in (("problem_hash = :key", problem_hash), ("category = :key", category)):
        (row,) = fetch_rows(
            database, _COST.replace("/*condition*/", condition), {"key": key, "latest": _LATEST_ATTEMPTS}
        )
        if row["attempts"]:
            cheapest = {"model": row["cheapest_model"], "average": row["cheapest_average"]}
            return {
                "attempts": row["attempts"],
                "average": row["average"],
                "cheapest": cheapest if row["cheapest_model"] is not None else None,
            }
    return None


_COST = """
with priced as materialized (
    select c.model, c.cost_usd, a.outcome
    from (
        select attempt_id, outcome from debug_execution_attempts
        where /*condition*/ order by started_at desc, attempt_id limit :latest
    ) a
    join execution_costs c using (attempt_id)
    where c.cost_usd is not null
)
select whole.attempts, whole.average, cheapest.model as cheapest_model, cheapest.average as cheapest_average
from (select count(*) as attempts, avg(cost_usd) as average from priced) whole
left join (
    select model, avg(cost_usd) as average from priced
    where outcome = 'succeeded' and model is not null group by model order by average, model limit 1
) cheapest on true
"""
