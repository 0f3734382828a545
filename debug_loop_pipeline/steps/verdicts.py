"""Verdicts from outside into the attempts they speak of, whichever comes first.

A verdict is a decision that is kept (`verdicts`); what it means for an attempt is a further revision of its event, made again whenever
the verdict, or an attempt of its task, changes. So mappings, golden states and costs follow by the ordinary way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.client.redaction import redact_event
from debug_loop_pipeline.compute.event_limits import limit_event
from debug_loop_pipeline.compute.fixes.outside_verdicts import APPLIED, speaks_of, verdicts_by_attempt, with_verdicts
from debug_loop_pipeline.effects.event_encoding import event_json
from debug_loop_pipeline.effects.postgres import advisory_lock
from debug_loop_pipeline.effects.verdict_store import VerdictStore
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.verdict import Verdict
from debug_loop_pipeline.steps.framework import StepContext, chunks

_LOCK = "verdicts"
_INTAKE = "verdict-intake"
"""Held shared while attempts come in, alone while a verdict does: each sees the other, or is seen by it."""
_TASKS = 50
"""Per transaction."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a verdict."""

    kept: bool
    """False: a later one of the same check is known."""
    attempts: int = 0
    """Attempts that hold verdicts now, in the tasks concerned."""
    changed_attempts: int = 0


def record_verdict(context: StepContext, verdict: Verdict) -> Applied:
    """Keeps a verdict, redacted, and applies it to the attempts it speaks of; those that come later get it with their ingestion."""
    store = VerdictStore(context.database)
    redacted = Verdict.model_validate(redact_event(verdict.model_dump(mode="json")))
    with context.database.transaction("record_verdict") as connection:
        advisory_lock(connection, _INTAKE)
        kept = store.record(connection, redacted)
    if not kept:
        return Applied(kept=False)
    applied = Applied(kept=True)
    for chunk in chunks(store.tasks_of(redacted), _TASKS):
        with context.database.transaction("apply_verdicts") as connection:
            advisory_lock(connection, _LOCK)
            held, changed = apply_verdicts(context, connection, chunk)
        applied = Applied(True, applied.attempts + held, applied.changed_attempts + changed)
    return applied


def lock_for_verdicts(context: StepContext, connection: Connection, events: Sequence[ExecutionEvent]) -> list[UUID]:
    """To be called before events are written, in the same transaction: the tasks that known verdicts speak of then.

    Takes what `apply_verdicts` needs before the attempts' own locks, so that two writers cannot wait for each other.
    """
    if not events:
        return []
    advisory_lock(connection, _INTAKE, shared=True)
    verdicts = VerdictStore(context.database).about(connection, events)
    tasks = sorted({event.correlation_id for event in events if any(speaks_of(verdict, event) for verdict in verdicts)})
    if tasks:
        advisory_lock(connection, _LOCK)
        known = context.executions.events_of_tasks(tasks, connection)
        context.executions.lock_attempts(connection, [event.attempt_id for event in (*events, *known)])
    return tasks


def apply_verdicts(context: StepContext, connection: Connection, tasks: Sequence[UUID]) -> tuple[int, int]:
    """Makes the revisions that known verdicts mean for some tasks, under the lock of verdicts.

    Returns:
        (attempts that hold verdicts, attempts whose holding revision is another one than before).
    """
    if not tasks:
        return 0, 0
    store = VerdictStore(context.database)
    events = context.executions.events_of_tasks(tasks, connection)
    told = verdicts_by_attempt(events, store.about(connection, events))
    concerned = [e.attempt_id for e in events if e.attempt_id in told or APPLIED in e.metadata]
    bases = store.without_verdicts(connection, concerned)
    revisions = {
        attempt: limit_event(with_verdicts(base, told[attempt]), context.settings.text) if attempt in told else base
        for attempt, base in bases.items()
    }
    digests = {
        attempt: hashlib.sha256(event_json(event)).hexdigest() if attempt in told else None
        for attempt, event in revisions.items()
    }
    # First in, which also takes the attempts' locks; then what is superseded out; then what holds settles.
    changed = context.executions.ingest_in(connection, list(revisions.values())).changed_attempts
    if store.remove_superseded(connection, digests):
        changed += context.executions.ingest_in(connection, list(revisions.values())).changed_attempts
    return len(told), changed
