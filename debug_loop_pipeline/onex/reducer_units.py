"""The reducers of both parts: a state and an action in; the new state, intents and the transition out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from debug_loop_pipeline.models.base import FrozenModel
from debug_loop_pipeline.models.golden import GoldenAction, GoldenState, GoldenStatus
from debug_loop_pipeline.models.intents import Intent
from debug_loop_pipeline.models.mapping import ErrorSuccessMapping, MappingEvent, MappingState
from debug_loop_pipeline.models.token import TokenTransaction
from debug_loop_pipeline.onex import exploration
from debug_loop_pipeline.onex.units import Kind, Operation, Performance, StateMachine, Unit
from debug_loop_pipeline.reducers import error_success_mapping, golden_state_manager, token_balance
from debug_loop_pipeline.reducers.machine import Reduced, Transition

StateT = TypeVar("StateT")
_TARGET = Performance(p95_ms=100, source="DOMAIN 5: as a compute unit, which is what a pure reducer costs")


class Reduction(FrozenModel, Generic[StateT]):
    """The result of one action."""

    state: StateT
    intents: tuple[Intent, ...]
    transition: Transition
    applied: bool
    """False: the action was known already, nothing changed and nothing is asked for."""


class ReduceMapping(FrozenModel):
    """A mapping and what one more task says about it."""

    state: ErrorSuccessMapping
    action: MappingEvent


class ReducedMapping(Reduction[ErrorSuccessMapping]):
    """The mapping with it."""


class ReduceGoldenState(FrozenModel):
    """A golden state and an action on it."""

    state: GoldenState
    action: GoldenAction


class ReducedGoldenState(Reduction[GoldenState]):
    """The golden state after it."""


class ReduceBalance(FrozenModel):
    """An account and one more transaction."""

    state: token_balance.Account
    action: TokenTransaction


class ReducedBalance(Reduction[token_balance.Account]):
    """The account after it."""


def reduction(answer: type[Reduction[Any]]) -> Callable[[Any, Any], Reduction[Any]]:
    """The call of a reducer's one operation, with its result as `answer`."""

    def run(reducer: Any, request: Any) -> Reduction[Any]:
        made: Reduced[Any] = reducer.reduce(request.state, request.action)
        return answer(state=made.state, intents=made.intents, transition=made.transition, applied=made.applied)

    return run


def _unit(
    reducer: type, purpose: str, request: type[FrozenModel], answer: type[Reduction[Any]], machine: StateMachine
) -> Unit:
    return Unit(
        name=reducer.__name__,
        kind=Kind.REDUCER,
        purpose=purpose,
        module=reducer.__module__,
        entry=reducer.__name__,
        version="1.0.0",
        performance=_TARGET,
        operations=(Operation("reduce", request, answer, reduction(answer)),),
        request=request,
        answer=answer,
        build=reducer,
        machine=machine,
    )


REDUCER_UNITS = (
    _unit(
        error_success_mapping.ErrorSuccessMappingReducer,
        "Folds what the tasks say about an (error, change) pair: new, tracking, confident, deprecated.",
        ReduceMapping,
        ReducedMapping,
        StateMachine(
            MappingState, MappingState.NEW, error_success_mapping.LEGAL_TRANSITIONS, exploration.explore_mapping
        ),
    ),
    _unit(
        golden_state_manager.GoldenStateManagerReducer,
        "Nominates proven solutions and keeps what was decided about them: none, nominated, approved, rejected.",
        ReduceGoldenState,
        ReducedGoldenState,
        StateMachine(
            GoldenStatus, GoldenStatus.NONE, golden_state_manager.LEGAL_TRANSITIONS, exploration.explore_golden
        ),
    ),
    _unit(
        token_balance.TokenBalanceReducer,
        "Folds the transactions of an account into its balance: new, active, exhausted, overdrawn.",
        ReduceBalance,
        ReducedBalance,
        StateMachine(
            token_balance.AccountStatus,
            token_balance.AccountStatus.NEW,
            token_balance.LEGAL_TRANSITIONS,
            exploration.explore_balance,
        ),
    ),
)
