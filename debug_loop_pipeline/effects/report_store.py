"""Reads for people: what `errors`, `stf`, `golden` and `report` show. No writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.mapping_examples import with_own_examples
from debug_loop_pipeline.effects.postgres import Database

COSTS_BY = ("model", "agent", "category", "branch", "pull_request")
"""What the cost of attempts is summed by (DOMAIN 3.10); by error signature it is in `error_costs`."""
ORDERS = {"count": "errors desc", "cost": "cost_usd desc nulls last", "recent": "last_at desc"}


def unique_prefix(database: Database, table: str, column: str, prefix: str, *, what: str) -> str:
    """The one id of a table that begins with `prefix` (8 characters are usually enough). `what` names it in errors.

    Raises:
        LookupError: none or several begin with it.
    """
    rows = fetch_rows(
        database,
        f"select distinct {column} as id from {table} where starts_with({column}, :prefix) order by 1 limit 3",
        {"prefix": prefix.lower()},
    )
    if len(rows) == 1:
        return str(rows[0]["id"])
    if rows:
        raise LookupError(f"the id of more than one {what} begins with {prefix!r}; give more characters")
    raise LookupError(f"the id of no {what} begins with {prefix!r}")


def top_errors(database: Database, *, order: str, limit: int, category: str | None = None) -> list[dict[str, Any]]:
    """Error groups caused by agents, with what they cost and how many fixes are known."""
    return fetch_rows(
        database,
        f"""
        select e.signature, min(e.error_type) as error_type, min(e.category) as category, min(e.pattern) as pattern,
               count(*) as errors, count(distinct e.attempt_id) as attempts, count(distinct e.correlation_id) as tasks,
               min(e.at) as first_at, max(e.at) as last_at, c.cost_usd, c.cost_after_fix_known_usd, coalesce(m.fixes, 0) as fixes
        from attempt_errors e
        left join (
            select signature, sum(cost_usd) as cost_usd, sum(cost_after_fix_known_usd) as cost_after_fix_known_usd
            from error_costs group by signature
        ) c using (signature)
        left join (
            select signature, count(*) filter (where success_count > 0) as fixes from debug_error_success_mappings group by signature
        ) m using (signature)
        where e.origin = 'agent_action' and (cast(:category as text) is null or e.category = :category)
        group by e.signature, c.cost_usd, c.cost_after_fix_known_usd, m.fixes
        order by {ORDERS[order]}, errors desc, e.signature
        limit :limit
        """,
        {"limit": limit, "category": category},
    )


def most_slots(database: Database, signature: str) -> int:
    """How many slots an error of a group has at most; 0 of a group that is not there."""
    query = "select coalesce(max(jsonb_array_length(slots)), 0) as most from attempt_errors where :signature in (signature, own_signature)"
    return int(fetch_rows(database, query, {"signature": signature})[0]["most"])


def error_group(database: Database, signature: str) -> dict[str, Any]:
    """One group: its pattern, latest occurrences, cost per day, and every mapping."""
    return {
        "signature": signature,
        "occurrences": fetch_rows(
            database,
            "select e.attempt_id, a.session_id, e.at, e.message, e.slots, e.tool, e.test, e.path, e.line, e.category, e.error_type,"
            " e.pattern from attempt_errors e left join debug_execution_attempts a using (attempt_id)"
            " where e.signature = :s order by e.at desc, e.attempt_id, e.position limit 20",
            {"s": signature},
        ),
        "costs": fetch_rows(database, "select * from error_costs where signature = :s order by day", {"s": signature}),
        "fixes": _mappings(database, "m.signature = :s", {"s": signature}),
        "decisions": fetch_rows(
            database,
            "select kind, signature, into_signature, split_by, reason, decided_by, decided_at from error_group_decisions"
            " where :s in (signature, into_signature) order by decision_id",
            {"s": signature},
        ),
    }


def latest_effect(database: Database) -> list[dict[str, Any]]:
    """The newest rows of `recommendation_effect`, one per measure."""
    return fetch_rows(
        database,
        "select * from recommendation_effect where day = (select max(day) from recommendation_effect)"
        " order by array_position(array['attempts', 'succeeded', 'cost_usd'], measure)",
    )


def effect_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of `recommendation_effect` as people read them."""

    def told(row: Mapping[str, Any], name: str, form: str) -> str:
        value = row[name]
        if value is None:
            return str(row["status"])
        return f"{value:{form}} ({row[f'{name}_low']:{form}} to {row[f'{name}_high']:{form}})"

    return [
        {
            "measure": row["measure"],
            "tasks": f"{row['tasks_treatment']} / {row['tasks_holdout']}",
            "served": told(row, "treatment", _FORMS[row["measure"]]),
            "held out": told(row, "holdout", _FORMS[row["measure"]]),
            "change": "" if row["relative"] is None else told(row, "relative", "+.0%"),
            "p": "" if row["p_value"] is None else f"{row['p_value']:.4f}",
        }
        for row in rows
    ]


