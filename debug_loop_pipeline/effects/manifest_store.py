"""What a manifest is made of, read from the approved part of the store."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.mapping_examples import LOOKED_AT
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.models.errors import SUBJECT_SLOTS
from debug_loop_pipeline.text import clean_text

_FIXES = 20
_EVENTS_READ = 200
"""So many of a mapping's events are read, from its first, where some of them may not be shown."""
_LATEST_ATTEMPTS = 500
"""Whose cost is averaged: an agent waits for it, and what attempts cost last year is no advice."""


def fixes_of(
    database: Database,
    errors: Mapping[str, Sequence[tuple[str, ...]]],
    *,
    min_wilson: float,
    repositories: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """What helped against some errors and what was tried in vain, a row each, told apart by `role` (fix, failure).

    Fixes come first and the best of them before the others: seen with the same values, then by lower bound. What is deprecated or
    suppressed is left out, also where all its events are of suppressed peers or repositories. The example, its words and its peer are of
    one event that may be shown; `example_diff` is empty where there is none, and the template is what remains.

    Args:
        database: the store.
        errors: by signature the values (`ErrorPattern.subjects`) of the errors that are asked about.
        min_wilson: the least lower bound of a fix.
        repositories: whose code and values may be shown; None for all.
    """
    if not errors:
        return []
    asked = {
        signature: [tuple(clean_text(value) for value in subjects) for subjects in of_errors]
        for signature, of_errors in errors.items()
    }
    params = {
        "errors": json.dumps(asked),
        "least": min_wilson,
        "repositories": None if repositories is None else list(repositories),
        "n": _FIXES,
        "examples": LOOKED_AT,
        "read": _EVENTS_READ,
    }
    rows = {(row["role"], row["mapping_id"]): row for row in fetch_rows(database, _FIXES_OF, params)}
    for row in rows.values():
        seen = [tuple(values) for values in row.pop("slot_values")]
        row["same_slots"] = any(subjects in seen for subjects in asked[row["signature"]])
        slots = row.pop("slots")
        if row.pop("narrowed"):  # the values that are kept with a mapping are of all its events
            seen = [tuple(slot["value"] for slot in slots if slot["kind"] in SUBJECT_SLOTS)] if slots else []
        row["seen_values"] = tuple(seen)
    return sorted(rows.values(), key=_best_first)


def _best_first(row: Mapping[str, Any]) -> tuple[Any, ...]:
    if row["role"] == "failure":
        return (True, -row["failure_count"], row["mapping_id"])
    return (False, not row["same_slots"], -row["wilson_lower_bound"], -row["success_count"], row["mapping_id"])


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


_SHOWN = """
select e.peer_id, case when e.crosses then e.example_diff else '' end as example_diff,
       case when e.crosses then e.said end as said, case when e.crosses then e.slots end as slots
from (
    select peer.id as peer_id, told.crosses, first.occurred_at, first.attempt_id,
           coalesce(first.details ->> 'example_diff', '') as example_diff, first.details ->> 'said' as said,
           first.details -> 'slots' as slots
    from (
        select w.peer_id, w.attempt_id, w.occurred_at, w.details
        from mapping_events w
        where w.signature = m.signature and w.resolution_id = m.resolution_id and w.outcome = '/*outcome*/'
        order by w.occurred_at, w.attempt_id
        limit case when m.narrowed then :read else :examples end
    ) first
    left join debug_execution_attempts a using (attempt_id)
    cross join lateral (select coalesce(first.peer_id, a.peer_id) as id) peer
    cross join lateral (
        select cast(:repositories as text[]) is null or coalesce(a.repository = any(cast(:repositories as text[])), false) as crosses
    ) told
    where not m.narrowed or not exists (
        select 1 from suppressions s
        where (s.subject_kind, s.subject_id) in (('peer', coalesce(peer.id, '')), ('repository', coalesce(a.repository, '')))
    )
    order by told.crosses desc, first.occurred_at, first.attempt_id
    limit :examples
) e
order by e.crosses desc, e.example_diff = '', length(e.example_diff), e.occurred_at, e.attempt_id
limit 1
"""
"""The event of mapping `m` that is shown; no row where every one of them is suppressed."""


def _told(role: str, outcome: str, candidates: str, order: str) -> str:
    """The best mappings of one error. What may be shown of each is looked up in their order: no more is read than is told."""
    return f"""
(
    select '{role}' as role, v.*, m.narrowed, shown.*
    from ({candidates} order by {order} offset 0) m
    cross join lateral (
        select p.mapping_id, p.signature, p.resolution_id, p.kind, p.template, p.state, p.slot_values, p.success_count,
               p.failure_count, p.wilson_lower_bound
        from v_error_resolution_patterns p
        where p.mapping_id = m.mapping_id
        offset 0
    ) v
    cross join lateral ({_SHOWN.replace("/*outcome*/", outcome)}) shown
    order by {order}
    limit :n
)
"""


_CANDIDATES = """
select m.mapping_id, m.signature, m.resolution_id, m.wilson_lower_bound, m.failure_count, asked.narrowed
from debug_error_success_mappings m
where m.signature = asked.signature
"""
_HELPED = "and m.success_count > 0 and m.wilson_lower_bound >= :least"
_SAME_VALUES = """
and m.slot_values @> jsonb_build_array(one.subjects)
and exists (select 1 from jsonb_array_elements(m.slot_values) seen(subjects) where seen.subjects = one.subjects)
"""
_BEST = "m.wilson_lower_bound desc, m.mapping_id"
_MOST_FAILED = "m.failure_count desc, m.mapping_id"

_FIXES_OF = f"""
with asked as materialized (
    select e.key as signature, e.value as values,
           cast(:repositories as text[]) is not null
           or exists (select 1 from suppressions where subject_kind in ('peer', 'repository')) as narrowed
    from jsonb_each(cast(:errors as jsonb)) e
)
select found.*
from asked
cross join lateral (
    select same.*
    from jsonb_array_elements(asked.values) one(subjects)
    cross join lateral ({_told("fix", "success", _CANDIDATES + _HELPED + _SAME_VALUES, _BEST)}) same
    where one.subjects <> '[]'
    union all
    {_told("fix", "success", _CANDIDATES + _HELPED, _BEST)}
    union all
    {_told("failure", "failure", _CANDIDATES + "and m.failure_count > m.success_count", _MOST_FAILED)}
) found
"""
"""Seen with the same values, best, tried in vain: what is seen with the same values is often among the best too, and comes twice then."""

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
