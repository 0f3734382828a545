"""ONEX contracts: made of the units' descriptions, written as YAML, and compared with what is written.

A contract says what the published models of omnibase-core can hold in their own fields; what they have no field for (JSON
Schema, operations, where the unit lives) is under `annotations`. Everything in it comes from code.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import yaml

from debug_loop_pipeline.effects.resilience import CircuitBreaker, RetryPolicy
from debug_loop_pipeline.onex.source import Module, Source
from debug_loop_pipeline.onex.units import Kind, StateMachine, Unit, qualified

CONTRACT_VERSION = "1.0.0"
ONEX_VERSION = "2.0"
_HEADER = "# Made from code by `{command}`; do not edit.\n"
COMMAND = "debug-loop onex contracts --write"
REACHED = "reached"
"""Of a state machine's conditions: the state that the reducer came to."""
Contract = dict[str, Any]

_CLIENTS = {"Database": "postgres", "Kafka": "kafka", "Valkey": "valkey"}
_ROOMS = ("compute", "effects", "reducers", "steps", "orchestrators")
_MILLISECONDS = 1_000


def contracts_folder() -> Path:
    """Where the contracts are: in an installed wheel beside the code, in a checkout beside the package."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_contracts"
    return installed if installed.is_dir() else package.parent / "contracts"


def contract_of(unit: Unit, source: Source, units: tuple[Unit, ...]) -> Contract:
    """The contract of a unit.

    Args:
        unit: the unit.
        source: the package's source, for what the unit is built on.
        units: all units: one that this one is built on is a dependency.
    """
    contract: Contract = {
        "name": unit.node_name,
        "contract_version": _version(CONTRACT_VERSION),
        "node_version": _version(unit.version),
        "description": unit.purpose,
        "node_type": f"{unit.kind.value.upper()}_GENERIC",
        "input_model": qualified(unit.request),
        "output_model": qualified(unit.answer),
        "performance": _performance(unit),
        "dependencies": _dependencies(unit, source, units),
        "tags": [unit.kind.value],
    }
    contract |= {
        Kind.COMPUTE: _compute,
        Kind.REDUCER: _reducer,
        Kind.EFFECT: _effect,
        Kind.ORCHESTRATOR: _orchestrator,
    }[unit.kind](unit)
    contract["annotations"] = {
        "onex_version": ONEX_VERSION,
        "unit": f"{unit.module}:{unit.entry}",
        "target": unit.performance.source,
        "capabilities": [operation.name for operation in unit.operations],
        "operations": [
            {
                "name": operation.name,
                "input_model": qualified(operation.request),
                "output_model": qualified(operation.answer),
            }
            for operation in unit.operations
        ],
        "input_schema": unit.request.model_json_schema(),
        "output_schema": unit.answer.model_json_schema(mode="serialization"),
    } | _clients(unit)
    return contract


def as_yaml(contract: Contract, command: str = COMMAND) -> str:
    """The text of a contract."""
    text: str = yaml.dump(contract, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=130)
    return _HEADER.format(command=command) + text


def read_contract(path: Path) -> Contract:
    """A contract as it is written.

    Raises:
        ValueError: the file is not YAML, or not a mapping.
    """
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {error}") from error
    if not isinstance(found, dict):
        raise ValueError("not a mapping")
    return found


def write_contracts(units: tuple[Unit, ...], source: Source, folder: Path) -> list[Path]:
    """Write what differs and remove what has no unit; the files that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for unit in units:
        path = folder / f"{unit.slug}.yaml"
        text = as_yaml(contract_of(unit, source, units))
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    for path in sorted(folder.glob("*.yaml")):
        if path.stem not in {unit.slug for unit in units}:
            path.unlink()
            changed.append(path)
    return changed


def export_nodes(units: tuple[Unit, ...], source: Source, folder: Path) -> list[Path]:
    """Write each unit as the `onex` command looks for it: a folder with `contract.yaml` and `handler.py`; the folders."""
    written = []
    for unit in units:
        node = folder / f"node_{unit.slug}"
        node.mkdir(parents=True, exist_ok=True)
        (node / "contract.yaml").write_text(as_yaml(contract_of(unit, source, units)), encoding="utf-8")
        (node / "handler.py").write_text(_HANDLER.format(name=unit.node_name, purpose=unit.purpose), encoding="utf-8")
        written.append(node)
    return written


_HANDLER = '''"""{name}: {purpose}"""

from debug_loop_pipeline.onex.nodes import {name}

__all__ = ["{name}"]
'''


class _Plain(yaml.CSafeDumper):
    """Without anchors: each part of a contract is read where it stands."""

    def ignore_aliases(self, data: Any) -> bool:
        """Always."""
        return True


def _version(text: str) -> dict[str, int]:
    major, minor, patch = (int(part) for part in text.split("."))
    return {"major": major, "minor": minor, "patch": patch}


def _performance(unit: Unit) -> Contract:
    told: Contract = {"single_operation_max_ms": unit.performance.p95_ms}
    if unit.performance.per_second is not None:
        told["throughput_min_ops_per_second"] = unit.performance.per_second
    return told


