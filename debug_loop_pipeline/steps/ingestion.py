"""The one way into the inbox: validate, redact, limit, write; what does not validate goes to the dead letters.

Used by the importers, the consumer and the logger's in-process path alike (DOMAIN 3.1).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from pydantic import ValidationError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from debug_loop_pipeline.client.redaction import redact, redact_events
from debug_loop_pipeline.compute.event_limits import limit_event
from debug_loop_pipeline.effects.execution_store import Reject
from debug_loop_pipeline.effects.faults import Fault, classify
from debug_loop_pipeline.effects.resilience import Retry
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.verdicts import apply_verdicts, lock_for_verdicts

FUTURE_TOLERANCE = timedelta(days=1)
_REJECT_CHARS = 20_000
_REASON_CHARS = 300
_LISTED_ERRORS = 5
POISON = (ValueError, TypeError, RecursionError, OverflowError)
"""What an event may do to the code that takes it, beyond being invalid."""


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event as it arrived: a JSON document or its bytes, and where it was read."""

    payload: bytes | dict[str, Any]
    position: str | None = None


class _OutsideError(Exception):
    """An event lies on no day of ours."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch as it is going to be written: events redacted and limited, the others as rejects."""

    events: Sequence[ExecutionEvent]
    rejects: Sequence[Reject]


@dataclass(slots=True)
class IngestionReport:
    """What became of a batch."""

    events: int = 0
    new_revisions: int = 0
    changed_attempts: int = 0
    forgotten: int = 0
    """Events that were left out because they were forgotten before."""
    rejects: list[Reject] = field(default_factory=list)

    def add(self, other: IngestionReport) -> None:
        """Adds what became of another part of the batch."""
        self.events += other.events
        self.new_revisions += other.new_revisions
        self.changed_attempts += other.changed_attempts
        self.forgotten += other.forgotten
        self.rejects += other.rejects


def ingest_raw(context: StepContext, raw: Iterable[RawEvent], source: str) -> IngestionReport:
    """Validates a batch and writes what is valid; the rest becomes rejects. Nothing is dropped, and no event keeps another out."""
    items = list(raw)
    return _write_alone(context, lambda: prepare_raw(context, items, source), lambda: items, source)


def ingest_events(context: StepContext, events: Sequence[ExecutionEvent], source: str) -> IngestionReport:
    """Redacts, limits and writes validated events; those that no partition or the store takes become rejects."""

    def raw() -> list[RawEvent]:
        return [
            RawEvent(event.model_dump(mode="json", exclude_defaults=True), str(event.attempt_id)) for event in events
        ]

    return _write_alone(context, lambda: _prepare_events(context, events, source), raw, source)


def _prepare_events(context: StepContext, events: Sequence[ExecutionEvent], source: str) -> Prepared:
    taken: list[ExecutionEvent] = []
    rejects: list[Reject] = []
    for event in events:
        try:
            _check_day(context, event)
            taken.append(event)
        except _OutsideError as error:
            payload = event.model_dump_json(exclude_defaults=True).encode()
            rejects.append(reject(RawEvent(payload, str(event.attempt_id)), source, str(error)))
    return Prepared(_as_kept(context, taken), rejects)


def prepare_raw(context: StepContext, raw: Iterable[RawEvent], source: str) -> Prepared:
    """Validates, redacts and limits a batch; writes nothing."""
    events: list[ExecutionEvent] = []
    rejects: list[Reject] = []
    for item in raw:
        try:
            data = orjson.loads(item.payload) if isinstance(item.payload, bytes) else item.payload
            event = ExecutionEvent.model_validate(data)
            _check_day(context, event)
            events.append(event)
        except orjson.JSONDecodeError as error:
            rejects.append(reject(item, source, f"not JSON: {error}"))
        except ValidationError as error:
            rejects.append(reject(item, source, explain_invalid(error)))
        except _OutsideError as error:
            rejects.append(reject(item, source, str(error)))
        except POISON as error:
            rejects.append(reject(item, source, f"it cannot be read: {type(error).__name__}: {error}"))
    return Prepared(_as_kept(context, events), rejects)


