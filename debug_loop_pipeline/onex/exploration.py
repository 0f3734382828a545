"""Drives a state machine from nothing through every kind of action, and tells each transition it made.

Here: the search and what it starts from. Not here: judging what was found (`check_reducer`). It stops at states whose like it has
seen, so it ends although counts and histories never repeat; the machines are pure, so what it saw is what they do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeVar
from uuid import NAMESPACE_OID, UUID, uuid5

from debug_loop_pipeline.models.base import EvidenceTier
from debug_loop_pipeline.models.golden import GoldenAction, GoldenActionType, GoldenState
from debug_loop_pipeline.models.mapping import (
    ErrorSuccessMapping,
    MappingDetails,
    MappingEvent,
    MappingOutcome,
    VerificationRef,
)
from debug_loop_pipeline.models.token import LEGAL_REASONS, TokenTransaction, TransactionType
from debug_loop_pipeline.reducers.error_success_mapping import ErrorSuccessMappingReducer
from debug_loop_pipeline.reducers.golden_state_manager import GoldenStateManagerReducer
from debug_loop_pipeline.reducers.machine import IllegalActionError, Reduced
from debug_loop_pipeline.reducers.token_balance import Account, TokenBalanceReducer

StateT = TypeVar("StateT")
ActionT = TypeVar("ActionT")
Transitions = frozenset[tuple[str, str, str]]

_START = datetime(2026, 1, 1, tzinfo=UTC)
_SHA = "0" * 64
_MAX_EVENTS = 12
_PEER = "explorer"
_DETAILS = MappingDetails(failed=VerificationRef(attempt_id=UUID(int=0), index=0, step=0, goal="explore"))


def explore(
    initial: StateT,
    reduce: Callable[[StateT, ActionT], Reduced[StateT]],
    actions: Callable[[int], Iterable[ActionT]],
    likeness: Callable[[StateT], Hashable],
    max_depth: int,
) -> Transitions:
    """Every transition made within `max_depth` actions.

    Args:
        initial: where to begin.
        reduce: the machine.
        actions: the actions to try at a depth; each is new, so that none is known already.
        likeness: states that share it are not searched twice.
        max_depth: actions in a row.
    """
    made: set[tuple[str, str, str]] = set()
    seen = {likeness(initial)}
    waiting = deque([(initial, 0)])
    while waiting:
        state, depth = waiting.popleft()
        for action in actions(depth):
            try:
                result = reduce(state, action)
            except IllegalActionError:
                continue
            step = result.transition
            made.add((step.from_state, step.action, step.to_state))
            if likeness(result.state) not in seen and depth + 1 < max_depth:
                seen.add(likeness(result.state))
                waiting.append((result.state, depth + 1))
    return frozenset(made)


def explore_mapping() -> Transitions:
    """What ErrorSuccessMappingReducer does with up to 12 tasks' words."""
    machine = ErrorSuccessMappingReducer()

    def actions(depth: int) -> Iterable[MappingEvent]:
        for outcome in MappingOutcome:
            yield MappingEvent(
                signature=_SHA,
                resolution_id=_SHA,
                outcome=outcome,
                correlation_id=_id("task", depth),
                attempt_id=_id("attempt", depth),
                occurred_at=_START + timedelta(minutes=depth),
                evidence=EvidenceTier.MEASURED,
                details=_DETAILS,
            )

    def likeness(state: ErrorSuccessMapping) -> Hashable:
        return state.state, state.success_count, state.failure_count

    return explore(machine.initial(_SHA, _SHA), machine.reduce, actions, likeness, _MAX_EVENTS)


def explore_golden() -> Transitions:
    """What GoldenStateManagerReducer does with every action at a low, a middling and a high quality."""
    machine = GoldenStateManagerReducer()
    numbers = count()

    def actions(depth: int) -> Iterable[GoldenAction]:
        for kind in GoldenActionType:
            for quality in (0.5, 0.85, 0.95):
                yield GoldenAction(
                    action_id=str(next(numbers)),
                    action=kind,
                    golden_state_id="g",
                    attempt_id=_id("attempt", depth),
                    occurred_at=_START + timedelta(minutes=depth),
                    quality_score=quality,
                    stf_hash=_SHA,
                )

    def likeness(state: GoldenState) -> Hashable:
        return state.status, state.quality_score

    return explore(machine.initial("g"), machine.reduce, actions, likeness, 5)


def explore_balance() -> Transitions:
    """What TokenBalanceReducer does with every type of transaction, in either direction."""
    machine = TokenBalanceReducer()
    numbers = count()

    def actions(depth: int) -> Iterable[TokenTransaction]:
        for kind in TransactionType:
            for amount in _amounts(kind):
                number = next(numbers)
                transfer = kind is TransactionType.TRANSFERRED
                yield TokenTransaction(
                    transaction_id=_id("transaction", number),
                    group_id=_id("group", number) if transfer else None,
                    counterparty_peer_id="other" if transfer else None,
                    peer_id=_PEER,
                    transaction_type=kind,
                    amount=amount,
                    reason=min(LEGAL_REASONS[kind]),
                    cause_id=str(number),
                    timestamp=_START + timedelta(minutes=depth),
                )

    def likeness(state: Account) -> Hashable:
        return state.status, state.balance.balance, state.balance.held

    return explore(machine.initial(_PEER), machine.reduce, actions, likeness, 4)


def _amounts(kind: TransactionType) -> tuple[int, ...]:
    if kind in (TransactionType.EARNED, TransactionType.BONUS, TransactionType.HOLD):
        return (1,)
    return (-1,) if kind in (TransactionType.SPENT, TransactionType.RELEASE) else (1, -1)


def _id(what: str, number: int) -> UUID:
    return uuid5(NAMESPACE_OID, f"{what}-{number}")
