"""Units outside of the package: a folder each, as `debug-loop new` writes it (handler, models, unit, contract).

A unit's folder is a package; `unit.py` in it has `UNIT`. Loading one imports it: it is the user's own code.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module, invalidate_caches
from pathlib import Path

from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.onex.check import Checked, Checker, package_root
from debug_loop_pipeline.onex.contracts import as_yaml, contract_of
from debug_loop_pipeline.onex.registry import UNITS
from debug_loop_pipeline.onex.source import Source
from debug_loop_pipeline.onex.units import Unit

CONTRACT = "contract.yaml"
WRITE = "debug-loop onex contracts --write --units {folder}"


@dataclass(frozen=True, slots=True)
class GeneratedUnit:
    """A unit and its folder."""

    unit: Unit
    folder: Path

    @property
    def contract(self) -> Path:
        """Its contract's file."""
        return self.folder / CONTRACT

    @property
    def source(self) -> Source:
        """The package's source with the unit's own modules."""
        modules = {f"{self.folder.name}.{path.stem}": path for path in self.folder.glob("*.py")}
        return Source(package_root(), modules)


class NoUnitError(DebugLoopError):
    """A folder holds no unit."""


def load_unit(folder: Path) -> GeneratedUnit:
    """Import the unit in a folder.

    Raises:
        NoUnitError: there is none, or it cannot be imported.
    """
    folder = folder.resolve()
    if not (folder / "unit.py").is_file():
        raise NoUnitError(f"{folder} has no unit.py: `debug-loop new` writes one")
    # Anew each time: it may have been filled in since, or be of another folder that has the same name.
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        del sys.modules[name]
    invalidate_caches()
    sys.path.insert(0, str(folder.parent))
    try:
        unit = getattr(import_module(f"{folder.name}.unit"), "UNIT", None)
    except Exception as error:
        raise NoUnitError(f"{folder / 'unit.py'} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(folder.parent))
    if not isinstance(unit, Unit):
        raise NoUnitError(f"{folder / 'unit.py'} has no UNIT")
    return GeneratedUnit(unit, folder)


def load_units(folder: Path) -> list[GeneratedUnit]:
    """Every unit in a folder of units, or the one of a unit's own folder.

    Raises:
        NoUnitError: there is none.
    """
    folders = [folder] if (folder / "unit.py").is_file() else sorted(path.parent for path in folder.glob("*/unit.py"))
    if not folders:
        raise NoUnitError(f"{folder} holds no unit: `debug-loop new` writes one")
    return [load_unit(found) for found in folders]


def check_generated(generated: GeneratedUnit) -> Checked:
    """A unit against the rules of its kind and its contract."""
    return Checker((*UNITS, generated.unit), generated.source).one(generated.unit, generated.contract)


def write_contract(generated: GeneratedUnit) -> bool:
    """Write the contract where it differs; whether it did."""
    contract = contract_of(generated.unit, generated.source, (*UNITS, generated.unit))
    text = as_yaml(contract, WRITE.format(folder=generated.folder.name))
    if generated.contract.is_file() and generated.contract.read_text(encoding="utf-8") == text:
        return False
    generated.contract.write_text(text, encoding="utf-8")
    return True
