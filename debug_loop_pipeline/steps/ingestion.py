"""The one way into the inbox: validate, redact, limit, write; what does not validate goes to the dead letters.

Used by the importers, the consumer and the logger's in-process path alike (DOMAIN 3.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from pydantic import ValidationError

from debug_loop_pipeline.client.redaction import redact, redact_event
from debug_loop_pipeline.compute.event_limits import limit_event
from debug_loop_pipeline.effects.execution_store import Ingested, Reject
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.verdicts import apply_verdicts

FUTURE_TOLERANCE = timedelta(days=1)
_REJECT_CHARS = 20_000
_LISTED_ERRORS = 5


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event as it arrived: a JSON document or its bytes, and where it was read."""

    payload: bytes | dict[str, Any]
    position: str | None = None


@dataclass(slots=True)
class IngestionReport:
    """What became of a batch."""

    events: int = 0
    new_revisions: int = 0
    changed_attempts: int = 0
    rejects: list[Reject] = field(default_factory=list)

    def add(self, ingested: Ingested) -> None:
        """Adds one written batch."""
        self.events += ingested.events
        self.new_revisions += ingested.new_revisions
        self.changed_attempts += ingested.changed_attempts


def ingest_raw(context: StepContext, raw: Iterable[RawEvent], source: str) -> IngestionReport:
    """Validates a batch and writes what is valid; the rest becomes rejects. Nothing is dropped."""
    events: list[ExecutionEvent] = []
    rejects: list[Reject] = []
    for item in raw:
        try:
            data = orjson.loads(item.payload) if isinstance(item.payload, bytes) else item.payload
            events.append(ExecutionEvent.model_validate(data))
        except orjson.JSONDecodeError as error:
            rejects.append(_reject(item, source, f"not JSON: {error}"))
        except ValidationError as error:
            rejects.append(_reject(item, source, explain_invalid(error)))
    report = ingest_events(context, events, source)
    report.rejects += rejects
    context.executions.reject(rejects)
    return report


def ingest_events(context: StepContext, events: Sequence[ExecutionEvent], source: str) -> IngestionReport:
    """Redacts, limits and writes validated events; those outside the partitions become rejects."""
    report = IngestionReport()
    first, latest = context.settings.first_partition, datetime.now(UTC) + FUTURE_TOLERANCE
    taken: list[ExecutionEvent] = []
    for event in events:
        if event.started_at.date() < first:
            reason = f"started_at {event.started_at:%Y-%m-%d} lies before the first partition {first} (DEBUG_LOOP_FIRST_PARTITION)"
        elif event.started_at > latest:
            reason = f"started_at {event.started_at:%Y-%m-%dT%H:%M:%SZ} lies more than a day ahead; check the clock of its source"
        else:
            taken.append(limit_event(redact_event(event), context.settings.text))
            continue
        payload = event.model_dump_json(exclude_defaults=True).encode()
        report.rejects.append(_reject(RawEvent(payload, str(event.attempt_id)), source, reason))
    report.add(context.executions.ingest(taken))
    report.changed_attempts += apply_verdicts(context, taken)
    context.executions.reject(report.rejects)
    return report


def explain_invalid(error: ValidationError) -> str:
    """What is wrong with an event, field by field, without repeating its content."""
    problems = [f"{'.'.join(str(part) for part in e['loc']) or 'event'}: {e['msg']}" for e in error.errors()]
    more = f" (and {len(problems) - _LISTED_ERRORS} more)" if len(problems) > _LISTED_ERRORS else ""
    return "; ".join(problems[:_LISTED_ERRORS]) + more


def _reject(item: RawEvent, source: str, reason: str) -> Reject:
    payload = item.payload if isinstance(item.payload, bytes) else orjson.dumps(item.payload, default=str)
    text = redact(payload.decode("utf-8", "replace"))
    return Reject(redact(reason), source, item.position, text[:_REJECT_CHARS])