_FORMS = {"attempts": ".2f", "succeeded": ".0%", "cost_usd": ".4f"}


def golden_states(database: Database, *, state: str | None, limit: int) -> list[dict[str, Any]]:
    """Golden states, best first."""
    return fetch_rows(
        database,
        "select g.golden_state_id, g.state, g.quality_score, g.evidence_tier, g.category, g.reuse_count, g.nominated_at,"
        " g.decided_by, f.name, f.language, a.user_request from debug_golden_states g"
        " join debug_transform_functions f using (stf_hash) join debug_execution_attempts a using (attempt_id)"
        " where (cast(:state as text) is null or g.state = :state)"
        " order by g.quality_score desc, g.golden_state_id limit :limit",
        {"state": state, "limit": limit},
    )


def golden_state(database: Database, golden_state_id: str) -> dict[str, Any]:
    """One golden state with its code, request and history."""
    row = fetch_rows(
        database,
        "select g.*, f.name, f.language, f.code, a.user_request, a.agent_name, a.completed_at from debug_golden_states g"
        " join debug_transform_functions f using (stf_hash) join debug_execution_attempts a using (attempt_id)"
        " where g.golden_state_id = :id",
        {"id": golden_state_id},
    )[0]
    row["events"] = fetch_rows(
        database, "select * from golden_events where golden_state_id = :id order by position", {"id": golden_state_id}
    )
    return row


def mapping(database: Database, mapping_id: str) -> dict[str, Any]:
    """One mapping with its resolution and every task's word on it: which call failed, changed, and showed it gone."""
    (row,) = _mappings(database, "m.mapping_id = :id", {"id": mapping_id})
    row["events"] = fetch_rows(
        database,
        "select correlation_id, outcome, occurred_at, attempt_id, evidence_tier, peer_id, details from mapping_events"
        " where signature = :s and resolution_id = :r order by occurred_at, attempt_id, correlation_id",
        {"s": row["signature"], "r": row["resolution_id"]},
    )
    return row


