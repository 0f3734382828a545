"""A generated unit as a Dagster component: `dg scaffold defs debug_loop_pipeline.components.UnitComponent PATH --kind ... --purpose ...`.

Here: the asset made of a unit, and writing one by `onex.scaffold`. Not here: what a unit is (`onex`).
"""

import time
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import BaseModel, Field

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.onex.generated import load_unit
from debug_loop_pipeline.onex.scaffold import plan_unit, scaffold_unit
from debug_loop_pipeline.onex.units import Kind, Unit
from debug_loop_pipeline.resources.servers import PostgresResource

GROUP = "units"


class UnitParams(BaseModel):
    """What `dg scaffold` asks for."""

    kind: Kind = Field(description="compute, reducer, effect or orchestrator")
    purpose: str = Field(description='Such as "Score how risky a change is. Operations: score, explain."')
    name: str | None = Field(default=None, description="Its name; else made of the purpose's first words")


class UnitScaffolder(dg.Scaffolder[UnitParams]):
    """Writes a unit as `debug-loop new --graph` does."""

    @classmethod
    def get_scaffold_params(cls) -> type[UnitParams]:
        """The kind, the purpose and the name."""
        return UnitParams

    def scaffold(self, request: dg.ScaffoldRequest[UnitParams]) -> None:
        """Write the unit into the target's folder, whose name is its package's."""
        params = request.params
        plan = plan_unit(params.kind, params.purpose, params.name)
        scaffold_unit(plan, request.target_path.parent, package=request.target_path.name, graph=True)


@dg.scaffold_with(UnitScaffolder)
class UnitComponent(dg.Component, dg.Model, dg.Resolvable):
    """A unit of ours as an asset: materialised with a request as its config, it shows the answer."""

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The asset of the unit in this component's folder."""
        return unit_definitions(context.path)


class UnitConfig(dg.Config):
    """What a run asks the unit."""

    request: dict[str, Any] = Field(description="As the contract's input schema has it.")


def unit_definitions(folder: Path) -> dg.Definitions:
    """The definitions of the unit in a folder.

    Raises:
        NoUnitError: it holds none.
    """
    return dg.Definitions(assets=[unit_asset(load_unit(folder).unit)], resources={"postgres": PostgresResource()})


def unit_asset(unit: Unit) -> dg.AssetsDefinition:
    """The asset of a unit that needs a database or nothing."""

    @dg.asset(
        name=unit.slug,
        group_name=GROUP,
        description=unit.purpose,
        kinds={"python", unit.kind.value},
        code_version=unit.version,
    )
    def asset(config: UnitConfig, postgres: PostgresResource) -> dg.MaterializeResult[None]:
        instance = unit.build(*(_service(need, postgres) for need in unit.needs))
        started = time.perf_counter()
        answer = unit.run(instance, unit.parse(config.request))
        return dg.MaterializeResult(
            metadata={
                "answer": dg.MetadataValue.json(answer.model_dump(mode="json")),
                "seconds": time.perf_counter() - started,
            }
        )

    return asset


def _service(need: type, postgres: PostgresResource) -> Any:
    if need is Database:
        return postgres.database()
    raise TypeError(f"an asset of a unit has a Database to give, no {need.__name__}: give it where the unit is built")
