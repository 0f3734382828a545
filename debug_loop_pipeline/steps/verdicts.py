"""Verdicts from outside into the attempts they speak of, whichever comes first.

A verdict is a decision that is kept (`verdicts`); what it means for an attempt is a further revision of its event, made again whenever
the verdict, or an attempt of its task, changes. So mappings, golden states and costs follow by the ordinary way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from debug_loop_pipeline.client.redaction import redact_event
from debug_loop_pipeline.compute.event_limits import limit_event
from debug_loop_pipeline.compute.outside_verdicts import APPLIED, speaks_of, verdicts_by_attempt, with_verdicts
from debug_loop_pipeline.effects.event_encoding import event_json
from debug_loop_pipeline.effects.postgres import advisory_lock
from debug_loop_pipeline.effects.verdict_store import VerdictStore
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.verdict import Verdict
from debug_loop_pipeline.steps.framework import StepContext, chunks

_LOCK = "verdicts"
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
        kept = store.record(connection, redacted)
    if not kept:
        return Applied(kept=False)
    attempts, changed = _apply(context, store.tasks_of(redacted))
    return Applied(True, attempts, changed)


def apply_verdicts(context: StepContext, events: Sequence[ExecutionEvent]) -> int:
    """Applies known verdicts to the tasks of events that were just ingested. Returns how many attempts changed."""
    if not events:
        return 0
    with context.database.transaction("verdicts_about") as connection:
        verdicts = VerdictStore(context.database).about(connection, events)
    tasks = {event.correlation_id for event in events if any(speaks_of(verdict, event) for verdict in verdicts)}
    return _apply(context, sorted(tasks))[1]


def _apply(context: StepContext, tasks: Sequence[UUID]) -> tuple[int, int]:
    """(attempts that hold verdicts, attempts whose holding revision is another one than before)."""
    store = VerdictStore(context.database)
    held = changed = 0
    for chunk in chunks(tasks, _TASKS):
        with context.database.transaction("apply_verdicts") as connection:
            advisory_lock(connection, _LOCK)
            events = context.executions.events_of_tasks(chunk, connection)
            told = verdicts_by_attempt(events, store.about(connection, events))
            concerned = [e.attempt_id for e in events if e.attempt_id in told or APPLIED in e.metadata]
            bases = store.without_verdicts(connection, concerned)
            revisions = {
                attempt: limit_event(with_verdicts(base, told[attempt]), context.settings.text)
                if attempt in told
                else base
                for attempt, base in bases.items()
            }
            digests = {
                attempt: hashlib.sha256(event_json(event)).hexdigest() if attempt in told else None
                for attempt, event in revisions.items()
            }
            # First in, which also takes the attempts' locks; then what is superseded out; then what holds settles.
            changed += context.executions.ingest_in(connection, list(revisions.values())).changed_attempts
            if store.remove_superseded(connection, digests):
                changed += context.executions.ingest_in(connection, list(revisions.values())).changed_attempts
        held += len(told)
    return held, changed
