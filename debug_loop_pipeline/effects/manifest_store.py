"""What a manifest is made of, read from the approved part of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database

_FIXES = 20


def fixes_of(database: Database, signature: str) -> list[dict[str, Any]]:
    """Everything known about one error signature that is not suppressed or deprecated, best lower bound first."""
    return fetch_rows(
        database,
        "select v.*, a.peer_id from v_error_resolution_patterns v"
        " left join debug_execution_attempts a on a.attempt_id = v.example_attempt_id"
        " where v.signature = :signature order by v.wilson_lower_bound desc, v.success_count desc, v.mapping_id limit :n",
        {"signature": signature, "n": _FIXES},
    )


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
    """Average cost of the attempts on the same problem, or else of its category, and the cheapest model that succeeded."""
    for condition, params in (("problem_hash = :key", {"key": problem_hash}), ("category = :key", {"key": category})):
        rows = fetch_rows(
            database,
            "select count(*) as attempts, avg(c.cost_usd) as average from debug_execution_attempts a join execution_costs c"
            f" using (attempt_id) where a.{condition} and c.cost_usd is not null",
            params,
        )
        if rows[0]["attempts"]:
            cheapest = fetch_rows(
                database,
                "select c.model, avg(c.cost_usd) as average from debug_execution_attempts a join execution_costs c using (attempt_id)"
                f" where a.{condition} and a.outcome = 'succeeded' and c.cost_usd is not null and c.model is not null"
                " group by c.model order by average, c.model limit 1",
                params,
            )
            return rows[0] | {"cheapest": cheapest[0] if cheapest else None}
    return None
