"""DOMAIN 3.9: the states of a golden state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from debug_loop_pipeline.models.golden import GoldenAction, GoldenActionType, GoldenStatus
from debug_loop_pipeline.models.intents import GrantReward, Notify
from debug_loop_pipeline.reducers.golden_state_manager import LEGAL_TRANSITIONS, GoldenStateManagerReducer
from debug_loop_pipeline.reducers.machine import IllegalActionError

START = datetime(2026, 1, 1, tzinfo=UTC)
REDUCER = GoldenStateManagerReducer()
ATTEMPT = UUID(int=7)


def act(kind: str, at: int = 0, quality: float | None = None, attempt: UUID = ATTEMPT, **more) -> GoldenAction:
    return GoldenAction(
        action_id=f"{kind}-{at}",
        action=GoldenActionType(kind),
        golden_state_id="g",
        attempt_id=attempt,
        occurred_at=START + timedelta(hours=at),
        quality_score=quality,
        stf_hash="s" if kind == "nominate" else None,
        **more,
    )


def state_after(*actions: GoldenAction):
    return REDUCER.fold("g", actions)[0]


NOMINATED = state_after(act("nominate", quality=0.85))
APPROVED = state_after(act("nominate", quality=0.95, peer_id="ann"))
REJECTED = state_after(act("nominate", quality=0.85), act("reject", 1, actor="eve"))
STATES = {"none": REDUCER.initial("g"), "nominated": NOMINATED, "approved": APPROVED, "rejected": REJECTED}


def test_point_eight_nominates_and_point_nine_approves_at_once():
    assert NOMINATED.status is GoldenStatus.NOMINATED
    assert APPROVED.status is GoldenStatus.APPROVED
    assert APPROVED.decided_by == "pipeline"
    assert state_after(act("nominate", quality=0.80)).status is GoldenStatus.NOMINATED
    assert state_after(act("nominate", quality=0.90)).status is GoldenStatus.APPROVED
    with pytest.raises(IllegalActionError, match=r"nominate is illegal in state none: quality 0.79 is below 0.8"):
        state_after(act("nominate", quality=0.79))


def test_a_person_decides_between():
    approved = state_after(act("nominate", quality=0.85), act("approve", 1, actor="eve"))
    assert (approved.status, approved.decided_by) == (GoldenStatus.APPROVED, "eve")
    assert (REJECTED.status, REJECTED.decided_by) == (GoldenStatus.REJECTED, "eve")


def test_better_quality_approves_a_nominated_one_and_worse_takes_nothing_back():
    assert state_after(act("nominate", quality=0.85), act("update_quality", 1, 0.92)).status is GoldenStatus.APPROVED
    lower = REDUCER.reduce(APPROVED, act("update_quality", 1, 0.5)).state
    assert (lower.status, lower.quality_score) == (GoldenStatus.APPROVED, 0.5)


def test_approval_and_reuse_grant_a_reward():
    _, intents, _ = REDUCER.fold("g", [act("nominate", quality=0.95, peer_id="ann")])
    assert [(i.kind, i.peer_id, i.details) for i in intents if isinstance(i, GrantReward)] == [
        ("golden_state", "ann", {"quality_score": 0.95})
    ]
    assert [i.topic for i in intents if isinstance(i, Notify)] == ["golden_state_approved"]
    reuse = REDUCER.reduce(APPROVED, act("record_reuse", 1, attempt=UUID(int=9), peer_id="bob"))
    assert reuse.state.reuse_count == 1
    grant = next(i for i in reuse.intents if isinstance(i, GrantReward))
    assert (grant.kind, grant.peer_id, grant.attempt_id) == ("golden_reuse", "ann", UUID(int=9))
    assert grant.details == {"reused_by": "bob", "reuse_count": 1}


@pytest.mark.parametrize("state", list(STATES))
@pytest.mark.parametrize("kind", [k.value for k in GoldenActionType])
def test_every_pair_of_state_and_action_is_legal_or_an_error_that_names_both(state, kind):
    action = act(kind, 99, 0.85 if kind in ("nominate", "update_quality") else None)
    targets = {to for before, done, to in LEGAL_TRANSITIONS if (before, done) == (state, kind)}
    if targets:
        result = REDUCER.reduce(STATES[state], action)
        assert result.applied
        assert result.transition.to_state in targets
    else:
        with pytest.raises(IllegalActionError, match=f"action {kind} is illegal in state {state}"):
            REDUCER.reduce(STATES[state], action)


def test_the_legal_pairs_of_state_and_action_are_those_of_the_domain():
    assert {(before, kind) for before, kind, _ in LEGAL_TRANSITIONS} == {
        ("none", "nominate"),
        ("nominated", "approve"),
        ("nominated", "reject"),
        ("nominated", "update_quality"),
        ("approved", "record_reuse"),
        ("approved", "update_quality"),
    }


def test_an_action_applied_twice_changes_nothing():
    action = act("record_reuse", 1)
    once = REDUCER.reduce(APPROVED, action)
    twice = REDUCER.reduce(once.state, action)
    assert twice.state == once.state
    assert twice.intents == ()


def test_an_action_about_another_golden_state_is_illegal():
    with pytest.raises(IllegalActionError, match="it is about g"):
        REDUCER.reduce(REDUCER.initial("other"), act("nominate", quality=0.9))


def test_a_nomination_needs_a_quality_and_an_stf():
    with pytest.raises(ValidationError, match="quality_score"):
        act("nominate")


@given(st.lists(st.sampled_from(["record_reuse", "update_quality"]), max_size=12), st.randoms(use_true_random=False))
def test_a_fold_does_not_depend_on_the_order_of_arrival(kinds, random):
    actions = [act("nominate", quality=0.9)]
    actions += [act(k, i, 0.5 if k == "update_quality" else None) for i, k in enumerate(kinds, 1)]
    state = state_after(*actions)
    shuffled = [*actions, actions[-1]]
    random.shuffle(shuffled)
    assert state_after(*shuffled) == state
    assert state.reuse_count == kinds.count("record_reuse")
