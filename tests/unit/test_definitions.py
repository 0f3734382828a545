"""What is declared: every asset with all it needs to be understood in the UI, and definitions that load anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml

import debug_loop_pipeline
from debug_loop_pipeline.assets import debug_intelligence, execution_events
from debug_loop_pipeline.checks.debug_intelligence import ALL_CHECKS, CHECKS
from debug_loop_pipeline.definitions import build_defs, debug_intelligence_job, defs, price_job
from debug_loop_pipeline.effects.schema_columns import table_columns
from debug_loop_pipeline.settings import Settings

PROJECT = Path(__file__).parents[2]
DAILY = {*debug_intelligence.REFRESHABLE, debug_intelligence.CLOSING}


def code_locations() -> list[str]:
    """The modules that the workspace file and the project file name."""
    workspace = yaml.safe_load((PROJECT / "workspace.yaml").read_text(encoding="utf-8"))
    modules = [entry["python_module"]["module_name"] for entry in workspace["load_from"]]
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    return sorted({*modules, project["tool"]["dagster"]["module_name"]})


def lacking(spec: dg.AssetSpec) -> list[str]:
    """What an asset spec does not say."""
    columns = spec.metadata.get("dagster/column_schema")
    has = {
        "owner": bool(spec.owners),
        "kinds": bool(spec.kinds),
        "group": spec.group_name not in (None, "default"),
        "description": bool(spec.description) and len(spec.description or "") > 30,
        "code_version": bool(spec.code_version),
        "column schema": isinstance(columns, dg.TableSchema) and bool(columns.columns),
        "table name": bool(spec.metadata.get("dagster/table_name")),
    }
    return [what for what, there in has.items() if not there]


def test_every_asset_says_all_that_the_ui_shows() -> None:
    specs = defs.resolve_all_asset_specs()
    assert {spec.key.to_user_string(): missing for spec in specs if (missing := lacking(spec))} == {}
    of_part_1 = {spec.key.to_user_string() for spec in specs if spec.group_name == debug_intelligence.GROUP}
    assert of_part_1 == DAILY | {"model_price_catalog", execution_events.EVENTS}


def test_an_asset_that_says_nothing_is_found_out() -> None:
    assert len(lacking(dg.AssetSpec("bare"))) == 7


def test_the_columns_of_an_asset_are_those_of_its_table() -> None:
    for spec in defs.resolve_all_asset_specs():
        table = spec.metadata["dagster/table_name"]
        shown = [column.name for column in spec.metadata["dagster/column_schema"].columns]
        assert shown == [name for name, _, _ in table_columns()[table]], table


def test_no_column_that_an_asset_shows_is_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_LOOP_ECONOMY_ENABLED", "true")
    without = [
        f"{spec.metadata['dagster/table_name']}.{column.name}"
        for spec in build_defs().resolve_all_asset_specs()
        for column in spec.metadata["dagster/column_schema"].columns
        if not column.description
    ]
    assert without == []


def test_every_daily_asset_takes_a_range_in_one_run_and_bounds_its_writers() -> None:
    graph = defs.resolve_asset_graph()
    for name in DAILY:
        node = graph.get(dg.AssetKey(name))
        assert isinstance(node.partitions_def, dg.DailyPartitionsDefinition), name
        assert node.partitions_def.end_offset == 1, name
        assert node.partitions_def.start.date() == Settings().first_partition, name
        assert node.backfill_policy == dg.BackfillPolicy.single_run(), name
        assert node.pools, name


def test_the_closing_asset_comes_after_every_other() -> None:
    graph = defs.resolve_asset_graph()
    upstream = graph.get_ancestor_asset_keys(dg.AssetKey(debug_intelligence.CLOSING))
    assert {key.to_user_string() for key in upstream} == DAILY - {debug_intelligence.CLOSING} | {
        "model_price_catalog",
        execution_events.EVENTS,
    }


def test_the_job_holds_every_daily_asset_and_all_their_checks() -> None:
    job = defs.resolve_job_def(debug_intelligence_job.name)
    assert {key.to_user_string() for key in job.asset_layer.selected_asset_keys} == DAILY
    assert isinstance(job.executor_def, dg.ExecutorDefinition)
    assert job.executor_def.name == "in_process"
    checked = {key for check in ALL_CHECKS for key in check.check_keys}
    in_jobs = job.asset_layer.asset_graph.asset_check_keys
    assert checked == in_jobs | defs.resolve_job_def(price_job.name).asset_layer.asset_graph.asset_check_keys


def test_every_asset_has_a_schema_check_and_every_check_says_what_holds() -> None:
    specs = [spec for check in ALL_CHECKS for spec in check.check_specs]
    assert {spec.key for spec in specs} == {check.key for check in CHECKS}
    assert len({spec.name for spec in specs}) == len(specs)
    assert all(spec.description and spec.description.endswith(".") for spec in specs)
    with_schema = {spec.asset_key.to_user_string() for spec in specs if spec.name.endswith("_schema")}
    assert with_schema == (DAILY - {debug_intelligence.CLOSING}) | {"model_price_catalog"}


def test_blocking_checks_are_few_and_are_those_whose_failure_would_spread() -> None:
    blocking = {spec.name for check in ALL_CHECKS for spec in check.check_specs if spec.blocking}
    assert blocking == {
        "errors_in_range",
        "functions_trace_to_attempts",
        "mappings_trace_to_attempts",
        "registry_in_range",
    }


def test_resources_can_be_replaced() -> None:
    other = dg.ResourceDefinition.hardcoded_resource("other")
    assert build_defs(resource_overrides={"valkey": other}).resources["valkey"] is other


@pytest.mark.parametrize("module", code_locations())
def test_a_code_location_loads_alone_with_an_empty_environment_and_without_a_warning(
    module: str, tmp_path: Path
) -> None:
    script = (
        f"import importlib, sys; m = importlib.import_module({module!r}); m.defs.get_repository_def();"
        "heavy = {'alembic', 'matplotlib', 'redis', 'kafka', 'pandas', 'genai_prices'} & set(sys.modules);"
        "assert not heavy, f'loaded for nothing: {sorted(heavy)}'"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", script],
        env={"PATH": os.defpath, "PYTHONPATH": str(PROJECT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []  # nothing was written either


def test_every_package_but_dagsters_own_is_held_to_import_no_dagster() -> None:
    package = Path(debug_loop_pipeline.__file__).parent
    contracts = tomllib.loads((package.parent / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (held,) = (set(c["source_modules"]) for c in contracts if c["name"].startswith("Dagster is known to"))
    there = {f"debug_loop_pipeline.{path.stem}" for path in package.iterdir() if path.stem not in DAGSTERS_OWN}
    assert held == there


DAGSTERS_OWN = {
    "__init__",
    "__pycache__",
    "assets",
    "checks",
    "components",
    "definitions",
    "partitions",
    "processes",
} | {
    "resources",
    "sensors",
}
