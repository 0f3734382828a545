"""ErrorSuccessMappingReducer: new / tracking / confident / deprecated (DOMAIN 3.8).

Here: folding the events of one (error signature, resolution). Not here: finding the events (`compute.credit`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from debug_loop_pipeline.compute.fixes.wilson import wilson_lower_bound
from debug_loop_pipeline.models.intents import GrantReward, Intent, Notify, PersistState
from debug_loop_pipeline.models.mapping import (
    AppliedEvent,
    ErrorSuccessMapping,
    MappingEvent,
    MappingOutcome,
    MappingState,
)
from debug_loop_pipeline.reducers.machine import (
    IllegalActionError,
    Reduced,
    Transition,
    TransitionTable,
    repeated,
    transition,
)

MIN_CONFIDENCE = 0.1

LEGAL_TRANSITIONS: TransitionTable = frozenset(
    {
        ("new", "register_success", "tracking"),
        ("new", "register_success", "confident"),
        ("new", "register_failure", "tracking"),
        ("new", "register_failure", "deprecated"),
        ("tracking", "register_success", "tracking"),
        ("tracking", "register_success", "confident"),
        ("tracking", "register_failure", "tracking"),
        ("tracking", "register_failure", "deprecated"),
        ("confident", "register_success", "confident"),
        ("confident", "register_failure", "confident"),
        ("confident", "register_failure", "tracking"),
        ("confident", "register_failure", "deprecated"),
        ("deprecated", "register_success", "deprecated"),
        ("deprecated", "register_failure", "deprecated"),
    }
)
"""Every (from state, action, to state) that the machine can make, under whichever thresholds."""


@dataclass(frozen=True, slots=True)
class MappingThresholds:
    """When a mapping changes its state (DOMAIN 3.8)."""

    confident_at: float = 0.8
    confident_successes: int = 3
    doubtful_below: float = 0.5
    deprecated_failures: int = 5
    deprecated_below: float = 0.2


DEFAULT_THRESHOLDS = MappingThresholds()


def mapping_confidence(successes: int, failures: int) -> float:
    """Share of successes, success / (success + failure), clamped to [0.1, 1.0]; 0.1 before the first event."""
    total = successes + failures
    return max(MIN_CONFIDENCE, successes / total) if total else MIN_CONFIDENCE


class ErrorSuccessMappingReducer:
    """The state machine of one mapping. Stateless itself: the same arguments give the same result."""

    def __init__(self, thresholds: MappingThresholds = DEFAULT_THRESHOLDS) -> None:
        self._thresholds = thresholds

    def initial(self, signature: str, resolution_id: str) -> ErrorSuccessMapping:
        """A mapping without any event."""
        return ErrorSuccessMapping(signature=signature, resolution_id=resolution_id)

    def reduce(self, state: ErrorSuccessMapping, event: MappingEvent) -> Reduced[ErrorSuccessMapping]:
        """Apply one event.

        The same event again changes nothing. A task says one thing about a mapping; a second, different word of it, an
        event of another mapping, and an event that lies before the last one are illegal: such a mapping is folded anew.

        Raises:
            IllegalActionError: the event does not fit the state.
        """
        said = next((a.outcome for a in state.applied if a.correlation_id == event.correlation_id), None)
        result = self._reduced(state, event, said)
        if not result.applied:
            return result
        applied = (*state.applied, AppliedEvent(correlation_id=event.correlation_id, outcome=event.outcome))
        state = result.state.model_copy(update={"applied": applied})
        return replace(result, state=state, intents=(_persist(state, event), *result.intents))

    def fold(
        self, signature: str, resolution_id: str, events: Iterable[MappingEvent]
    ) -> tuple[ErrorSuccessMapping, tuple[Intent, ...], tuple[Transition, ...]]:
        """Fold events from nothing, in (occurred_at, attempt_id) order whatever order they come in.

        The intents are those of the events, but for the state, which is to be written once, at the end.
        """
        state = self.initial(signature, resolution_id)
        said: dict[UUID, MappingOutcome] = {}  # beside the state: a popular fix has many thousand events
        intents: list[Intent] = []
        last: MappingEvent | None = None
        transitions: list[Transition] = []
        for event in sorted(events, key=event_order):
            result = self._reduced(state, event, said.get(event.correlation_id))
            state = result.state
            if result.applied:
                said[event.correlation_id] = event.outcome
                intents += result.intents
                last = event
                transitions.append(result.transition)
        applied = tuple(AppliedEvent(correlation_id=task, outcome=outcome) for task, outcome in said.items())
        if last is not None:
            intents.append(_persist(state, last))
        return state.model_copy(update={"applied": applied}), tuple(intents), tuple(transitions)

    def _reduced(
        self, state: ErrorSuccessMapping, event: MappingEvent, said: MappingOutcome | None
    ) -> Reduced[ErrorSuccessMapping]:
        """One event on a state; `said` is what its task has said already. The caller remembers the event and has the state kept."""
        action = f"register_{event.outcome}"
        if (event.signature, event.resolution_id) != (state.signature, state.resolution_id):
            raise IllegalActionError(state.state, action, "the event is about another mapping")
        if said is event.outcome:
            return repeated(state, state.state, action)
        if said is not None:
            raise IllegalActionError(
                state.state, action, f"task {event.correlation_id} has already said {said}; refold"
            )
        if state.last_event_at is not None and state.last_attempt_id is not None:
            last = (state.last_event_at, str(state.last_attempt_id))
            if (event.occurred_at, str(event.attempt_id)) < last:
                raise IllegalActionError(state.state, action, f"it lies before the last event of {last[0]}; refold")
        new = self._counted(state, event)
        made = transition(LEGAL_TRANSITIONS, state.state, action, new.state)
        return Reduced(new, self._intents(state, new, event), made)

    def _counted(self, state: ErrorSuccessMapping, event: MappingEvent) -> ErrorSuccessMapping:
        success = event.outcome is MappingOutcome.SUCCESS
        successes, failures = state.success_count + success, state.failure_count + (not success)
        confidence = mapping_confidence(successes, failures)
        now = self._next(state.state, successes, failures, confidence)
        update = {
            "state": now,
            "success_count": successes,
            "failure_count": failures,
            "confidence": confidence,
            "wilson_lower_bound": wilson_lower_bound(successes, successes + failures),
            "first_event_at": state.first_event_at or event.occurred_at,
            "last_event_at": event.occurred_at,
            "last_attempt_id": event.attempt_id,
        }
        if success and state.first_success_at is None:
            update |= {
                "first_success_at": event.occurred_at,
                "first_success_attempt_id": event.attempt_id,
                "first_success_peer_id": event.peer_id,
            }
        if now is MappingState.CONFIDENT and state.confident_at is None:
            update["confident_at"] = event.occurred_at
        return state.model_copy(update=update)

    def _next(self, state: MappingState, successes: int, failures: int, confidence: float) -> MappingState:
        limits = self._thresholds
        if state is MappingState.DEPRECATED:
            return state
        if failures >= limits.deprecated_failures and confidence < limits.deprecated_below:
            return MappingState.DEPRECATED
        if confidence >= limits.confident_at and successes >= limits.confident_successes:
            return MappingState.CONFIDENT
        if state is MappingState.CONFIDENT and confidence >= limits.doubtful_below:
            return state
        return MappingState.TRACKING

    def _intents(self, old: ErrorSuccessMapping, new: ErrorSuccessMapping, event: MappingEvent) -> tuple[Intent, ...]:
        """What else follows, besides keeping the state."""
        subject = _subject(new)
        intents: list[Intent] = []
        if new.state is not old.state and old.state is not MappingState.NEW:
            intents.append(
                Notify(
                    subject_kind="mapping",
                    subject_id=subject,
                    topic=f"mapping_{new.state}",
                    occurred_at=event.occurred_at,
                    details={"confidence": new.confidence, "from": old.state.value},
                )
            )
        if new.confident_at is not None and old.confident_at is None and new.first_success_attempt_id is not None:
            intents.append(
                GrantReward(
                    kind="fix",
                    subject_id=subject,
                    attempt_id=new.first_success_attempt_id,
                    peer_id=new.first_success_peer_id,
                    occurred_at=event.occurred_at,
                    details={"signature": new.signature, "resolution_id": new.resolution_id},
                )
            )
        return tuple(intents)


def _subject(mapping: ErrorSuccessMapping) -> str:
    return f"{mapping.signature}:{mapping.resolution_id}"


def _persist(state: ErrorSuccessMapping, event: MappingEvent) -> Intent:
    return PersistState(subject_kind="mapping", subject_id=_subject(state), occurred_at=event.occurred_at)


def event_order(event: MappingEvent) -> tuple[object, ...]:
    """The total order of a fold: (time, attempt), then the task."""
    return event.occurred_at, str(event.attempt_id), str(event.correlation_id), event.outcome.value
