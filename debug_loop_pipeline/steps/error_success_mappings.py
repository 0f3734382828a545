"""Step `error_success_mappings`: what each task says about resolutions, and the mappings folded from all tasks.

Two folds, one inside the other: a task's events are recomputed from all its attempts, whatever day they lie on; the mappings that
those events touch are then folded anew from all tasks, in order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.compute.errors.error_groups import GroupDecisions
from debug_loop_pipeline.compute.fixes.credit import credit_task
from debug_loop_pipeline.compute.fixes.lessons import TaskCredit
from debug_loop_pipeline.compute.fixes.resolution import DEFAULT_LIMITS, ResolutionLimits
from debug_loop_pipeline.compute.fixes.task_attempts import TaskError, task_attempts
from debug_loop_pipeline.effects.decision_store import group_decisions
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.step_store import RowChanges, Table
from debug_loop_pipeline.models.errors import SUBJECT_SLOTS
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.mapping import MappingEvent, MappingOutcome, Resolution, TaskWord
from debug_loop_pipeline.reducers.error_success_mapping import (
    ErrorSuccessMappingReducer,
    MappingTally,
    MappingThresholds,
)
from debug_loop_pipeline.settings import MappingSettings, Settings
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.framework import Span, StepContext, StepReport, keys_by, run_fold

FOLD = "error_success_mappings"
_SLOT_VALUES = 50
"""Slot values kept per mapping: the latest that differ,"""
_SLOTS_READ = 200
"""of so many successes."""
_OUTCOMES = {outcome.value: outcome for outcome in MappingOutcome}

EVENTS = Table(
    "mapping_events",
    (
        "correlation_id",
        "signature",
        "resolution_id",
        "outcome",
        "occurred_at",
        "attempt_id",
        "evidence_tier",
        "peer_id",
        "error",
        "resolution",
        "details",
    ),
    ("correlation_id", "signature", "resolution_id", "outcome"),
    scope="correlation_id",
)
RESOLUTIONS = Table(
    "resolutions",
    (
        "resolution_id",
        "kind",
        "template",
        "parts",
        "language",
        "stf_cluster_id",
        "example_diff",
        "said",
        "example_attempt_id",
        "example_at",
    ),
    ("resolution_id",),
    scope="resolution_id",
)
MAPPINGS = Table(
    "debug_error_success_mappings",
    (
        "mapping_id",
        "signature",
        "resolution_id",
        "state",
        "success_count",
        "failure_count",
        "confidence",
        "wilson_lower_bound",
        "error_type",
        "error_category",
        "pattern",
        "slot_values",
        "first_event_at",
        "last_event_at",
        "first_success_at",
        "first_success_attempt_id",
        "first_success_peer_id",
        "confident_at",
    ),
    ("mapping_id",),
    scope="mapping_id",
)


def mapping_id(signature: str, resolution_id: str) -> str:
    """The id of a mapping: SHA-256 hex over its two parts."""
    return hashlib.sha256(f"{signature}\0{resolution_id}".encode()).hexdigest()


def run(
    context: StepContext, span: Span, *, full_refresh: bool = False, only_keys: Sequence[str] | None = None
) -> StepReport:
    """Folds what the attempts of these days touched, across all days."""
    return run_fold(
        context,
        FOLD,
        versions.ERROR_SUCCESS_MAPPINGS,
        span,
        refold_tasks,
        # by every revision: one that was superseded may have named another task
        keys_by("select distinct correlation_id::text as key from execution_inbox where day = any(:days)"),
        full_refresh=full_refresh,
        only_keys=only_keys,
    )


def credit_tasks(
    events: Iterable[ExecutionEvent], decisions: GroupDecisions, limits: ResolutionLimits = DEFAULT_LIMITS
) -> dict[UUID, TaskCredit]:
    """What is credited in each task (DOMAIN 3.8), by correlation id."""
    attempts = task_attempts(events, signature_of=decisions.signature_of)
    return {task: credit_task(of_task, limits) for task, of_task in attempts.items()}


def _limits(settings: Settings) -> ResolutionLimits:
    return ResolutionLimits(settings.mapping.credited_parts, settings.text.diff_bytes, settings.text.said_chars)


def _reducer(limits: MappingSettings) -> ErrorSuccessMappingReducer:
    return ErrorSuccessMappingReducer(
        MappingThresholds(
            confident_at=limits.confident_at,
            confident_successes=limits.confident_successes,
            doubtful_below=limits.tracking_below,
            deprecated_failures=limits.deprecated_failures,
            deprecated_below=limits.deprecated_below,
        )
    )


def refold_tasks(context: StepContext, connection: Connection, tasks: list[str], span: Span) -> dict[str, RowChanges]:
    """Recomputes some tasks' events and the mappings they touch."""
    ids = [UUID(task) for task in tasks]
    decisions = group_decisions(context.database, connection)
    limits = _limits(context.settings)
    rows = [
        row
        for events in context.executions.events_of_tasks_in_parts(ids, connection)
        for credit in credit_tasks(events, decisions, limits).values()
        for row in _event_rows(credit)
    ]
    before = fetch_rows(
        context.database,
        "select distinct signature, resolution_id from mapping_events where correlation_id = any(:ids)",
        {"ids": ids},
        connection,
    )
    touched = {(r["signature"], r["resolution_id"]) for r in before} | {(row[1], row[2]) for row in rows}
    changes = {EVENTS.name: context.store.replace(connection, EVENTS, rows, ids)}
    return changes | _refold_mappings(context, connection, sorted(touched), span) if touched else changes


