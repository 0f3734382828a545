"""The published ONEX package takes the contracts, and runs units as its nodes with the results of the calls themselves."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.onex.check import package_root
from debug_loop_pipeline.onex.contracts import contracts_folder, export_nodes
from debug_loop_pipeline.onex.registry import UNITS
from debug_loop_pipeline.onex.source import Source
from debug_loop_pipeline.orchestrators.debug_loop_orchestrator import STEPS
from tests.support.events import CODE, attempt, uid
from tests.support.onex_env import python_with_onex
from tests.support.other_pythons import PROJECT


@pytest.fixture(scope="module")
def onex_python() -> str:
    return python_with_onex()


def onex(python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [python, "-m", "omnibase_core.cli.cli_commands", *arguments]
    if Path(python).with_name("onex").is_file():
        command = [str(Path(python).with_name("onex")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def probed(onex_python: str, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    golden = {
        "state": {"golden_state_id": "g"},
        "action": {
            "action_id": "1",
            "action": "nominate",
            "golden_state_id": "g",
            "attempt_id": str(uid("golden")),
            "occurred_at": "2026-03-01T09:00:00Z",
            "quality_score": 0.95,
            "stf_hash": "a" * 64,
        },
    }
    price = {
        "provider": "onex",
        "model": "tiny",
        "effective_from": "2026-01-01T00:00:00Z",
        "prices": {"input": "1.5", "output": "2"},
        "source": "test",
    }
    asked = {
        "hash": {"code": CODE, "language": "python"},
        "golden": golden,
        "illegal": {**golden, "action": {**golden["action"], "action": "reject"}},
        "add_model": {"operation": "add_model", "price": price},
        "list_models": {"operation": "list_models", "provider": "onex"},
        "attempt": {"event": attempt("onex", "onex", minutes=5, failed=True).model_dump(mode="json")},
    }
    file = tmp_path_factory.mktemp("onex") / "asked.json"
    file.write_text(json.dumps(asked))
    result = subprocess.run(
        [onex_python, str(PROJECT / "tests" / "support" / "onex_probe.py"), postgres_url, str(file)],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert result.returncode == 0, result.stderr[-4_000:]
    return json.loads(result.stdout.splitlines()[-1])


def test_the_package_takes_all_twenty_contracts_and_their_machines(probed: Any) -> None:
    assert probed["contracts"] == {unit.node_name: [] for unit in UNITS}


@pytest.mark.parametrize("kind", ["compute", "reducer", "effect", "orchestrator"])
def test_a_unit_as_a_node_gives_what_the_call_gives(probed: Any, kind: str) -> None:
    told = probed[kind]
    assert told["is"]
    assert told["node"] == told["direct"]


def test_a_reducer_asks_by_the_packages_intents_and_its_machine_moves_along(probed: Any) -> None:
    assert probed["reducer"]["intents"] == ["persist_state", "emit_event", "extension", "record_metric"]
    assert probed["reducer"]["state"] == "approved"


def test_an_orchestrator_tells_its_steps(probed: Any) -> None:
    assert probed["orchestrator"]["status"] == "completed"
    assert list(probed["orchestrator"]["node"][1]) == ["ingest", *(name for name, _ in STEPS)]


def test_our_errors_become_the_packages_with_a_code_that_says_what_kind(probed: Any) -> None:
    assert probed["compute"]["refusal"].endswith("VALIDATION_ERROR")
    assert probed["reducer"]["refusal"].endswith("INVALID_STATE")
    assert probed["effect"]["refusal"].endswith("VALIDATION_ERROR")
    assert probed["no_service"] != "none"


def test_our_stores_have_the_shape_of_its_protocols(probed: Any) -> None:
    assert probed["protocols"] == {"database": True, "cache": True, "publisher": True, "lifecycle": True}


def test_its_command_validates_the_contracts(onex_python: str) -> None:
    result = onex(onex_python, "validate", str(contracts_folder()))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "[PASS] contracts" in result.stdout


def test_its_command_finds_all_twenty_compliant(onex_python: str, tmp_path: Path) -> None:
    export_nodes(UNITS, Source(package_root()), tmp_path / "nodes")
    result = onex(
        onex_python,
        "compliance",
        "check",
        "--repo-root",
        str(tmp_path / "nodes"),
        "--output",
        str(tmp_path / "report.yaml"),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    passed = [line for line in result.stdout.splitlines() if line.startswith("PASS") and "8/8" in line]
    assert len(passed) == 20
