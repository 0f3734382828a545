"""`debug-loop onex check`: every unit against the rules of its kind, and against its contract."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debug_loop_pipeline.onex.check_effect import check_effect
from debug_loop_pipeline.onex.check_orchestrator import check_orchestrator
from debug_loop_pipeline.onex.check_purity import Purity
from debug_loop_pipeline.onex.check_reducer import check_reducer
from debug_loop_pipeline.onex.contracts import contract_of, read_contract
from debug_loop_pipeline.onex.findings import Finding, Rule, at
from debug_loop_pipeline.onex.source import Source
from debug_loop_pipeline.onex.units import Kind, Unit, snake_case

_ROOM_OF = {Kind.REDUCER: "reducers", Kind.ORCHESTRATOR: "orchestrators"}


@dataclass(frozen=True, slots=True)
class Checked:
    """One unit, and what is wrong with it."""

    unit: str
    kind: Kind | None
    """None for a contract or class that is no unit."""
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Nothing is."""
        return not self.findings


def package_root() -> Path:
    """The folder that holds the package this code is of."""
    return Path(__file__).resolve().parent.parent.parent


class Checker:
    """The check of some units.

    Args:
        units: all of them: one may be built on another.
        source: where their code is read.
    """

    def __init__(self, units: tuple[Unit, ...], source: Source) -> None:
        self._units = units
        self._source = source
        self._purity = Purity(source)

    def all(self, contracts: Path) -> list[Checked]:
        """Every unit, then what is no unit and looks like one. `contracts` is the folder of the contracts."""
        results = [self.one(unit, contracts / f"{unit.slug}.yaml") for unit in self._units]
        known = {unit.slug for unit in self._units}
        strays = [
            Finding(path.stem, Rule.CONTRACT, "a contract without a unit", path.name)
            for path in sorted(contracts.glob("*.yaml"))
            if path.stem not in known
        ]
        strays += _unregistered(self._units, self._source)
        return results + [Checked(finding.unit, None, (finding,)) for finding in strays]

    def one(self, unit: Unit, contract: Path) -> Checked:
        """One unit against the rules of its kind, its name and its contract."""
        findings = (
            *check_name(unit, self._source),
            *self.kind(unit),
            *check_contract(unit, contract, lambda: contract_of(unit, self._source, self._units)),
        )
        return Checked(unit.name, unit.kind, findings)

    def kind(self, unit: Unit) -> Iterator[Finding]:
        """One unit against the rules of its kind."""
        match unit.kind:
            case Kind.COMPUTE:
                yield from self._purity.check(unit)
            case Kind.REDUCER:
                yield from self._purity.check(unit)
                yield from check_reducer(unit, self._source)
            case Kind.EFFECT:
                yield from check_effect(unit, self._source)
            case Kind.ORCHESTRATOR:
                yield from check_orchestrator(unit, self._source)


def check_name(unit: Unit, source: Source) -> Iterator[Finding]:
    """The name's end says the kind, the module follows the name, and the entry is there."""
    if not unit.name.endswith(unit.kind.suffix):
        yield Finding(
            unit.name, Rule.NAME, f"the name of this {unit.kind} does not end with {unit.kind.suffix}", unit.module
        )
    file = unit.module.rpartition(".")[2]
    if file not in (unit.slug, snake_case(unit.name.removesuffix(unit.kind.suffix)), "handler"):
        yield Finding(unit.name, Rule.NAME, f"its module is named {file}", unit.module)
    module = source.module(unit.module)
    if module is None:
        yield Finding(unit.name, Rule.NAME, "its module is not there", unit.module)
        return
    definition = module.definition(unit.entry)
    if definition is None:
        yield Finding(unit.name, Rule.NAME, f"{unit.entry} is not defined there", unit.module)
    elif unit.kind is not Kind.COMPUTE and unit.entry != unit.name:
        yield Finding(unit.name, Rule.NAME, f"its class is named {unit.entry}", at(module, definition))


def check_contract(unit: Unit, path: Path, wanted: Callable[[], dict[str, Any]]) -> Iterator[Finding]:
    """The contract is there, and says what the code says."""
    if not path.is_file():
        yield Finding(unit.name, Rule.CONTRACT, "has no contract", path.name)
        return
    try:
        written = read_contract(path)
    except ValueError as error:
        yield Finding(unit.name, Rule.CONTRACT, f"its contract is {error}", path.name)
        return
    for place, ours, theirs in _differences(wanted(), written):
        yield Finding(unit.name, Rule.CONTRACT, f"{place}: the code says {ours}, the contract {theirs}", path.name)


def _differences(code: Any, written: Any, place: str = "") -> Iterator[tuple[str, str, str]]:
    """Where two contracts differ; of a mapping or list that differs in several places each one."""
    if isinstance(code, dict) and isinstance(written, dict):
        for key in [*code, *(key for key in written if key not in code)]:
            yield from _differences(code.get(key, _MISSING), written.get(key, _MISSING), f"{place}.{key}".lstrip("."))
    elif isinstance(code, list | tuple) and isinstance(written, list) and len(code) == len(written):
        for number, (one, other) in enumerate(zip(code, written, strict=True)):
            yield from _differences(one, other, f"{place}[{number}]")
    elif code != written:
        yield place, _short(code), _short(written)


_MISSING = object()


def _short(value: Any) -> str:
    if value is _MISSING:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _unregistered(units: tuple[Unit, ...], source: Source) -> Iterator[Finding]:
    """Classes named as units of a kind that the registry does not have."""
    known = {unit.entry for unit in units}
    for kind, room in _ROOM_OF.items():
        for module in source.folder(room):
            for node in module.tree.body:
                if isinstance(node, ast.ClassDef) and node.name.endswith(kind.suffix) and node.name not in known:
                    yield Finding(node.name, Rule.CONTRACT, f"a {kind} without a contract", at(module, node))