def _refold_mappings(
    context: StepContext, connection: Connection, keys: Sequence[tuple[str, str]], span: Span
) -> dict[str, RowChanges]:
    resolution_ids = sorted({resolution for _, resolution in keys})
    mapping_ids = [mapping_id(*key) for key in keys]
    words = _words(context.database, keys, connection)
    shown = fetch_rows(context.database, _SHOWN_OF_MAPPINGS, {"keys": _texts(keys), "slots": _SLOTS_READ}, connection)
    reducer = _reducer(context.settings.mapping)
    mappings = [_mapping_row(row, reducer.tally(words[row["signature"], row["resolution_id"]])) for row in shown]
    known = {
        row["mapping_id"]: row["first_success_at"]
        for row in fetch_rows(
            context.database,
            "select mapping_id, first_success_at from debug_error_success_mappings where mapping_id = any(:ids)",
            {"ids": mapping_ids},
            connection,
        )
    }
    first_success = MAPPINGS.columns.index("first_success_at")
    now_known = {row[0]: row[first_success] for row in mappings}
    moved = {s for s, r in keys if known.get(mapping_id(s, r)) != now_known.get(mapping_id(s, r))}
    # how much of a signature's cost came after a fix was known depends on when the first fix was known
    context.store.mark(connection, "error_costs_by_signature", [(signature, span.first) for signature in moved])
    examples = fetch_rows(context.database, _FIRST_EVENT_OF_RESOLUTION, {"ids": resolution_ids}, connection)
    return {
        MAPPINGS.name: context.store.replace(connection, MAPPINGS, mappings, mapping_ids),
        RESOLUTIONS.name: context.store.replace(
            connection, RESOLUTIONS, [_resolution_row(row) for row in examples], resolution_ids
        ),
    }


def _event_rows(credit: TaskCredit) -> list[tuple[Any, ...]]:
    errors = {tried.error.signature: tried.error for tried in credit.failed_tries}
    errors |= {fix.error.signature: fix.error for fix in credit.fixes}
    resolutions = {resolution.resolution_id: resolution for resolution in credit.resolutions}
    return [
        (
            event.correlation_id,
            event.signature,
            event.resolution_id,
            event.outcome.value,
            event.occurred_at,
            event.attempt_id,
            event.evidence.value,
            event.peer_id,
            _summary(errors[event.signature]),
            resolutions[event.resolution_id].model_dump(mode="json"),
            _details(event),
        )
        for event in credit.mapping_events
    ]


def _details(event: MappingEvent) -> dict[str, Any]:
    assert event.details is not None, "credit always says how it knows"
    return event.details.model_dump(mode="json")


def _summary(error: TaskError) -> dict[str, Any]:
    """What a group of errors shares, kept beside its mappings for search and display."""
    pattern = error.pattern
    return {"pattern": pattern.pattern, "error_type": pattern.error_type, "category": pattern.category.value}


def _mapping_row(shown: dict[str, Any], tally: MappingTally) -> tuple[Any, ...]:
    signature, resolution_id, error = shown["signature"], shown["resolution_id"], shown["error"]
    seen = dict.fromkeys(
        tuple(slot["value"] for slot in slots if slot["kind"] in SUBJECT_SLOTS) for slots in shown["slots"] or ()
    )
    return (
        mapping_id(signature, resolution_id),
        signature,
        resolution_id,
        tally.state.value,
        tally.success_count,
        tally.failure_count,
        tally.confidence,
        tally.wilson_lower_bound,
        error["error_type"],
        error["category"],
        error["pattern"],
        [list(values) for values in list(seen)[:_SLOT_VALUES]],
        tally.first_event_at,
        tally.last_event_at,
        tally.first_success_at,
        tally.first_success_attempt_id,
        tally.first_success_peer_id,
        tally.confident_at,
    )


