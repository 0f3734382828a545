"""Reads that join what was served with what became of it. No writes: those are folds' (`steps/recommendation_outcomes`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.compute.serving.recommendation_outcome import Serving, TaskStep, outcome_since
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.models.base import Outcome
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.recommendation import Arm, Occasion


def tasks_served(database: Database, connection: Connection, events: Iterable[ExecutionEvent]) -> list[UUID]:
    """Of the tasks of some attempts, and of the other tasks of their sessions, those in which anything was served or reused.

    Attempts of a session decide to which of its tasks a serving belongs, so all of them are concerned.
    """
    events = list(events)
    telling = [e.correlation_id for e in events if e.stf_ids or e.golden_state_ids or e.recommendation_id]
    params = {
        "tasks": sorted({event.correlation_id for event in events}),
        "sessions": sorted({event.session_id for event in events if event.session_id}),
        "named": sorted(_uuids(event.recommendation_id for event in events)),
    }
    key = ("tasks_served", *(event.attempt_id for event in events))
    rows = database.stable(key, lambda: fetch_rows(database, _TASKS_SERVED, params, connection))
    return sorted({*telling, *(row["correlation_id"] for row in rows)})


def tasks_of_recommendations(database: Database, connection: Connection, recommendations: Sequence[UUID]) -> list[UUID]:
    """The tasks to which some recommendations may belong."""
    rows = fetch_rows(database, _TASKS_OF_RECOMMENDATIONS, {"ids": list(recommendations)}, connection)
    return [row["correlation_id"] for row in rows]


def servings_of_tasks(database: Database, connection: Connection, tasks: Sequence[UUID]) -> list[Serving]:
    """What may have been served in some tasks: by task, by session, by what an attempt names. Other tasks of a session get theirs too."""
    rows = fetch_rows(
        database, _SERVINGS, {"tasks": list(tasks), "named": _named(database, connection, tasks)}, connection
    )
    return [
        Serving(
            recommendation_id=row["recommendation_id"],
            session_id=row["session_id"],
            tool_call_id=row["tool_call_id"],
            correlation_id=row["correlation_id"],
            occasion=Occasion(row["occasion"]),
            repository=row["repository"],
            arm=Arm(row["arm"]),
            served_at=row["served_at"],
            stf_hashes=tuple(row["stf_hashes"]),
            golden_state_ids=tuple(row["golden_state_ids"]),
        )
        for row in rows
    ]


def steps_of_tasks(
    database: Database, connection: Connection, tasks: Sequence[UUID], servings: Sequence[Serving] = ()
) -> list[TaskStep]:
    """The attempts of some tasks, and those that tell to which task a serving belongs."""
    attempts = fetch_rows(
        database,
        _STEPS,
        {
            "tasks": list(tasks),
            "sessions": sorted({s.session_id for s in servings if s.session_id and s.correlation_id is None}),
            "named": [str(s.recommendation_id) for s in servings],
        },
        connection,
    )
    calls: defaultdict[UUID, set[str]] = defaultdict(set)
    asked = sorted({s.tool_call_id for s in servings if s.tool_call_id})
    if asked:
        ids = [row["attempt_id"] for row in attempts]
        for row in fetch_rows(database, _TOOL_CALLS, {"ids": ids, "asked": asked}, connection):
            calls[row["attempt_id"]].add(row["tool_call_id"])
    return [
        TaskStep(
            attempt_id=row["attempt_id"],
            correlation_id=row["correlation_id"],
            session_id=row["session_id"],
            started_at=row["started_at"],
            completed_at=row["completed_at"],
            outcome=Outcome(row["outcome"]),
            cost_usd=row["cost_usd"],
            repository=row["repository"],
            recommendation_id=row["recommendation_id"],
            peer_id=row["peer_id"],
            tool_calls=frozenset(calls[row["attempt_id"]]),
        )
        for row in attempts
    ]


def reports_of_tasks(database: Database, connection: Connection, tasks: Sequence[UUID]) -> list[dict[str, Any]]:
    """Attempts that say what they reused: attempt_id, correlation_id, completed_at, stf_ids, golden_state_ids; in order."""
    return fetch_rows(
        database,
        "select attempt_id, correlation_id, completed_at, stf_ids, golden_state_ids from debug_execution_attempts"
        " where correlation_id = any(:tasks) and (cardinality(stf_ids) > 0 or cardinality(golden_state_ids) > 0)"
        " order by started_at, attempt_id",
        {"tasks": list(tasks)},
        connection,
    )


def clusters_in_use(
    database: Database, connection: Connection, hashes: Sequence[str], old_clusters: Sequence[str]
) -> list[str]:
    """Of the clusters that some functions are in now, or had before, those whose uses may have to be counted anew."""
    rows = fetch_rows(database, _CLUSTERS_IN_USE, {"hashes": list(hashes), "clusters": list(old_clusters)}, connection)
    return [row["cluster_id"] for row in rows]


def golden_reuses(
    database: Database, connection: Connection, golden: Sequence[tuple[str, str]]
) -> dict[str, list[dict[str, Any]]]:
    """Golden state -> its reuses, one per task: attempt_id, correlation_id, peer_id, at, outcome; in order.

    The outcome is that of the task from the reuse on.

    Args:
        database: the store.
        connection: in a transaction.
        golden: (golden state, hash of its function).
    """
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    params = {"ids": [one for one, _ in golden], "hashes": [one for _, one in golden]}
    reuses = fetch_rows(database, _GOLDEN_REUSES, params, connection)
    steps: defaultdict[UUID, list[TaskStep]] = defaultdict(list)
    for step in steps_of_tasks(database, connection, sorted({row["correlation_id"] for row in reuses})):
        steps[step.correlation_id].append(step)
    for row in reuses:
        outcome = outcome_since(row["attempt_id"], steps[row["correlation_id"]])
        found[row["golden_state_id"]].append(row | {"outcome": outcome.value})
    return found


def _named(database: Database, connection: Connection, tasks: Sequence[UUID]) -> list[UUID]:
    rows = fetch_rows(
        database,
        "select distinct recommendation_id from debug_execution_attempts"
        " where correlation_id = any(:tasks) and recommendation_id is not null",
        {"tasks": list(tasks)},
        connection,
    )
    return sorted(_uuids(row["recommendation_id"] for row in rows))


def _uuids(texts: Iterable[str | None]) -> set[UUID]:
    """What of some texts is a UUID: an agent may report anything."""
    found = set()
    for text in texts:
        try:
            found.add(UUID(text or ""))
        except ValueError:
            continue
    return found


_TASKS_SERVED = """
with served as (
    select session_id, correlation_id from recommendations
    where session_id = any(:sessions) or correlation_id = any(:tasks) or recommendation_id = any(cast(:named as uuid[]))
)
select correlation_id from served where correlation_id is not null
union
select i.correlation_id from execution_inbox i
where i.holds and i.session_id in (select session_id from served where correlation_id is null)
union
select correlation_id from recommendation_outcomes where correlation_id = any(:tasks)
union
select correlation_id from reuse_offers where correlation_id = any(:tasks)
"""

_TASKS_OF_RECOMMENDATIONS = """
with served as (select * from recommendations where recommendation_id = any(:ids))
select correlation_id from served where correlation_id is not null
union
select a.correlation_id from served s join debug_execution_attempts a on a.session_id = s.session_id
union
select a.correlation_id from served s join debug_execution_attempts a on a.recommendation_id = s.recommendation_id::text
"""

_SERVINGS = """
select recommendation_id, session_id, tool_call_id, correlation_id, occasion, repository, arm, served_at, stf_hashes, golden_state_ids
from recommendations
where correlation_id = any(:tasks)
   or recommendation_id = any(cast(:named as uuid[]))
   or session_id in (
       select session_id from debug_execution_attempts where correlation_id = any(:tasks) and session_id is not null
   )
