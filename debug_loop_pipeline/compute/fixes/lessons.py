"""What a task teaches: the errors that its changes resolved or did not, as events of mappings (DOMAIN 3.8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from debug_loop_pipeline.compute.fixes.resolution import ChangePart
from debug_loop_pipeline.compute.fixes.task_attempts import TaskAttempt, TaskError, TaskVerification
from debug_loop_pipeline.models.mapping import (
    MappingDetails,
    MappingEvent,
    MappingOutcome,
    Resolution,
    VerificationRef,
)


@dataclass(frozen=True, slots=True)
class Fix:
    """An error that a change resolved."""

    error: TaskError
    failed: TaskVerification
    """The last one that showed it."""
    gone_at: TaskVerification
    passed: TaskVerification
    changes: tuple[ChangePart, ...]
    resolutions: tuple[Resolution, ...]


@dataclass(frozen=True, slots=True)
class FailedTry:
    """A change after which the error was still there, or came back."""

    error: TaskError
    failed: TaskVerification
    failed_again: TaskVerification
    changes: tuple[ChangePart, ...]
    resolutions: tuple[Resolution, ...]
    came_back: bool = False
    gone_at: TaskVerification | None = None


@dataclass(frozen=True, slots=True)
class TaskCredit:
    """What one task teaches. `mapping_events`: at most one per (signature, resolution), in the order of deciding."""

    fixes: tuple[Fix, ...] = ()
    failed_tries: tuple[FailedTry, ...] = ()
    mapping_events: tuple[MappingEvent, ...] = ()
    resolutions: tuple[Resolution, ...] = ()


def mapping_events(
    attempts: Sequence[TaskAttempt], fixes: Sequence[Fix], failed_tries: Sequence[FailedTry]
) -> tuple[MappingEvent, ...]:
    """One event per (signature, resolution): success where it has both, failure where the error came back.

    An error that says only that something failed teaches nothing.
    """
    task = attempts[0].correlation_id
    successes: dict[tuple[str, str], MappingEvent] = {}
    failures: dict[tuple[str, str], MappingEvent] = {}
    came_back: dict[tuple[str, str], MappingEvent] = {}
    for fix in fixes:
        for resolution in () if fix.error.generic else fix.resolutions:
            details = _details(fix.error, fix.changes, resolution, failed=fix.failed.ref, gone=fix.gone_at.ref)
            details = details.model_copy(update={"passed": fix.passed.ref})
            key = (fix.error.signature, resolution.resolution_id)
            successes.setdefault(key, _event(task, *key, MappingOutcome.SUCCESS, fix.passed, details, fix.gone_at))
    for tried in failed_tries:
        for resolution in () if tried.error.generic else tried.resolutions:
            gone = tried.gone_at.ref if tried.gone_at is not None else None
            details = _details(tried.error, tried.changes, resolution, failed=tried.failed.ref, gone=gone)
            details = details.model_copy(update={"again": tried.failed_again.ref, "came_back": tried.came_back})
            key = (tried.error.signature, resolution.resolution_id)
            event = _event(task, *key, MappingOutcome.FAILURE, tried.failed_again, details, tried.failed_again)
            (came_back if tried.came_back else failures).setdefault(key, event)
    chosen = failures | successes | came_back
    order = {attempt.attempt_id: i for i, attempt in enumerate(attempts)}
    return tuple(
        sorted(chosen.values(), key=lambda e: (e.occurred_at, order[e.attempt_id], e.signature, e.resolution_id))
    )


def _details(
    error: TaskError,
    changes: Sequence[ChangePart],
    resolution: Resolution,
    *,
    failed: VerificationRef,
    gone: VerificationRef | None,
) -> MappingDetails:
    subjects = error.pattern.subjects
    own = [
        part
        for part in changes
        if resolution.parts > 1 or (part.kind is resolution.kind and part.template(subjects) == resolution.template)
    ]
    return MappingDetails(
        failed=failed,
        gone=gone,
        tool_call_ids=tool_call_ids(own or changes),
        example_diff=resolution.example_diff,
        said=resolution.said,
        slots=error.pattern.slots,
    )


def _event(
    task: object,
    signature: str,
    resolution_id: str,
    outcome: MappingOutcome,
    decided: TaskVerification,
    details: MappingDetails,
    changed: TaskVerification,
) -> MappingEvent:
    return MappingEvent.model_validate(
        {
            "correlation_id": task,
            "signature": signature,
            "resolution_id": resolution_id,
            "outcome": outcome,
            "occurred_at": decided.at,
            "attempt_id": decided.ref.attempt_id,
            "evidence": decided.evidence,
            "peer_id": changed.peer_id or decided.peer_id,
            "details": details,
        }
    )


def used_resolutions(sources: Sequence[Fix | FailedTry], events: Sequence[MappingEvent]) -> tuple[Resolution, ...]:
    """The resolutions that events name; of equal ones the example of the first fix, else of the first try."""
    named = {event.resolution_id for event in events}
    found: dict[str, Resolution] = {}
    for source in sources:
        for resolution in source.resolutions:
            if resolution.resolution_id in named:
                found.setdefault(resolution.resolution_id, resolution)
    return tuple(found[resolution_id] for resolution_id in sorted(found))


def tool_call_ids(parts: Sequence[ChangePart]) -> tuple[str, ...]:
    """The distinct tool calls of the parts, in order."""
    return tuple(dict.fromkeys(part.tool_call_id for part in parts if part.tool_call_id))
