"""Step `golden_states`: which attempts are proven solutions, folded from their facts, what people decided, and their reuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.effects.decision_store import approvals
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.recommendation_outcome_store import golden_reuses
from debug_loop_pipeline.effects.step_store import RowChanges, Table
from debug_loop_pipeline.models.golden import GoldenAction, GoldenActionType, GoldenState, GoldenStatus
from debug_loop_pipeline.reducers.golden_state_manager import GoldenStateManagerReducer, GoldenThresholds, action_order
from debug_loop_pipeline.settings import GoldenSettings
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.framework import Span, StepContext, StepReport, keys_by, run_fold

FOLD = "golden_states"

GOLDEN = Table(
    "debug_golden_states",
    (
        "golden_state_id",
        "attempt_id",
        "stf_hash",
        "state",
        "quality_score",
        "problem_signature",
        "category",
        "evidence_tier",
        "peer_id",
        "repository",
        "reuse_count",
        "nominated_at",
        "decided_at",
        "decided_by",
    ),
    ("golden_state_id",),
    scope="golden_state_id",
)
GOLDEN_EVENTS = Table(
    "golden_events",
    ("golden_state_id", "position", "action", "from_state", "to_state", "occurred_at", "actor", "details"),
    ("golden_state_id", "position"),
    scope="golden_state_id",
)
_NEVER = 2.0
"""Above every quality."""
_NEEDS = {
    GoldenActionType.APPROVE: GoldenStatus.NOMINATED,  # the first decision stands; a later one was refused where it was made
    GoldenActionType.REJECT: GoldenStatus.NOMINATED,
    GoldenActionType.RECORD_REUSE: GoldenStatus.APPROVED,  # what is not approved may be reused, and earns nothing by it
}
"""Actions that are passed over in any other state."""
_PERSON = {"approve": GoldenActionType.APPROVE, "reject": GoldenActionType.REJECT}


def run(
    context: StepContext, span: Span, *, full_refresh: bool = False, only_keys: Sequence[str] | None = None
) -> StepReport:
    """Folds the golden states of the attempts that changed on these days."""
    return run_fold(
        context,
        FOLD,
        versions.GOLDEN_STATES,
        span,
        refold_attempts,
        keys_by("select attempt_id::text as key from debug_execution_attempts where day = any(:days)"),
        full_refresh=full_refresh,
        only_keys=only_keys,
    )


def refold_attempts(
    context: StepContext, connection: Connection, attempts: list[str], span: Span
) -> dict[str, RowChanges]:
    """Recomputes the golden states of some attempts; one that no longer qualifies is withdrawn."""
    facts = fetch_rows(
        context.database,
        _CANDIDATES,
        {"attempts": [UUID(a) for a in attempts], "quality": context.settings.golden.nominate_quality},
        connection,
    )
    candidates = [str(fact["attempt_id"]) for fact in facts]
    decided = approvals(context.database, "golden_state", candidates, connection) if facts else {}
    hashes = [fact["stf_hash"] for fact in facts]
    reused = golden_reuses(context.database, connection, list(zip(candidates, hashes, strict=True))) if facts else {}
    states: list[tuple[Any, ...]] = []
    events: list[tuple[Any, ...]] = []
    for fact in facts:
        key = str(fact["attempt_id"])
        reducer = _reducer(context.settings.golden, decided_by_person=key in decided)
        state = reducer.initial(key)
        outcomes = {_reuse_id(key, reuse): reuse["outcome"] for reuse in reused[key]}
        for position, action in enumerate(golden_actions(fact, decided.get(key, ()), reused[key])):
            if state.status is not _NEEDS.get(action.action, state.status):
                continue
            reduced = reducer.reduce(state, action)
            events.append(
                (
                    key,
                    position,
                    action.action.value,
                    state.status.value,
                    reduced.state.status.value,
                    action.occurred_at,
                    action.actor,
                    {
                        "reason": action.reason,
                        "quality_score": action.quality_score,
                        "attempt_id": str(action.attempt_id),
                        "outcome": outcomes.get(action.action_id),
                    },
                )
            )
            state = reduced.state
        states.append(_row(fact, state))
    return {
        GOLDEN.name: context.store.replace(connection, GOLDEN, states, attempts),
        GOLDEN_EVENTS.name: context.store.replace(connection, GOLDEN_EVENTS, events, attempts),
    }


def _reducer(limits: GoldenSettings, *, decided_by_person: bool) -> GoldenStateManagerReducer:
    # Where a person decided, quality alone approves nothing any more: a better score must not undo a rejection.
    approve = _NEVER if decided_by_person else limits.approve_quality
    return GoldenStateManagerReducer(GoldenThresholds(nominate=limits.nominate_quality, approve=approve))


def golden_actions(
    fact: dict[str, Any], decisions: Sequence[dict[str, Any]], reuses: Sequence[dict[str, Any]] = ()
) -> list[GoldenAction]:
    """The actions of one attempt in order: nominated by its facts, then what people decided and tasks reused, by time."""
    key = str(fact["attempt_id"])
    nominate = GoldenAction(
        action_id=f"nominate:{key}",
        action=GoldenActionType.NOMINATE,
        golden_state_id=key,
        attempt_id=fact["attempt_id"],
        occurred_at=fact["completed_at"],
        quality_score=fact["quality_score"],
        stf_hash=fact["stf_hash"],
        peer_id=fact["peer_id"],
    )
    decided = [
        GoldenAction(
            action_id=f"{decision['decision']}:{key}:{number}",
            action=_PERSON[decision["decision"]],
            golden_state_id=key,
            attempt_id=fact["attempt_id"],
            occurred_at=decision["decided_at"],
            peer_id=fact["peer_id"],
            actor=decision["decided_by"],
            reason=decision["reason"],
        )
        for number, decision in enumerate(decisions, start=1)
    ]
    reused = [
        GoldenAction(
            action_id=_reuse_id(key, reuse),
            action=GoldenActionType.RECORD_REUSE,
            golden_state_id=key,
            attempt_id=reuse["attempt_id"],
            occurred_at=reuse["at"],
            peer_id=reuse["peer_id"],
        )
        for reuse in reuses
    ]
    return [nominate, *sorted([*decided, *reused], key=action_order)]


def _reuse_id(golden_state_id: str, reuse: dict[str, Any]) -> str:
    return f"reuse:{golden_state_id}:{reuse['correlation_id']}"


def _row(fact: dict[str, Any], state: GoldenState) -> tuple[Any, ...]:
    return (
        state.golden_state_id,
        fact["attempt_id"],
        state.stf_hash,
        state.status.value,
        state.quality_score,
        fact["problem_signature"],
        fact["category"],
        fact["evidence_tier"],
        fact["peer_id"],
        fact["repository"],
        state.reuse_count,
        state.nominated_at,
        state.decided_at,
        state.decided_by,
    )


_CANDIDATES = """
select distinct on (a.attempt_id)
       a.attempt_id, a.problem_signature, a.category, a.evidence_tier, a.peer_id, a.repository, a.completed_at,
       q.stf_hash, q.quality_score
from debug_execution_attempts a
join attempt_stf_quality q using (attempt_id)
join attempt_stfs s using (attempt_id, position, stf_hash)
where a.attempt_id = any(:attempts) and a.outcome = 'succeeded' and q.quality_score >= :quality
  and not (s.details ->> 'redacted')::boolean
order by a.attempt_id, q.quality_score desc, q.stf_hash
"""
