"""What all state machines share: the result of applying an action, and the error for an action that does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from debug_loop_pipeline.models.intents import Intent

StateT = TypeVar("StateT")


TransitionTable = frozenset[tuple[str, str, str]]
"""Every (from state, action, to state) that a machine can make."""


class IllegalActionError(ValueError):
    """An action that the state does not allow. Names both."""

    def __init__(self, state: StrEnum | str, action: StrEnum | str, reason: str) -> None:
        super().__init__(f"action {action} is illegal in state {state}: {reason}")
        self.state = str(state)
        self.action = str(action)
        self.reason = reason


class UndeclaredTransitionError(RuntimeError):
    """A machine made a transition that its table does not have: the machine or the table is wrong, not the action."""


@dataclass(frozen=True, slots=True)
class Transition:
    """From which state to which an action led; the same one twice when the state did not change."""

    action: str
    from_state: str
    to_state: str

    @property
    def changed(self) -> bool:
        """Whether the machine is in another state than before."""
        return self.from_state != self.to_state


@dataclass(frozen=True, slots=True)
class Reduced(Generic[StateT]):
    """Result of one action. `applied` False: the action was known already, nothing changed and nothing is asked for."""

    state: StateT
    intents: tuple[Intent, ...]
    transition: Transition
    applied: bool = True


def transition(table: TransitionTable, before: StrEnum, action: StrEnum | str, after: StrEnum) -> Transition:
    """The transition that an action made.

    Raises:
        UndeclaredTransitionError: the table does not have it.
    """
    made = (before.value, str(action), after.value)
    if made not in table:
        raise UndeclaredTransitionError(f"{made[1]} led from {made[0]} to {made[2]}, which the table does not have")
    return Transition(made[1], made[0], made[2])


def repeated(state: StateT, status: StrEnum, action: StrEnum | str) -> Reduced[StateT]:
    """The result of an action that was applied before: nothing changes."""
    return Reduced(state, (), Transition(str(action), status.value, status.value), applied=False)
