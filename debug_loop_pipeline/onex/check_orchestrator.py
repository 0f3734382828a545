"""Orchestrators: they put in order what they are given, and their contract names the same steps as their code."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from debug_loop_pipeline.onex.check_effect import TIMEOUTS
from debug_loop_pipeline.onex.findings import Finding, Rule, at
from debug_loop_pipeline.onex.source import PACKAGE, Module, Source
from debug_loop_pipeline.onex.units import Unit

_EFFECTS = f"{PACKAGE}.effects."
_SERVERS = frozenset(
    f"{PACKAGE}.{name}"
    for name in (
        "effects.postgres.Database",
        "effects.kafka.Kafka",
        "effects.valkey.Valkey",
        "settings.Settings",
        "settings.get_settings",
        "settings.load_settings",
        "steps.ledger.open_ledger",
    )
)
_CLOCKS = frozenset({"datetime.datetime.now", "datetime.datetime.utcnow", "datetime.date.today", "time.time"})
_FOREIGN = frozenset(
    {"kafka", "os", "psycopg2", "random", "redis", "requests", "secrets", "socket", "sqlalchemy", "subprocess"}
)


def check_orchestrator(unit: Unit, source: Source) -> Iterator[Finding]:
    """Every breach of the rules of orchestrators."""
    module = source.module(unit.module)
    definition = None if module is None else module.definition(unit.entry)
    if module is None or definition is None:
        yield Finding(unit.name, Rule.NAME, f"{unit.module} has no {unit.entry}", unit.module)
        return
    yield from _own_io(unit, module)
    yield from _constructed(unit, module)
    yield from _clocks(unit, module)
    named = step_names(module)
    if named != set(unit.steps):
        differing = ", ".join(sorted(named ^ set(unit.steps)))
        yield Finding(
            unit.name,
            Rule.ORCHESTRATOR_STEPS,
            f"its contract and its code differ in the steps {differing}",
            at(module, definition),
        )


def step_names(module: Module) -> set[str]:
    """The steps that a module names: first of a (name, work) pair in a list or tuple, or first argument of `run_step`."""
    pairs = {
        pair.elts[0].value
        for node in module.nodes
        if isinstance(node, ast.List | ast.Tuple)
        for pair in node.elts
        if isinstance(pair, ast.Tuple) and len(pair.elts) == 2 and isinstance(pair.elts[0], ast.Constant)
    }
    named = {
        call.args[0].value
        for call in module.calls
        if isinstance(call.func, ast.Name) and call.func.id == "run_step" and call.args
        if isinstance(call.args[0], ast.Constant)
    }
    return {name for name in pairs | named if isinstance(name, str)}


def _own_io(unit: Unit, module: Module) -> Iterator[Finding]:
    for imported in module.imports:
        if imported.module.split(".")[0] in _FOREIGN:
            yield Finding(unit.name, Rule.ORCHESTRATOR_INJECTED, f"imports {imported.full}", at(module, imported.line))
    for call in module.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("execute", "exec_driver_sql"):
            yield Finding(unit.name, Rule.ORCHESTRATOR_INJECTED, "runs SQL itself", at(module, call))


def _constructed(unit: Unit, module: Module) -> Iterator[Finding]:
    for call in module.calls:
        name = module.resolve(call.func) or ""
        if name in _SERVERS or name in TIMEOUTS:
            yield Finding(unit.name, Rule.ORCHESTRATOR_INJECTED, f"makes {name} itself", at(module, call))
        elif name.startswith(_EFFECTS) and name.rpartition(".")[2][:1].isupper() and not _from_given(call):
            yield Finding(
                unit.name, Rule.ORCHESTRATOR_INJECTED, f"makes {name} of nothing that was given to it", at(module, call)
            )


def _from_given(call: ast.Call) -> bool:
    """Whether an argument is, or is part of, something with a name: a parameter, or what a parameter became."""
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(isinstance(node, ast.Name) for value in values for node in ast.walk(value))


def _clocks(unit: Unit, module: Module) -> Iterator[Finding]:
    """A clock may be the default of a parameter; nothing reads another."""
    defaults = {
        part
        for function in module.nodes
        if isinstance(function, ast.FunctionDef)
        for default in [*function.args.defaults, *function.args.kw_defaults]
        if default is not None
        for part in ast.walk(default)
    }
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and node not in defaults and module.resolve(node) in _CLOCKS:
            yield Finding(
                unit.name, Rule.ORCHESTRATOR_INJECTED, f"reads the clock by {ast.unparse(node)}", at(module, node)
            )
