"""State machines: their shape, read; their transitions and states, by driving them.

Driving is exhaustive up to a depth (`exploration`): the machines are pure, and refuse a transition that their table does not have.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from debug_loop_pipeline.onex.findings import Finding, Rule, at
from debug_loop_pipeline.onex.source import PACKAGE, Module, Source
from debug_loop_pipeline.onex.units import StateMachine, Unit
from debug_loop_pipeline.reducers.machine import UndeclaredTransitionError

_MACHINE = f"{PACKAGE}.reducers.machine"
_INTENTS = f"{PACKAGE}.models.intents"


def check_reducer(unit: Unit, source: Source) -> Iterator[Finding]:
    """Every breach of the rules of reducers, but for purity."""
    module = source.module(unit.module)
    reducer = None if module is None else module.definition(unit.entry)
    if module is None or not isinstance(reducer, ast.ClassDef):
        yield Finding(unit.name, Rule.REDUCER_SHAPE, f"{unit.module} has no class {unit.entry}", unit.module)
        return
    yield from _shape(unit, module, reducer)
    yield from _transitions_made(unit, module)
    if unit.machine is None:
        yield Finding(unit.name, Rule.REDUCER_SHAPE, "its description has no state machine", at(module, reducer))
        return
    yield from _table(unit, module, unit.machine)


def _shape(unit: Unit, module: Module, reducer: ast.ClassDef) -> Iterator[Finding]:
    methods = {node.name: node for node in reducer.body if isinstance(node, ast.FunctionDef)}
    reduce = methods.get("reduce")
    if reduce is None or reduce.returns is None or not ast.unparse(reduce.returns).startswith("Reduced["):
        yield Finding(
            unit.name, Rule.REDUCER_SHAPE, "has no reduce(...) -> Reduced[...]", at(module, reduce or reducer)
        )
    if not any(imported.full.startswith(_INTENTS) for imported in module.imports):
        yield Finding(unit.name, Rule.REDUCER_SHAPE, "asks for nothing: it knows no intent", at(module, reducer))
    for name, method in methods.items():
        if name == "__init__":
            continue
        for node in ast.walk(method):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
                yield Finding(unit.name, Rule.REDUCER_SHAPE, f"{name} assigns {ast.unparse(node)}", at(module, node))


def _transitions_made(unit: Unit, module: Module) -> Iterator[Finding]:
    """A transition made by hand would not be held against the table."""
    for call in module.calls:
        name = module.resolve(call.func)
        if name == f"{_MACHINE}.Transition":
            yield Finding(
                unit.name, Rule.REDUCER_TRANSITION, "makes a Transition that no table is asked about", at(module, call)
            )
    if not any(module.resolve(call.func) == f"{_MACHINE}.transition" for call in module.calls):
        yield Finding(
            unit.name,
            Rule.REDUCER_TRANSITION,
            "does not hold its transitions against a table (`machine.transition`)",
            at(module, 1),
        )


def _table(unit: Unit, module: Module, machine: StateMachine) -> Iterator[Finding]:
    states = {state.value for state in machine.states}
    where = at(module, 1)
    for before, action, after in sorted(machine.transitions):
        for state in {before, after} - states:
            yield Finding(
                unit.name,
                Rule.REDUCER_TRANSITION,
                f"declares {before} -{action}-> {after}, but {state} is no state",
                where,
            )
    try:
        made = machine.explore()
    except UndeclaredTransitionError as error:
        yield Finding(unit.name, Rule.REDUCER_TRANSITION, f"made an undeclared transition: {error}", where)
        return
    for before, action, after in sorted(made - machine.transitions):
        yield Finding(
            unit.name, Rule.REDUCER_TRANSITION, f"made an undeclared transition: {before} -{action}-> {after}", where
        )
    reached = {machine.initial.value, *(after for _, _, after in made)}
    for state in sorted(states - reached):
        yield Finding(unit.name, Rule.REDUCER_STATE, f"never comes to the state {state}", where)
