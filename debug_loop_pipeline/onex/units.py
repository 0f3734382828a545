"""What a unit is: name, kind, where it lives, its operations with the models that go in and come out.

A unit's own function takes what suits Python; an operation's request is the same as one model, which is what a contract can
describe and a node can be given. `Operation.run` is the whole of the difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, get_args

from pydantic import BaseModel

from debug_loop_pipeline.errors import DebugLoopError


class Kind(StrEnum):
    """The four kinds of unit (DOMAIN section 1)."""

    COMPUTE = "compute"
    REDUCER = "reducer"
    EFFECT = "effect"
    ORCHESTRATOR = "orchestrator"

    @property
    def suffix(self) -> str:
        """How the name of such a unit ends."""
        return self.value.capitalize()


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing a unit does. `run(instance, request)` returns the answer; the instance of a compute unit is None."""

    name: str
    request: type[BaseModel]
    answer: type[BaseModel]
    run: Callable[[Any, Any], BaseModel]


@dataclass(frozen=True, slots=True)
class Performance:
    """What a unit is held to (DOMAIN section 5)."""

    p95_ms: int
    """One operation."""
    per_second: float | None = None
    source: str = "DOMAIN 5"


@dataclass(frozen=True, slots=True)
class StateMachine:
    """The machine of a reducer."""

    states: type[StrEnum]
    initial: StrEnum
    transitions: frozenset[tuple[str, str, str]]
    explore: Callable[[], frozenset[tuple[str, str, str]]]
    """Drives the machine from nothing with actions of every kind and tells each transition it made."""

    @property
    def terminal(self) -> tuple[str, ...]:
        """States that nothing leads out of."""
        left = {before for before, _, _ in self.transitions}
        return tuple(state.value for state in self.states if state.value not in left)


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit."""

    name: str
    kind: Kind
    purpose: str
    module: str
    """Where it lives."""
    entry: str
    """Its function or class there."""
    version: str
    """Semantic version of what it does."""
    performance: Performance
    operations: tuple[Operation, ...]
    request: type[BaseModel]
    """Of the contract: one operation's request, or the union of all."""
    answer: type[BaseModel]
    needs: tuple[type, ...] = ()
    """What `build` takes, each found by its type in a container."""
    build: Callable[..., Any] = field(default=lambda: None)
    weights: Mapping[str, float] = field(default_factory=dict)
    """Of a compute unit that weighs: factor -> weight, from its code."""
    machine: StateMachine | None = None
    steps: tuple[str, ...] = ()
    """Of an orchestrator: what it does, in order."""

    @property
    def node_name(self) -> str:
        """The ONEX name."""
        return f"Node{self.name}"

    @property
    def slug(self) -> str:
        """The name in snake case: of the contract's file."""
        return snake_case(self.name)

    def operation(self, request: BaseModel) -> Operation:
        """The operation that a request asks for.

        Raises:
            UnknownOperationError: no operation of this unit takes such a request.
        """
        for operation in self.operations:
            if type(request) is operation.request:
                return operation
        raise UnknownOperationError(
            f"{self.name} takes {', '.join(o.request.__name__ for o in self.operations)}, not {type(request).__name__}"
        )

    def parse(self, data: Any) -> BaseModel:
        """The request in some data (a request itself, or what its JSON says).

        Raises:
            ValidationError: it is none.
        """
        if isinstance(data, BaseModel) and type(data) in {operation.request for operation in self.operations}:
            return data
        parsed = self.request.model_validate(data)
        root = getattr(parsed, "root", parsed)
        return root if isinstance(root, BaseModel) else parsed

    def run(self, instance: Any, request: BaseModel) -> BaseModel:
        """The answer to a request."""
        return self.operation(request).run(instance, request)


class UnknownOperationError(DebugLoopError):
    """A unit was asked for something it does not do."""


_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """`STFHashCompute` -> `stf_hash_compute`."""
    return _WORD_START.sub("_", name).lower()


def qualified(model: type[BaseModel]) -> str:
    """Module and name of a model."""
    return f"{model.__module__}.{model.__qualname__}"


def members(model: type[BaseModel]) -> tuple[type[BaseModel], ...]:
    """The models of a union (`RootModel`), or the model itself."""
    root = model.model_fields.get("root")
    if root is None:
        return (model,)
    return tuple(part for part in get_args(root.annotation) if isinstance(part, type) and issubclass(part, BaseModel))
