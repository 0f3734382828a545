"""DOMAIN 3.8: the states of an error→success mapping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.compute.fixes.wilson import wilson_lower_bound
from debug_loop_pipeline.models.base import EvidenceTier
from debug_loop_pipeline.models.intents import GrantReward, Notify, PersistState
from debug_loop_pipeline.models.mapping import (
    MappingDetails,
    MappingEvent,
    MappingOutcome,
    MappingState,
    TaskWord,
    VerificationRef,
)
from debug_loop_pipeline.reducers.error_success_mapping import ErrorSuccessMappingReducer, mapping_confidence
from debug_loop_pipeline.reducers.machine import IllegalActionError

SIGNATURE, RESOLUTION = "a" * 64, "b" * 64
START = datetime(2026, 1, 1, tzinfo=UTC)
REDUCER = ErrorSuccessMappingReducer()


def event(task: int, *, success: bool = True, hour: int | None = None, peer: str | None = None) -> MappingEvent:
    attempt = UUID(int=1000 + task)
    return MappingEvent(
        correlation_id=UUID(int=task),
        signature=SIGNATURE,
        resolution_id=RESOLUTION,
        outcome=MappingOutcome.SUCCESS if success else MappingOutcome.FAILURE,
        occurred_at=START + timedelta(hours=task if hour is None else hour),
        attempt_id=attempt,
        evidence=EvidenceTier.MEASURED,
        peer_id=peer,
        details=MappingDetails(failed=VerificationRef(attempt_id=attempt, index=0, step=1, goal="pytest")),
    )


def folded(*successes: bool):
    return REDUCER.fold(SIGNATURE, RESOLUTION, [event(i, success=s) for i, s in enumerate(successes, 1)])


def test_the_first_event_takes_a_mapping_from_new_to_tracking_also_a_failure():
    assert REDUCER.initial(SIGNATURE, RESOLUTION).state is MappingState.NEW
    for success in (True, False):
        state, _, transitions = folded(success)
        assert state.state is MappingState.TRACKING
        assert [(t.from_state, t.to_state) for t in transitions] == [("new", "tracking")]


def test_three_successes_in_different_tasks_make_it_confident_and_grant_the_first_peer_once():
    events = [event(1, peer="ann"), event(2, peer="bob"), event(3, peer="bob"), event(4, peer="cy")]
    state, intents, transitions = REDUCER.fold(SIGNATURE, RESOLUTION, events)
    assert state.state is MappingState.CONFIDENT
    assert state.confident_at == events[2].occurred_at
    assert [t.to_state for t in transitions] == ["tracking", "tracking", "confident", "confident"]
    grants = [i for i in intents if isinstance(i, GrantReward)]
    assert [(g.kind, g.peer_id, g.attempt_id) for g in grants] == [("fix", "ann", events[0].attempt_id)]
    # The state is kept once, as it is after the last event.
    assert [i.occurred_at for i in intents if isinstance(i, PersistState)] == [events[3].occurred_at]
    assert [i.topic for i in intents if isinstance(i, Notify)] == ["mapping_confident"]


def test_confidence_below_point_eight_keeps_it_tracking():
    assert folded(True, True, True, False)[0].state is MappingState.CONFIDENT  # 0.75: only 0.5 takes it back
    assert folded(False, True, True, True)[0].state is MappingState.TRACKING
    assert folded(False, True, True, True, True)[0].state is MappingState.CONFIDENT


def test_confidence_below_point_five_takes_it_back_to_tracking_and_a_second_rise_grants_nothing():
    rises = (True,) * 3 + (False,) * 4 + (True,) * 13
    state, intents, transitions = folded(*rises)
    assert [t.to_state for t in transitions][6] == "tracking"
    assert state.state is MappingState.CONFIDENT
    assert sum(isinstance(i, GrantReward) for i in intents) == 1


def test_five_failures_below_point_two_deprecate_from_any_state_for_good():
    state, _, _ = folded(*(False,) * 5)
    assert state.state is MappingState.DEPRECATED
    assert not state.recommendable
    later, _, _ = folded(*(False,) * 5, *(True,) * 40)
    assert later.state is MappingState.DEPRECATED
    assert (later.success_count, later.failure_count) == (40, 5)
    assert folded(True, *(False,) * 4)[0].state is MappingState.TRACKING  # 0.2 is not below 0.2


def test_confidence_is_clamped_and_the_wilson_bound_ranks():
    assert mapping_confidence(0, 9) == 0.1
    assert mapping_confidence(9, 0) == 1.0
    assert mapping_confidence(1, 3) == 0.25
    assert wilson_lower_bound(1, 1) == pytest.approx(0.2065, abs=1e-4)
    assert wilson_lower_bound(0, 0) == wilson_lower_bound(0, 5) == 0.0
    assert wilson_lower_bound(9, 10) == pytest.approx(0.5958, abs=1e-4)
    assert wilson_lower_bound(10, 10) > wilson_lower_bound(3, 3) > wilson_lower_bound(1, 1)
    with pytest.raises(ValueError, match="no share"):
        wilson_lower_bound(2, 1)


def test_an_event_applied_twice_changes_nothing():
    once = REDUCER.reduce(REDUCER.initial(SIGNATURE, RESOLUTION), event(1))
    later = REDUCER.reduce(once.state, event(2))
    twice = REDUCER.reduce(later.state, event(1))
    assert twice.state == later.state
    assert twice.intents == ()
    assert not twice.applied


def test_illegal_events_name_state_and_action():
    state = folded(True, True)[0]
    with pytest.raises(IllegalActionError, match=r"register_failure is illegal in state tracking: .* has already said"):
        REDUCER.reduce(state, event(1, success=False))
    with pytest.raises(IllegalActionError, match=r"register_success is illegal in state tracking: it lies before"):
        REDUCER.reduce(state, event(9, hour=0))
    other = event(9).model_copy(update={"signature": "c" * 64})
    with pytest.raises(IllegalActionError, match="another mapping"):
        REDUCER.reduce(state, other)


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_a_fold_does_not_depend_on_the_order_of_arrival_and_counts_are_the_events(outcomes, random):
    events = [event(i, success=s, hour=i // 2) for i, s in enumerate(outcomes, 1)]
    state, intents, _ = REDUCER.fold(SIGNATURE, RESOLUTION, events)
    shuffled = [*events, events[0]]
    random.shuffle(shuffled)
    assert REDUCER.fold(SIGNATURE, RESOLUTION, shuffled)[0] == state
    assert REDUCER.fold(SIGNATURE, RESOLUTION, shuffled)[1] == intents
    assert state.success_count == sum(outcomes)
    assert state.failure_count == len(outcomes) - sum(outcomes)
    assert state.confidence == mapping_confidence(state.success_count, state.failure_count)


@given(st.lists(st.booleans(), max_size=40), st.randoms(use_true_random=False))
def test_a_tally_is_the_fold_without_the_memory_of_each_event_and_reducing_one_by_one_is_both(outcomes, random):
    events = [event(i, success=s, peer=f"p{i}") for i, s in enumerate(outcomes, 1)]
    state = REDUCER.initial(SIGNATURE, RESOLUTION)
    for one in events:
        state = REDUCER.reduce(state, one).state
    assert REDUCER.fold(SIGNATURE, RESOLUTION, events)[0] == state
    words = [TaskWord(e.occurred_at, str(e.attempt_id), str(e.correlation_id), e.outcome, e.peer_id) for e in events]
    random.shuffle(words)
    tally = REDUCER.tally(words)
    assert tally.wilson_lower_bound == state.wilson_lower_bound
    for name in ("state", "success_count", "failure_count", "confidence", "first_event_at", "last_event_at"):
        assert getattr(tally, name) == getattr(state, name)
    for name in ("first_success_at", "first_success_peer_id", "confident_at"):
        assert getattr(tally, name) == getattr(state, name)
    for name in ("last_attempt_id", "first_success_attempt_id"):
        assert str(getattr(tally, name)) == str(getattr(state, name))


def test_a_tally_refuses_a_task_that_says_two_things():
    words = [TaskWord(START, str(UUID(int=n)), "task", outcome, None) for n, outcome in enumerate(MappingOutcome)]
    with pytest.raises(IllegalActionError, match="already said"):
        REDUCER.tally(words)
