"""GoldenStateManagerReducer: none / nominated / approved / rejected (DOMAIN 3.9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from debug_loop_pipeline.models.golden import GoldenAction, GoldenActionType, GoldenState, GoldenStatus
from debug_loop_pipeline.models.intents import GrantReward, Intent, Notify, PersistState
from debug_loop_pipeline.reducers.machine import (
    IllegalActionError,
    Reduced,
    Transition,
    TransitionTable,
    repeated,
    transition,
)


@dataclass(frozen=True, slots=True)
class GoldenThresholds:
    """From which quality an attempt is nominated, and from which it needs no person (DOMAIN 3.9)."""

    nominate: float = 0.80
    approve: float = 0.90


DEFAULT_THRESHOLDS = GoldenThresholds()

LEGAL_TRANSITIONS: TransitionTable = frozenset(
    {
        ("none", "nominate", "nominated"),
        ("none", "nominate", "approved"),
        ("nominated", "approve", "approved"),
        ("nominated", "reject", "rejected"),
        ("nominated", "update_quality", "nominated"),
        ("nominated", "update_quality", "approved"),
        ("approved", "update_quality", "approved"),
        ("approved", "record_reuse", "approved"),
    }
)
"""Every (from state, action, to state) that the machine can make."""


class GoldenStateManagerReducer:
    """The state machine of one golden state. Stateless itself: the same arguments give the same result."""

    def __init__(self, thresholds: GoldenThresholds = DEFAULT_THRESHOLDS) -> None:
        self._thresholds = thresholds

    def initial(self, golden_state_id: str) -> GoldenState:
        """A golden state that nobody has nominated."""
        return GoldenState(golden_state_id=golden_state_id)

    def reduce(self, state: GoldenState, action: GoldenAction) -> Reduced[GoldenState]:
        """Apply one action; an action id that is known already changes nothing.

        Quality of at least the `approve` threshold approves in the same step as the nomination or the update.

        Raises:
            IllegalActionError: the state does not allow the action, or the quality is below the `nominate` threshold.
        """
        if action.golden_state_id != state.golden_state_id:
            raise IllegalActionError(state.status, action.action, f"it is about {action.golden_state_id}")
        if action.action_id in state.applied:
            return repeated(state, state.status, action.action)
        allowed_in = {before for before, kind, _ in LEGAL_TRANSITIONS if kind == action.action}
        if state.status not in allowed_in:
            allowed = ", ".join(sorted(allowed_in))
            raise IllegalActionError(state.status, action.action, f"allowed in {allowed}")
        new = self._applied(state, action)
        made = transition(LEGAL_TRANSITIONS, state.status, action.action, new.status)
        return Reduced(new, _intents(state, new, action), made)

    def fold(
        self, golden_state_id: str, actions: Iterable[GoldenAction]
    ) -> tuple[GoldenState, tuple[Intent, ...], tuple[Transition, ...]]:
        """Fold actions from nothing, in (occurred_at, attempt_id, action_id) order whatever order they come in."""
        state = self.initial(golden_state_id)
        intents: list[Intent] = []
        transitions: list[Transition] = []
        for action in sorted(actions, key=action_order):
            result = self.reduce(state, action)
            state = result.state
            intents += result.intents
            if result.applied:
                transitions.append(result.transition)
        return state, tuple(intents), tuple(transitions)

    def _applied(self, state: GoldenState, action: GoldenAction) -> GoldenState:
        update: dict[str, object] = {"applied": (*state.applied, action.action_id)}
        match action.action:
            case GoldenActionType.NOMINATE:
                quality = action.quality_score or 0.0
                if quality < self._thresholds.nominate:
                    reason = f"quality {quality} is below {self._thresholds.nominate}"
                    raise IllegalActionError(state.status, action.action, reason)
                update |= {
                    "status": GoldenStatus.NOMINATED,
                    "attempt_id": action.attempt_id,
                    "stf_hash": action.stf_hash,
                    "peer_id": action.peer_id,
                    "nominated_at": action.occurred_at,
                    "quality_score": quality,
                }
            case GoldenActionType.UPDATE_QUALITY:
                update["quality_score"] = action.quality_score
            case GoldenActionType.APPROVE:
                update |= _decided(GoldenStatus.APPROVED, action)
            case GoldenActionType.REJECT:
                update |= _decided(GoldenStatus.REJECTED, action)
            case GoldenActionType.RECORD_REUSE:
                update["reuse_count"] = state.reuse_count + 1
        new = state.model_copy(update=update)
        quality_known = new.quality_score if new.quality_score is not None else 0.0
        if new.status is GoldenStatus.NOMINATED and quality_known >= self._thresholds.approve:
            new = new.model_copy(update=_decided(GoldenStatus.APPROVED, action))
        return new


def action_order(action: GoldenAction) -> tuple[object, ...]:
    """The total order of a fold."""
    return action.occurred_at, str(action.attempt_id), action.action_id


def _decided(status: GoldenStatus, action: GoldenAction) -> dict[str, object]:
    return {"status": status, "decided_at": action.occurred_at, "decided_by": action.actor}


def _intents(old: GoldenState, new: GoldenState, action: GoldenAction) -> tuple[Intent, ...]:
    intents: list[Intent] = [
        PersistState(subject_kind="golden_state", subject_id=new.golden_state_id, occurred_at=action.occurred_at)
    ]
    if new.status is not old.status:
        intents.append(
            Notify(
                subject_kind="golden_state",
                subject_id=new.golden_state_id,
                topic=f"golden_state_{new.status}",
                occurred_at=action.occurred_at,
                details={"quality_score": new.quality_score, "decided_by": new.decided_by},
            )
        )
    approved = new.status is GoldenStatus.APPROVED and old.status is not GoldenStatus.APPROVED
    if approved and new.attempt_id is not None:
        intents.append(
            GrantReward(
                kind="golden_state",
                subject_id=new.golden_state_id,
                attempt_id=new.attempt_id,
                peer_id=new.peer_id,
                occurred_at=action.occurred_at,
                details={"quality_score": new.quality_score},
            )
        )
    if action.action is GoldenActionType.RECORD_REUSE:
        intents.append(
            GrantReward(
                kind="golden_reuse",
                subject_id=new.golden_state_id,
                attempt_id=action.attempt_id,
                peer_id=new.peer_id,
                occurred_at=action.occurred_at,
                details={"reused_by": action.peer_id, "reuse_count": new.reuse_count},
            )
        )
    return tuple(intents)
