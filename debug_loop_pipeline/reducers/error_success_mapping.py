"""ErrorSuccessMappingReducer: new / tracking / confident / deprecated (DOMAIN 3.8).

Here: folding the events of one (error signature, resolution). Not here: finding the events (`compute.fixes.credit`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from operator import itemgetter
from uuid import UUID

from debug_loop_pipeline.compute.fixes.wilson import wilson_lower_bound
from debug_loop_pipeline.models.intents import GrantReward, Intent, Notify, PersistState
from debug_loop_pipeline.models.mapping import (
    AppliedEvent,
    ErrorSuccessMapping,
    MappingEvent,
    MappingOutcome,
    MappingState,
    TaskWord,
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


@dataclass(slots=True)
class MappingTally:
    """What the events of a mapping come to. Changed in place: a popular fix has many thousand events."""

    state: MappingState = MappingState.NEW
    success_count: int = 0
    failure_count: int = 0
    confidence: float = MIN_CONFIDENCE
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    last_attempt_id: str | None = None
    first_success_at: datetime | None = None
    first_success_attempt_id: str | None = None
    first_success_peer_id: str | None = None
    confident_at: datetime | None = None

    @property
    def wilson_lower_bound(self) -> float:
        """What the share of successes is at least."""
        return wilson_lower_bound(self.success_count, self.success_count + self.failure_count)

    def count(self, word: TaskWord, limits: MappingThresholds) -> None:
        """One more event, which lies after those before it."""
        at = word.occurred_at
        if word.outcome is MappingOutcome.SUCCESS:
            self.success_count += 1
            if self.first_success_at is None:
                self.first_success_at = at
                self.first_success_attempt_id = word.attempt_id
                self.first_success_peer_id = word.peer_id
        else:
            self.failure_count += 1
        self.confidence = mapping_confidence(self.success_count, self.failure_count)
        self.state = self._next(limits)
        if self.state is MappingState.CONFIDENT and self.confident_at is None:
            self.confident_at = at
        if self.first_event_at is None:
            self.first_event_at = at
        self.last_event_at, self.last_attempt_id = at, word.attempt_id

    def _next(self, limits: MappingThresholds) -> MappingState:
        state, confidence = self.state, self.confidence
        if state is MappingState.DEPRECATED:
            return state
        if self.failure_count >= limits.deprecated_failures and confidence < limits.deprecated_below:
            return MappingState.DEPRECATED
        if confidence >= limits.confident_at and self.success_count >= limits.confident_successes:
            return MappingState.CONFIDENT
        if state is MappingState.CONFIDENT and confidence >= limits.doubtful_below:
            return state
        return MappingState.TRACKING


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
        word = _word_about(state, event)
        said = next((a.outcome for a in state.applied if a.correlation_id == event.correlation_id), None)
        if said is not None:
            _must_agree(state.state, word, said)
            return repeated(state, state.state, _action(word))
        if state.last_event_at is not None and state.last_attempt_id is not None:
            last = (state.last_event_at, str(state.last_attempt_id))
            if (word.occurred_at, word.attempt_id) < last:
                reason = f"it lies before the last event of {last[0]}; refold"
                raise IllegalActionError(state.state, _action(word), reason)
        tally = _tally_of(state)
        tally.count(word, self._thresholds)
        made = transition(LEGAL_TRANSITIONS, state.state, _action(word), tally.state)
        new = _mapping(state, tally, (*state.applied, _applied(word)))
        confident = new.confident_at is not None and state.confident_at is None
        return Reduced(new, (_persist(new, event.occurred_at), *_intents(state, tally, word, made, confident)), made)

    def fold(
        self, signature: str, resolution_id: str, events: Iterable[MappingEvent]
    ) -> tuple[ErrorSuccessMapping, tuple[Intent, ...], tuple[Transition, ...]]:
        """Fold events from nothing, in (occurred_at, attempt_id) order whatever order they come in.

        The intents are those of the events, but for the state, which is to be written once, at the end.

        Raises:
            IllegalActionError: a task says two things, or an event is about another mapping.
        """
        initial = self.initial(signature, resolution_id)
        applied: list[AppliedEvent] = []
        intents: list[Intent] = []
        transitions: list[Transition] = []
        tally = MappingTally()
        before, confident = tally.state, False
        for word in self._counted(tally, [_word_about(initial, event) for event in events]):
            made = transition(LEGAL_TRANSITIONS, before, _action(word), tally.state)
            first = tally.confident_at is not None and not confident
            intents += _intents(initial, tally, word, made, first)
            before, confident = tally.state, confident or first
            transitions.append(made)
            applied.append(_applied(word))
        state = _mapping(initial, tally, tuple(applied))
        if state.last_event_at is not None:
            intents.append(_persist(state, state.last_event_at))
        return state, tuple(intents), tuple(transitions)

    def tally(self, words: Iterable[TaskWord]) -> MappingTally:
        """What `fold` counts, without what follows from each event.

        Raises:
            IllegalActionError: a task says two things.
        """
        tally = MappingTally()
        for _ in self._counted(tally, words):
            pass
        return tally

    def _counted(self, tally: MappingTally, words: Iterable[TaskWord]) -> Iterator[TaskWord]:
        """Counts every task's word once, in order; each word after it was counted."""
        said: dict[str, MappingOutcome] = {}
        limits = self._thresholds
        for word in sorted(words, key=_ORDER):
            known = said.get(word.correlation_id)
            if known is not None:
                _must_agree(tally.state, word, known)
                continue
            said[word.correlation_id] = word.outcome
            tally.count(word, limits)
            yield word


