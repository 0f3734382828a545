"""Settings: typed, safe by default, from the environment."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

import debug_loop_pipeline
from debug_loop_pipeline.models.servers import STATE_FILE
from debug_loop_pipeline.settings import (
    MappingSettings,
    MissingServerError,
    Settings,
    get_settings,
    libpq_url,
    load_settings,
    read_servers_state,
    sqlalchemy_url,
)
from debug_loop_pipeline.steps.setting_versions import SETTINGS_OF_STEPS, version_under


def test_every_setting_is_described() -> None:
    groups = [Settings, *(type(value) for value in dict(Settings()).values() if hasattr(type(value), "model_fields"))]
    missing = [
        f"{group.__name__}.{name}" for group in groups for name, f in group.model_fields.items() if not f.description
    ]
    assert missing == []


def groups_of_settings() -> dict[str, type[BaseModel]]:
    return {name: type(value) for name, value in dict(Settings()).items() if isinstance(value, BaseModel)}


def test_every_setting_is_read_outside_of_this_module() -> None:
    """By a module that also names its group: two thresholds of one name are told apart by that."""
    package = Path(debug_loop_pipeline.__file__).parent
    read: list[tuple[set[str], set[str]]] = []
    for source in package.rglob("*.py"):
        if source.name == "settings.py":
            continue
        nodes = list(ast.walk(ast.parse(source.read_text())))
        attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        read.append((attributes, attributes | names))
    groups = groups_of_settings()
    unread = [
        f"{group}.{field}"
        for group, kind in groups.items()
        for field in kind.model_fields
        if not any(field in attributes and {group, kind.__name__} & named for attributes, named in read)
    ]
    unread += [
        field
        for field in Settings.model_fields
        if field not in groups and not any({field, f"require_{field}"} & attributes for attributes, _ in read)
    ]
    assert unread == []


def test_what_a_step_depends_on_is_a_setting() -> None:
    groups = groups_of_settings()
    named = [name.partition(".") for names in SETTINGS_OF_STEPS.values() for name in names]
    assert [name for name in named if name[2] not in groups[name[0]].model_fields] == []


def test_a_setting_that_is_not_the_default_is_part_of_the_versions_it_matters_to() -> None:
    changed = Settings(mapping=MappingSettings(confident_successes=2))
    assert version_under(changed, "error_success_mappings", "v1") == "v1;mapping.confident_successes=2"
    assert version_under(changed, "execution_costs", "v1") == "v1"
    assert version_under(Settings(), "error_success_mappings", "v1") == "v1"


def test_the_environment_reaches_nested_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_LOOP_MATCHING__MIN_QUALITY", "0.8")
    assert load_settings().matching.min_quality == 0.8


def test_a_value_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_LOOP_RECOMMENDATION__HOLDOUT_SHARE", "1.5")
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("ECONOMY__GOLDEN_REUSE_REWARDS", "50,40", r"economy.golden_reuse_rewards\n.* such as \[50, 40, 30, 20\]"),
        ("ECONOMY__GOLDEN_REUSE_REWARDS", "50", r"such as \[50, 40, 30, 20\]"),
        ("ECONOMY__STF_REWARDS", "much", r"economy.stf_rewards\n.* such as \[\[0.9, 300\]"),
        ("ECONOMY", "on", r"economy\n.*dictionary"),
    ],
)
def test_a_structured_setting_that_is_no_json_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str
) -> None:
    monkeypatch.setenv(f"DEBUG_LOOP_{name}", value)
    with pytest.raises(ValidationError, match=why):
        load_settings()


def test_a_structured_setting_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_LOOP_ECONOMY__GOLDEN_REUSE_REWARDS", "[5, 4]")
    monkeypatch.setenv("DEBUG_LOOP_ECONOMY", '{"fix_reward": 7}')
    economy = load_settings().economy
    assert (economy.golden_reuse_rewards, economy.fix_reward) == ((5, 4), 7)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_every_postgresql_scheme_gets_the_installed_driver(scheme: str) -> None:
    assert sqlalchemy_url(f"{scheme}://u:p@h:1/d") == "postgresql+psycopg2://u:p@h:1/d"
    assert libpq_url(f"{scheme}://u:p@h:1/d") == "postgresql://u:p@h:1/d"


def test_another_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", "sqlite:///x.db")
    with pytest.raises(ValidationError, match="a PostgreSQL URL looks like"):
        load_settings()


@pytest.mark.parametrize("url", ["http://x", "127.0.0.1:6379", "localhost"])
def test_an_address_that_is_no_valkeys_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DEBUG_LOOP_VALKEY_URL", url)
    with pytest.raises(ValidationError, match="valkey://:password@host:port/0"):
        load_settings()


@pytest.mark.parametrize(
    "brokers", ["broker", "broker:x", ":9092", "broker:0", "broker:70000", "a:1,b", "kafka://broker:9092", "::1:9092"]
)
def test_an_address_that_is_no_brokers_is_refused(monkeypatch: pytest.MonkeyPatch, brokers: str) -> None:
    monkeypatch.setenv("DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS", brokers)
    with pytest.raises(ValidationError, match="host:port"):
        load_settings()


@pytest.mark.parametrize(
    ("brokers", "read"),
    [
        ("broker.example:9092", "broker.example:9092"),
        (" 10.0.0.1:9092, b_2:19092, ", "10.0.0.1:9092,b_2:19092"),
        ("[::1]:9092", "[::1]:9092"),
        (" , ", None),
    ],
)
def test_brokers_are_a_list_of_addresses(monkeypatch: pytest.MonkeyPatch, brokers: str, read: str | None) -> None:
    monkeypatch.setenv("DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS", brokers)
    assert load_settings().kafka_bootstrap_servers == read


def test_dagster_gets_a_database_beside_the_pipelines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", "postgresql://u:p%40@h:1/d?sslmode=require")
    assert load_settings().require_dagster_postgres_url() == (
        "postgresql+psycopg2://u:p%40@h:1/d_dagster?sslmode=require"
    )


def test_a_missing_server_says_what_to_do() -> None:
    with pytest.raises(MissingServerError, match=r"debug-loop up.*DEBUG_LOOP_POSTGRES_URL"):
        get_settings().require_postgres_url()


def test_a_blank_variable_means_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", " ")
    assert load_settings().postgres_url is None


def test_a_broken_state_file_is_named(tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_text("{", encoding="utf-8")
    with pytest.raises(MissingServerError, match=STATE_FILE):
        read_servers_state(tmp_path)


@pytest.mark.parametrize("below", ["", "below"])
def test_a_data_directory_that_is_a_file_is_told(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MissingServerError, match="is no directory: set DEBUG_LOOP_DATA_DIR"):
        read_servers_state(tmp_path / "file" / below)


def test_passwords_do_not_show_in_the_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", "postgresql://u:hidden@h/d")
    assert "hidden" not in repr(load_settings())


def test_loading_settings_imports_nothing_heavy() -> None:
    script = (
        "import sys; from debug_loop_pipeline.settings import get_settings; get_settings(); "
        "print(sorted({'dagster', 'pandas', 'sqlalchemy', 'kafka'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