def _words(
    database: Database, keys: Iterable[tuple[str, str]], connection: Connection | None = None
) -> dict[tuple[str, str], list[TaskWord]]:
    """What tasks say about each mapping (signature, resolution), in any order."""
    words: dict[tuple[str, str], list[TaskWord]] = {}
    for row in fetch_rows(database, _WORDS_ON_MAPPINGS, {"keys": _texts(keys)}, connection):
        words[row["signature"], row["resolution_id"]] = [
            TaskWord(at, attempt, task, _OUTCOMES[outcome], peer)
            for at, attempt, task, outcome, peer in zip(
                row["at"], row["attempts"], row["tasks"], row["outcomes"], row["peers"], strict=True
            )
        ]
    return words


def _texts(keys: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{signature} {resolution_id}" for signature, resolution_id in keys]


def refolded_mappings(database: Database, limits: MappingSettings, sample: int) -> tuple[list[dict[str, Any]], int]:
    """Folds a sample of the stored mappings again: (those that come out otherwise, how many were folded)."""
    stored = fetch_rows(
        database,
        "select mapping_id, signature, resolution_id, state, success_count, failure_count, confidence"
        " from debug_error_success_mappings order by md5(mapping_id || current_date::text) limit :sample",
        {"sample": sample},
    )
    words = _words(database, [(row["signature"], row["resolution_id"]) for row in stored])
    reducer = _reducer(limits)
    wrong: list[dict[str, Any]] = []
    for row in stored:
        tally = reducer.tally(words.get((row["signature"], row["resolution_id"]), ()))
        now = (tally.state.value, tally.success_count, tally.failure_count, tally.confidence)
        if now != (row["state"], row["success_count"], row["failure_count"], row["confidence"]):
            wrong.append({"mapping_id": row["mapping_id"], "stored": row["state"], "folded": tally.state.value})
    return wrong, len(stored)


def _resolution_row(row: dict[str, Any]) -> tuple[Any, ...]:
    resolution = Resolution.model_validate(row["resolution"])
    return (
        resolution.resolution_id,
        resolution.kind.value,
        resolution.template,
        resolution.parts,
        resolution.language,
        resolution.stf_id,
        row["details"]["example_diff"],
        row["details"]["said"],
        row["attempt_id"],
        row["occurred_at"],
    )


_KEYS = """
(select split_part(k.key, ' ', 1) as signature, split_part(k.key, ' ', 2) as resolution_id
 from unnest(cast(:keys as text[])) as k(key)) k
"""

_WORDS_ON_MAPPINGS = f"""
select k.signature, k.resolution_id, e.*
from {_KEYS}
cross join lateral (
    select array_agg(w.occurred_at) as at, array_agg(w.attempt_id::text) as attempts, array_agg(w.correlation_id::text) as tasks,
           array_agg(w.outcome) as outcomes, array_agg(w.peer_id) as peers
    from mapping_events w
    where w.signature = k.signature and w.resolution_id = k.resolution_id
) e
where e.at is not null
"""
"""A row per mapping and ids as text: a popular fix has many thousand events, which the fold reads all each time."""

_SHOWN_OF_MAPPINGS = f"""
select k.signature, k.resolution_id, first.error, latest.slots
from {_KEYS}
cross join lateral (
    select f.error
    from mapping_events f
    where f.signature = k.signature and f.resolution_id = k.resolution_id
    order by f.occurred_at, f.attempt_id, f.correlation_id, f.outcome
    limit 1
) first
cross join lateral (
    select jsonb_agg(l.slots) as slots
    from (
        select s.details -> 'slots' as slots
        from mapping_events s
        where s.signature = k.signature and s.resolution_id = k.resolution_id and s.outcome = 'success'
        order by s.occurred_at desc, s.attempt_id desc, s.correlation_id desc
        limit :slots
    ) l
    where l.slots is not null
) latest
"""
"""What else of its events is kept with a mapping: how its error reads, and the latest values in it."""

_FIRST_EVENT_OF_RESOLUTION = """
select k.id as resolution_id, e.resolution, e.details, e.attempt_id, e.occurred_at
from unnest(cast(:ids as text[])) as k(id)
cross join lateral (
    select m.resolution, m.details, m.attempt_id, m.occurred_at
    from mapping_events m
    where m.resolution_id = k.id
    order by m.occurred_at, m.attempt_id, m.correlation_id, m.signature
    limit 1
) e
order by 1
"""