def write_prepared(context: StepContext, connection: Connection, prepared: Prepared) -> IngestionReport:
    """Writes a batch in the caller's transaction: revisions, what known verdicts make of them, rejects."""
    report = IngestionReport(rejects=list(prepared.rejects))
    tasks = lock_for_verdicts(context, connection, prepared.events)
    ingested = context.executions.ingest_in(connection, prepared.events)
    report.events = ingested.events
    report.new_revisions = ingested.new_revisions
    report.forgotten = ingested.forgotten
    report.changed_attempts = ingested.changed_attempts + apply_verdicts(context, connection, tasks)[1]
    context.executions.reject_in(connection, prepared.rejects)
    return report


def write_each(context: StepContext, connection: Connection, raw: Iterable[RawEvent], source: str) -> IngestionReport:
    """Writes one event after the other in the caller's transaction: one that our code or the store fails at becomes a reject."""
    total = IngestionReport()
    for item in raw:
        try:
            with connection.begin_nested():
                done = write_prepared(context, connection, prepare_raw(context, [item], source))
        except (DBAPIError, *POISON) as error:
            if not is_poison(error):
                raise
            cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
            said = str(cause).splitlines()[0][:_REASON_CHARS] if str(cause) else ""
            refused = reject(item, source, f"the store does not take it: {type(cause).__name__}: {said}")
            done = write_prepared(context, connection, Prepared([], [refused]))
        total.add(done)
    return total


def is_poison(error: BaseException) -> bool:
    """Whether the same event fails again on a server that is well."""
    return not isinstance(error, DBAPIError) or classify(error) is Fault.PERMANENT


def _write_alone(
    context: StepContext, prepare: Callable[[], Prepared], raw: Callable[[], Sequence[RawEvent]], source: str
) -> IngestionReport:
    try:
        prepared = prepare()
        return context.database.run(
            "ingest", lambda connection: write_prepared(context, connection, prepared), retry=Retry.ALWAYS
        )
    except (DBAPIError, *POISON) as error:
        if not is_poison(error):
            raise
        return context.database.run(
            "ingest", lambda connection: write_each(context, connection, raw(), source), retry=Retry.ALWAYS
        )


def _as_kept(context: StepContext, events: Sequence[ExecutionEvent]) -> list[ExecutionEvent]:
    """The events redacted and then limited."""
    return [limit_event(event, context.settings.text) for event in redact_events(events)]


def _check_day(context: StepContext, event: ExecutionEvent) -> None:
    """Refuses an event that no partition can hold.

    Raises:
        _OutsideError: no partition holds its day.
    """
    first = context.settings.first_partition
    if event.started_at.date() < first:
        raise _OutsideError(
            f"started_at {event.started_at:%Y-%m-%d} lies before the first partition {first} (DEBUG_LOOP_FIRST_PARTITION)"
        )
    if event.started_at > datetime.now(UTC) + FUTURE_TOLERANCE:
        raise _OutsideError(
            f"started_at {event.started_at:%Y-%m-%dT%H:%M:%SZ} lies more than a day ahead; check the clock of its source"
        )


def explain_invalid(error: ValidationError) -> str:
    """What is wrong with an event, field by field, without repeating its content."""
    problems = [f"{'.'.join(str(part) for part in e['loc']) or 'event'}: {e['msg']}" for e in error.errors()]
    more = f" (and {len(problems) - _LISTED_ERRORS} more)" if len(problems) > _LISTED_ERRORS else ""
    return "; ".join(problems[:_LISTED_ERRORS]) + more


def reject(item: RawEvent, source: str, reason: str) -> Reject:
    """What is kept of an event that is not taken: its redacted bytes, and why."""
    payload = item.payload if isinstance(item.payload, bytes) else _json(item.payload)
    text = redact(payload.decode("utf-8", "replace"))
    return Reject(redact(reason), source, item.position, text[:_REJECT_CHARS])


def _json(payload: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(payload, default=str)
    except TypeError:  # nested deeper than it goes, lone surrogates, integers of more than 64 bits
        pass
    try:
        return json.dumps(payload, default=str).encode()
    except RecursionError:
        return json.dumps({name: value for name, value in payload.items() if isinstance(value, str | int)}).encode()