def _dependencies(unit: Unit, source: Source, units: tuple[Unit, ...]) -> list[Contract]:
    """What has to be given to it, then the units it is built on."""
    given = [
        {"name": need.__name__, "module": need.__module__, "dependency_type": "service", "required": True}
        for need in unit.needs
    ]
    used = {imported.full for module in _reach(unit, source, units) for imported in module.imports}
    built_on = [
        {"name": other.node_name, "module": other.module, "dependency_type": "module", "required": True}
        for other in units
        if other is not unit and _uses(used, other)
    ]
    return given + built_on


def _uses(used: set[str], other: Unit) -> bool:
    """Whether a unit is among what is imported: any function of a compute unit, of the others the class itself."""
    if other.kind is Kind.COMPUTE:
        return any(name == other.module or name.startswith(f"{other.module}.") for name in used)
    return f"{other.module}.{other.entry}" in used


def _reach(unit: Unit, source: Source, units: tuple[Unit, ...]) -> list[Module]:
    """The unit's module and those it is made of, other units left out: what they are built on is theirs."""
    others = frozenset(other.module for other in units) - {unit.module}
    return source.closure(unit.module, _ROOMS, stop=others)


def _compute(unit: Unit) -> Contract:
    return {
        "deterministic_execution": True,
        "algorithm": {
            "algorithm_type": unit.slug,
            "factors": {name: {"weight": weight, "calculation_method": name} for name, weight in unit.weights.items()},
        },
    }


def _reducer(unit: Unit) -> Contract:
    if unit.machine is None:
        return {}
    return {"order_preserving": True, "state_machine": _machine(unit, unit.machine)}


def _machine(unit: Unit, machine: StateMachine) -> Contract:
    version = _version(unit.version)
    order = [state.value for state in machine.states]
    transitions = sorted(machine.transitions, key=lambda t: (order.index(t[0]), t[1], order.index(t[2])))
    return {
        "version": version,
        "state_machine_name": unit.slug,
        "state_machine_version": version,
        "description": unit.purpose,
        "initial_state": machine.initial.value,
        "terminal_states": list(machine.terminal),
        "states": [
            {
                "version": version,
                "state_name": state.value,
                "state_type": "terminal" if state.value in machine.terminal else "operational",
                "description": f"{machine.states.__name__}.{state.name}",
                "is_terminal": state.value in machine.terminal,
                "is_recoverable": state.value not in machine.terminal,
            }
            for state in machine.states
        ],
        "transitions": [
            {
                "version": version,
                "transition_name": f"{before}__{action}__{after}",
                "from_state": before,
                "trigger": action,
                "to_state": after,
                # Of those that one action may make, the reached state tells which: priorities only have to differ.
                "priority": order.index(after),
                "conditions": [
                    {
                        "version": version,
                        "condition_name": f"reached_{after}",
                        "condition_type": "expression",
                        "expression": f"{REACHED} equals {after}",
                        "required": True,
                    }
                ],
            }
            for before, action, after in transitions
        ],
        "persistence_enabled": False,
        "recovery_enabled": False,
        "rollback_enabled": False,
    }


def _effect(unit: Unit) -> Contract:
    database = next(need for need in unit.needs if need.__name__ == "Database")
    policy = _policy(database)
    threshold, cooldown_s = _breaker()
    return {
        "io_operations": [
            {"operation_type": operation.name, "atomic": True, "timeout_seconds": int(policy.timeout_s)}
            for operation in unit.operations
        ],
        "retry_policies": {
            "max_attempts": policy.attempts,
            "backoff_strategy": "exponential",
            "base_delay_ms": int(policy.wait_initial_s * _MILLISECONDS),
            "max_delay_ms": int(policy.wait_max_s * _MILLISECONDS),
            "jitter_enabled": policy.wait_jitter_s > 0,
            "circuit_breaker_enabled": True,
            "circuit_breaker_threshold": threshold,
            "circuit_breaker_timeout_s": int(cooldown_s),
        },
    }


def _orchestrator(unit: Unit) -> Contract:
    chain = list(zip(unit.steps, [(), *((step,) for step in unit.steps)], strict=False))
    return {
        "workflow_coordination": {
            "execution_mode": "sequential",
            "checkpoint_enabled": False,
            "state_persistence_enabled": False,
            "rollback_enabled": False,
            "workflow_definition": {
                "workflow_metadata": {"workflow_name": unit.slug, "description": unit.purpose},
                "execution_graph": {
                    "nodes": [
                        {"node_id": step, "node_type": "ORCHESTRATOR_INTERNAL", "depends_on": list(before)}
                        for step, before in chain
                    ]
                },
            },
        }
    }


def _clients(unit: Unit) -> Contract:
    """How each server that a unit talks to is called."""
    threshold, cooldown_s = _breaker()
    clients = {}
    for need in unit.needs:
        if need.__name__ in _CLIENTS:
            policy = _policy(need)
            clients[_CLIENTS[need.__name__]] = {
                "attempts": policy.attempts,
                "timeout_s": policy.timeout_s,
                "breaker_opens_after": threshold,
                "breaker_half_open_after_s": cooldown_s,
            }
    return {"clients": clients} if clients else {}


def _policy(client: type) -> RetryPolicy:
    """The policy a client retries by where it is not told another."""
    policy = inspect.signature(client).parameters["policy"].default
    return policy if isinstance(policy, RetryPolicy) else RetryPolicy()


def _breaker() -> tuple[int, float]:
    parameters = inspect.signature(CircuitBreaker).parameters
    return parameters["threshold"].default, parameters["cooldown_s"].default
