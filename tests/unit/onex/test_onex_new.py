"""`debug-loop new`: what it writes passes every check untouched, and its test says what to fill in."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from debug_loop_pipeline.cli import main
from debug_loop_pipeline.models.manifest import Manifest, ManifestFunction, ManifestGoldenState
from debug_loop_pipeline.onex.check import package_root
from debug_loop_pipeline.onex.contracts import read_contract
from debug_loop_pipeline.onex.findings import Rule
from debug_loop_pipeline.onex.generated import NoUnitError, check_generated, load_unit
from debug_loop_pipeline.onex.scaffold import ScaffoldError, plan_unit, scaffold_unit
from debug_loop_pipeline.onex.units import Kind

SENTENCE = 'Say how "risky" a change is, by what it touches. Operations: score, explain the why.'
ROOT = package_root()


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    """A unit of each kind, as the command writes it; kind -> folder."""
    output = tmp_path_factory.mktemp("units")
    folders = {}
    for kind in Kind:
        started = time.process_time()
        arguments = ["new", kind.value, SENTENCE, "--name", "ChangeRisk", "--output", str(output), "--graph"]
        result = CliRunner().invoke(main.app, arguments)
        assert result.exit_code == 0, result.output
        assert time.process_time() - started < 25
        folders[kind] = output / f"change_risk_{kind.value}"
    return folders


@pytest.mark.parametrize("kind", Kind)
def test_a_unit_of_each_kind_passes_its_checks_untouched(written: dict[Kind, Path], kind: Kind) -> None:
    assert check_generated(load_unit(written[kind])).findings == ()


def test_what_is_written_passes_ruff_and_mypy(written: dict[Kind, Path]) -> None:
    folders = [str(folder) for folder in written.values()]
    config = str(ROOT / "pyproject.toml")
    for command in (
        ["ruff", "check", "--no-cache", "--config", config, *folders],
        ["ruff", "format", "--no-cache", "--check", "--config", config, *folders],
        ["mypy", "--config-file", config, *folders],
    ):
        result = run(*command)
        assert result.returncode == 0, result.stdout + result.stderr


def test_its_test_fails_and_says_what_to_fill_in(written: dict[Kind, Path]) -> None:
    # Without the summary (-rN), which repeats whole messages where CI is set and cuts them elsewhere.
    result = run("pytest", "-q", "-rN", "-p", "no:cacheprovider", "-c", os.devnull, *map(str, written.values()))
    assert result.returncode == 1, result.stdout + result.stderr
    for kind in Kind:
        assert f"NodeChangeRisk{kind.suffix} is not filled in yet" in result.stdout
    assert result.stdout.count("3. put a request and its answer into EXAMPLES") == len(Kind)
    assert "4 failed, 4 passed" in result.stdout


def test_the_command_checks_a_folder_of_units_and_writes_their_contracts(written: dict[Kind, Path]) -> None:
    folder = written[Kind.COMPUTE].parent
    result = CliRunner().invoke(main.app, ["onex", "check", "--units", str(folder)])
    assert result.exit_code == 0, result.output
    assert "4 of 4 passed" in result.output
    contract = written[Kind.COMPUTE] / "contract.yaml"
    text = contract.read_text()
    contract.write_text(text.replace("single_operation_max_ms: 100", "single_operation_max_ms: 1"))
    assert CliRunner().invoke(main.app, ["onex", "check", "--units", str(folder)]).exit_code == 1
    assert CliRunner().invoke(main.app, ["onex", "contracts", "--write", "--units", str(folder)]).exit_code == 0
    assert contract.read_text() == text


def test_a_unit_that_is_filled_in_passes_its_test(tmp_path: Path) -> None:
    unit = scaffold_unit(plan_unit(Kind.COMPUTE, "Shout a text. Operations: shout.", "Shout"), tmp_path)
    handler = unit.folder / "handler.py"
    body = '    raise NotImplementedError("write shout in handler.py")\n'
    assert body in handler.read_text()
    handler.write_text(handler.read_text().replace(body, "    return ShoutAnswer(result=request.subject.upper())\n"))
    test = unit.folder / "test_shout_compute.py"
    example = '[\n    (models.ShoutRequest(subject="a"), models.ShoutAnswer(result="A")),\n]'
    text = test.read_text().replace("BaseModel]] = []", f"BaseModel]] = {example}")
    test.write_text(
        text.replace("from shout_compute.unit", "from shout_compute import models\nfrom shout_compute.unit")
    )
    result = run("pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, str(unit.folder))
    assert result.returncode == 0, result.stdout
    assert check_generated(unit).passed


def test_a_rule_that_is_broken_while_filling_in_is_found(tmp_path: Path) -> None:
    unit = scaffold_unit(plan_unit(Kind.COMPUTE, "Tell the age of a thing.", "Age"), tmp_path)
    with (unit.folder / "handler.py").open("a") as handler:
        handler.write("\n\nfrom time import time\n\nNOW = time()\n")
    [finding] = check_generated(unit).findings
    assert (finding.rule, finding.where.split(":")[0]) == (Rule.PURE_IMPORT, "age_compute.handler")


def test_a_sentence_names_unit_and_operations() -> None:
    plan = plan_unit(Kind.EFFECT, 'Keep the "notes" of a task.  Operations: add a note, list, add a note and import;')
    assert plan.purpose == "Keep the 'notes' of a task."
    assert plan.name == "KeepNotesTaskEffect"
    assert plan.operations == ("add_a_note", "list", "import_it")
    assert plan_unit(Kind.COMPUTE, "score risk").operations == ("score",)
    assert plan_unit(Kind.REDUCER, "x", "NodeOrderReducer").name == "OrderReducer"


@pytest.mark.parametrize(
    ("sentence", "name", "message"),
    [
        ("...", None, "say what the unit is for"),
        ("Do it. Operations: !", None, "at least one operation"),
        ("Do it", "risk", "no name of a unit"),
        ("Do it", "Ri-sk", "no name of a unit"),
    ],
)
def test_what_cannot_be_made_a_unit_is_refused_with_the_reason(sentence: str, name: str | None, message: str) -> None:
    with pytest.raises(ScaffoldError, match=message):
        plan_unit(Kind.COMPUTE, sentence, name)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    plan = plan_unit(Kind.COMPUTE, "Keep what is there.", "Kept")
    scaffold_unit(plan, tmp_path)
    with pytest.raises(ScaffoldError, match="is there already"):
        scaffold_unit(plan, tmp_path)


def test_a_folder_without_a_unit_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoUnitError, match=r"no unit\.py"):
        load_unit(tmp_path)


def test_what_the_store_knows_is_put_beside_the_unit_as_text(tmp_path: Path) -> None:
    function = ManifestFunction(
        stf_hash="ab" * 32,
        name="../risk",
        language="python",
        code="def risk():\n    return 1\n",
        similarity=0.9,
        quality=0.8,
        composite=0.85,
        peer_id="ann",
    )
    golden = ManifestGoldenState(
        golden_state_id="golden-1",
        user_request="score the risk",
        name="risk",
        language="python",
        quality=0.95,
        evidence_tier="verified",
        reuse_count=2,
        similarity=0.9,
        peer_id="ann",
    )
    manifest = Manifest(functions=(function,), golden_states=(golden,))
    unit = scaffold_unit(plan_unit(Kind.COMPUTE, "Score a risk.", "Told"), tmp_path, manifest=manifest)
    reference = unit.folder / "reference"
    assert (reference / "risk_abababab.py.txt").read_text() == function.code
    readme = (reference / "README.md").read_text()
    assert "risk_abababab.py.txt" in readme
    assert "golden-1" in readme
    assert check_generated(unit).passed


def test_a_generated_contract_has_what_the_twenty_have(written: dict[Kind, Path]) -> None:
    contract = read_contract(written[Kind.REDUCER] / "contract.yaml")
    assert contract["name"] == "NodeChangeRiskReducer"
    assert contract["state_machine"]["initial_state"] == "new"
    assert {t["trigger"] for t in contract["state_machine"]["transitions"]} == {"score", "explain_the_why"}
    assert contract["annotations"]["output_schema"]["properties"].keys() == {
        "state",
        "intents",
        "transition",
        "applied",
    }