order by served_at, recommendation_id
"""

_STEPS = """
select a.attempt_id, a.correlation_id, a.session_id, a.started_at, a.completed_at, a.outcome, a.repository, a.recommendation_id,
       a.peer_id, c.cost_usd
from debug_execution_attempts a
left join execution_costs c using (attempt_id)
where a.correlation_id = any(:tasks) or a.session_id = any(:sessions) or a.recommendation_id = any(:named)
order by a.started_at, a.attempt_id
"""

_TOOL_CALLS = """
select attempt_id, tool_call_id from attempt_verifications where attempt_id = any(:ids) and tool_call_id = any(:asked)
union
select attempt_id, tool_call_id from attempt_errors where attempt_id = any(:ids) and tool_call_id = any(:asked)
"""

_CLUSTERS_IN_USE = """
select c.cluster_id
from (select distinct cluster_id from debug_transform_functions where stf_hash = any(:hashes)) c
where exists (
    select from debug_transform_functions f
    where f.cluster_id = c.cluster_id
      and (f.usage_count > 0
           or exists (select from reuse_offers o where o.subject_kind = 'stf' and o.subject_id = f.stf_hash))
)
union
select cluster_id from stf_uses where cluster_id = any(:clusters)
"""

_GOLDEN_REUSES = """
with golden as (select * from unnest(cast(:ids as text[]), cast(:hashes as text[])) as g(golden_state_id, stf_hash)),
uses as (
    select o.subject_id as golden_state_id, o.correlation_id, o.attempt_id
    from reuse_offers o
    where o.subject_kind = 'golden_state' and o.how = 'reported' and o.subject_id = any(:ids)
    union
    select g.golden_state_id, o.correlation_id, u.attempt_id
    from golden g
    join reuse_offers o on o.subject_kind = 'golden_state' and o.how = 'shown' and o.subject_id = g.golden_state_id
    join debug_transform_functions f on f.stf_hash = g.stf_hash
    join stf_uses u on u.cluster_id = f.cluster_id and u.correlation_id = o.correlation_id
)
select distinct on (u.golden_state_id, u.correlation_id)
       u.golden_state_id, u.correlation_id, u.attempt_id, a.peer_id, a.completed_at as at
from uses u
join debug_execution_attempts a using (attempt_id)
join debug_execution_attempts own on own.attempt_id::text = u.golden_state_id
where own.correlation_id <> u.correlation_id
order by u.golden_state_id, u.correlation_id, a.started_at, u.attempt_id
"""
