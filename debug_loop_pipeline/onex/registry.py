"""The twenty units (DOMAIN section 2)."""

from __future__ import annotations

from debug_loop_pipeline.onex.compute_units import COMPUTE_UNITS
from debug_loop_pipeline.onex.economy_units import ECONOMY_UNITS
from debug_loop_pipeline.onex.effect_units import EFFECT_UNITS
from debug_loop_pipeline.onex.orchestrator_units import ORCHESTRATOR_UNITS
from debug_loop_pipeline.onex.reducer_units import REDUCER_UNITS
from debug_loop_pipeline.onex.units import Unit, UnknownOperationError

UNITS: tuple[Unit, ...] = (*EFFECT_UNITS, *COMPUTE_UNITS, *ECONOMY_UNITS, *REDUCER_UNITS, *ORCHESTRATOR_UNITS)


def unit_named(name: str) -> Unit:
    """The unit of a name, with `Node` before it or without.

    Raises:
        UnknownOperationError: there is none.
    """
    for unit in UNITS:
        if name in (unit.name, unit.node_name):
            return unit
    raise UnknownOperationError(f"no unit is named {name}; there are {', '.join(unit.name for unit in UNITS)}")
