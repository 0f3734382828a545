"""A unit as a Dagster component: scaffolded, loaded from its defs.yaml, materialised."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster.components.testing import create_defs_folder_sandbox

from debug_loop_pipeline.components import UnitComponent
from debug_loop_pipeline.definitions import build_defs
from debug_loop_pipeline.onex.scaffold import plan_unit, scaffold_unit
from debug_loop_pipeline.onex.units import Kind

PARAMS: Mapping[str, Any] = {"kind": "compute", "purpose": "Shout a text. Operations: shout.", "name": "Shout"}


# Dagster's own way of reading a defs.yaml.
@pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")
def test_a_scaffolded_unit_loads_from_its_yaml_and_answers_a_run() -> None:
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(
            component_cls=UnitComponent, scaffold_params=dict(PARAMS), defs_path="shouting"
        )
        handler = path / "handler.py"
        body = '    raise NotImplementedError("write shout in handler.py")\n'
        handler.write_text(
            handler.read_text().replace(body, "    return ShoutAnswer(result=request.subject.upper())\n")
        )
        with sandbox.load_component_and_build_defs(defs_path=path) as (component, defs):
            assert isinstance(component, UnitComponent)
            [asset] = [a for a in defs.assets or [] if isinstance(a, dg.AssetsDefinition)]
            assert asset.key.to_user_string() == "shout_compute"
            result = dg.materialize(
                [asset],
                resources=dict(defs.resources or {}),
                run_config={"ops": {"shout_compute": {"config": {"request": {"subject": "hello"}}}}},
            )
    [event] = result.asset_materializations_for_node("shout_compute")
    assert event.metadata["answer"].value == {"result": "HELLO"}


def test_a_unit_that_is_wanted_in_the_graph_is_an_asset_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaffold_unit(plan_unit(Kind.EFFECT, "Keep notes.", "Wired"), tmp_path, graph=True)
    scaffold_unit(plan_unit(Kind.EFFECT, "Keep notes.", "Apart"), tmp_path)
    monkeypatch.setenv("DEBUG_LOOP_UNITS_FOLDER", str(tmp_path))
    names = {key.to_user_string() for key in build_defs().resolve_asset_graph().get_all_asset_keys()}
    assert "wired_effect" in names
    assert "apart_effect" not in names