_ORDER = itemgetter(0, 1, 2, 3)
_FIELDS = tuple(field.name for field in fields(MappingTally))


def _tally_of(mapping: ErrorSuccessMapping) -> MappingTally:
    values = mapping.model_dump(include=set(_FIELDS))
    for name in ("last_attempt_id", "first_success_attempt_id"):
        values[name] = None if values[name] is None else str(values[name])
    return MappingTally(**values)


def _mapping(
    before: ErrorSuccessMapping, tally: MappingTally, applied: tuple[AppliedEvent, ...]
) -> ErrorSuccessMapping:
    return ErrorSuccessMapping(
        signature=before.signature,
        resolution_id=before.resolution_id,
        wilson_lower_bound=tally.wilson_lower_bound,
        applied=applied,
        **{name: getattr(tally, name) for name in _FIELDS},
    )


def _word_about(state: ErrorSuccessMapping, event: MappingEvent) -> TaskWord:
    if (event.signature, event.resolution_id) != (state.signature, state.resolution_id):
        raise IllegalActionError(state.state, f"register_{event.outcome}", "the event is about another mapping")
    return TaskWord(event.occurred_at, str(event.attempt_id), str(event.correlation_id), event.outcome, event.peer_id)


def _must_agree(state: MappingState, word: TaskWord, said: MappingOutcome) -> None:
    if said is not word.outcome:
        reason = f"task {word.correlation_id} has already said {said}; refold"
        raise IllegalActionError(state, _action(word), reason)


def _action(word: TaskWord) -> str:
    return f"register_{word.outcome}"


def _applied(word: TaskWord) -> AppliedEvent:
    return AppliedEvent(correlation_id=UUID(word.correlation_id), outcome=word.outcome)


def _intents(
    mapping: ErrorSuccessMapping, tally: MappingTally, word: TaskWord, made: Transition, confident: bool
) -> tuple[Intent, ...]:
    """What follows from an event besides keeping the state; `confident`: for the first time."""
    intents: list[Intent] = []
    if made.changed and made.from_state != MappingState.NEW:
        intents.append(
            Notify(
                subject_kind="mapping",
                subject_id=_subject(mapping),
                topic=f"mapping_{made.to_state}",
                occurred_at=word.occurred_at,
                details={"confidence": tally.confidence, "from": made.from_state},
            )
        )
    if confident and tally.first_success_attempt_id is not None:
        intents.append(
            GrantReward(
                kind="fix",
                subject_id=_subject(mapping),
                attempt_id=UUID(tally.first_success_attempt_id),
                peer_id=tally.first_success_peer_id,
                occurred_at=word.occurred_at,
                details={"signature": mapping.signature, "resolution_id": mapping.resolution_id},
            )
        )
    return tuple(intents)


def _subject(mapping: ErrorSuccessMapping) -> str:
    return f"{mapping.signature}:{mapping.resolution_id}"


def _persist(state: ErrorSuccessMapping, at: datetime) -> Intent:
    return PersistState(subject_kind="mapping", subject_id=_subject(state), occurred_at=at)