def _mappings(database: Database, condition: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Mappings with their changes, the best first, each with an example of its own."""
    rows = fetch_rows(
        database,
        "select m.*, r.kind, r.template, r.example_diff, r.said from debug_error_success_mappings m"
        f" join resolutions r using (resolution_id) where {condition} order by m.wilson_lower_bound desc, m.mapping_id",
        params,
    )
    return with_own_examples(database, rows)


def overview(database: Database, top: int) -> dict[str, Any]:
    """Everything the report shows, as rows."""
    queries: Sequence[tuple[str, str]] = (
        (
            "attempts",
            "select outcome, evidence_tier, count(*) as attempts from debug_execution_attempts group by 1, 2 order by 1, 2",
        ),
        (
            "attempts_by_day",
            "select day, count(*) as attempts, count(*) filter (where outcome = 'succeeded') as succeeded,"
            " count(*) filter (where outcome = 'failed') as failed from debug_execution_attempts group by 1 order by 1",
        ),
        (
            "agents",
            "select agent_name, importer, count(*) as attempts, count(distinct correlation_id) as tasks"
            " from debug_execution_attempts group by 1, 2 order by attempts desc, 1, 2",
        ),
        (
            "fixes",
            "select m.mapping_id, m.pattern, m.error_category, m.state, m.success_count, m.failure_count, m.wilson_lower_bound,"
            " r.kind, r.template, r.example_diff, r.said from debug_error_success_mappings m join resolutions r using (resolution_id)"
            " where m.success_count > 0 order by m.wilson_lower_bound desc, m.success_count desc, m.mapping_id limit :top",
        ),
        (
            "mapping_counts",
            "select count(*) as mappings, count(*) filter (where success_count > 0) as with_a_success,"
            " count(*) filter (where state = 'confident') as confident, count(distinct signature) as signatures"
            " from debug_error_success_mappings",
        ),
        (
            "functions_by_tier",
            "select quality_tier, approval, count(*) as functions, count(distinct cluster_id) as clusters"
            " from debug_transform_functions group by 1, 2"
            " order by array_position(array['excellent', 'good', 'fair', 'poor'], quality_tier), 1, 2",
        ),
        (
            "stuck",
            "select s.signature, (select e.pattern from attempt_errors e where e.signature = s.signature order by e.at, e.attempt_id"
            " limit 1) as pattern, count(*) as loops, count(distinct s.correlation_id) as tasks, sum(s.attempts) as repetitions,"
            " sum(s.cost_usd) as cost_usd from stuck_loops s group by 1 order by cost_usd desc, loops desc, 1 limit :top",
        ),
        ("golden", "select state, count(*) as golden_states from debug_golden_states group by 1 order by 1"),
        ("cost_by_day", "select day, sum(cost_usd) as cost_usd from execution_costs group by 1 order by 1"),
    )
    found: dict[str, Any] = {name: fetch_rows(database, query, {"top": top}) for name, query in queries}
    found["fixes"] = with_own_examples(database, found["fixes"])
    found["top_errors"] = top_errors(database, order="count", limit=top)
    found["effect"] = latest_effect(database)
    return found | {f"cost_by_{by}": rows for by, rows in costs(database, top).items()}


def costs(database: Database, top: int) -> dict[str, list[dict[str, Any]]]:
    """What attempts cost by each of `COSTS_BY`, dearest first, `top` rows each; branches and pull requests with their repository."""
    found: dict[str, list[dict[str, Any]]] = {by: [] for by in COSTS_BY}
    for row in fetch_rows(database, _COSTS, {"top": top}):
        by = COSTS_BY[_LEFT_OUT.index(row.pop("left_out"))]
        where = {"repository": row["repository"]} if by in ("branch", "pull_request") else {}
        numbers = {name: row[name] for name in ("attempts", "tasks", "cost_usd", "unpriced", "estimated")}
        found[by].append({**where, by: row[by] or "(none told)", **numbers})
    return found


_COSTS = """
select g.*
from (
    select grouping(c.model, a.agent_name, a.category, a.branch, a.pull_request) as left_out,
           c.model, a.agent_name as agent, a.category, a.repository, a.branch, a.pull_request,
           count(*) as attempts, count(distinct a.correlation_id) as tasks, sum(c.cost_usd) as cost_usd,
           count(*) filter (where c.cost_usd is null) as unpriced, bool_or(c.estimated) as estimated,
           row_number() over (
               partition by grouping(c.model, a.agent_name, a.category, a.branch, a.pull_request)
               order by sum(c.cost_usd) desc nulls last, count(*) desc, c.model, a.agent_name, a.category, a.repository, a.branch,
                        a.pull_request
           ) as place
    from execution_costs c join debug_execution_attempts a using (attempt_id)
    group by grouping sets (
        (c.model), (a.agent_name), (a.category), (a.repository, a.branch), (a.repository, a.pull_request)
    )
) g
where g.place <= :top
order by g.left_out, g.place
"""
_LEFT_OUT = (0b01111, 0b10111, 0b11011, 0b11101, 0b11110)
"""PostgreSQL's `grouping` of each of `COSTS_BY`: a bit for each that a row is not of."""
