"""`debug-loop onex check`: twenty of twenty pass, and a rule broken in a copy is found and explained."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from debug_loop_pipeline.onex.check import Checker, package_root
from debug_loop_pipeline.onex.contracts import as_yaml, contract_of, contracts_folder, write_contracts
from debug_loop_pipeline.onex.findings import REASONS, Finding, Rule
from debug_loop_pipeline.onex.registry import UNITS, unit_named
from debug_loop_pipeline.onex.source import Source
from debug_loop_pipeline.onex.units import Kind, snake_case

PACKAGE = package_root() / "debug_loop_pipeline"


@pytest.fixture
def copied_package(tmp_path: Path) -> Path:
    """A copy of the package's source and contracts to break; the folder that holds both."""
    shutil.copytree(PACKAGE, tmp_path / "debug_loop_pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(contracts_folder(), tmp_path / "contracts")
    return tmp_path


def change(root: Path, file: str, old: str, new: str) -> None:
    path = root / "debug_loop_pipeline" / file
    text = path.read_text()
    assert old in text, f"{file} no longer has {old!r}: bring this test in line with it"
    path.write_text(text.replace(old, new, 1))


def append(root: Path, file: str, text: str) -> None:
    path = root / "debug_loop_pipeline" / file
    path.write_text(path.read_text() + text)


def found(root: Path, unit: str) -> list[Finding]:
    return list(Checker(UNITS, Source(root)).kind(unit_named(unit)))


def test_twenty_of_twenty_units_pass() -> None:
    results = Checker(UNITS, Source(package_root())).all(contracts_folder())
    assert [finding.told() for result in results for finding in result.findings] == []
    assert len(results) == 20


def test_there_are_the_units_of_both_parts_by_kind() -> None:
    kinds = {kind: sum(unit.kind is kind for unit in UNITS) for kind in Kind}
    assert kinds == {Kind.COMPUTE: 10, Kind.EFFECT: 4, Kind.REDUCER: 3, Kind.ORCHESTRATOR: 3}


IMPURE = [
    ("import time\n\ndef late() -> float:\n    return time.time()\n", Rule.PURE_IMPORT, "imports time"),
    (
        "from datetime import datetime\n\ndef now() -> object:\n    return datetime.now()\n",
        Rule.PURE_CALL,
        "datetime.now",
    ),
    ("import datetime as d\n\nNOW = d.datetime.utcnow\n", Rule.PURE_CALL, "datetime.utcnow"),
    ("from random import random\n", Rule.PURE_IMPORT, "random.random"),
    (
        "import numpy as np\n\ndef roll() -> object:\n    return np.random.default_rng()\n",
        Rule.PURE_CALL,
        "numpy.random",
    ),
    ("from uuid import uuid4\n\nID = uuid4()\n", Rule.PURE_CALL, "uuid.uuid4"),
    ("def read(path: str) -> str:\n    return open(path).read()\n", Rule.PURE_CALL, "open()"),
    (
        "from pathlib import Path\n\ndef read(p: str) -> str:\n    return Path(p).read_text()\n",
        Rule.PURE_CALL,
        "pathlib.Path",
    ),
    ("import os\n", Rule.PURE_IMPORT, "imports os"),
    ("import httpx\n", Rule.PURE_IMPORT, "imports httpx"),
    ("from debug_loop_pipeline.effects.postgres import Database\n", Rule.PURE_IMPORT, "effects.postgres"),
    ("from debug_loop_pipeline.settings import get_settings\n", Rule.PURE_IMPORT, "get_settings"),
    ("_SEEN: dict[str, int] = {}\n\ndef note(k: str) -> None:\n    _SEEN[k] = 1\n", Rule.PURE_GLOBAL, "_SEEN"),
    ("_SEEN = []\n\ndef note(k: str) -> None:\n    _SEEN.append(k)\n", Rule.PURE_GLOBAL, "_SEEN"),
    ("_N = 0\n\ndef note() -> None:\n    global _N\n    _N += 1\n", Rule.PURE_GLOBAL, "_N"),
    ("class Kept:\n    n = 0\n\ndef note() -> None:\n    Kept.n = 1\n", Rule.PURE_GLOBAL, "Kept"),
    ("def key(text: str) -> int:\n    return hash(text)\n", Rule.PURE_CALL, "hash()"),
]


@pytest.mark.parametrize(("code", "rule", "what"), IMPURE, ids=[case[2] for case in IMPURE])
def test_what_makes_a_compute_unit_impure_is_found_where_it_stands(
    copied_package: Path, code: str, rule: Rule, what: str
) -> None:
    append(copied_package, "compute/stf_hash.py", f"\n\n{code}")
    [finding] = found(copied_package, "STFHashCompute")
    assert (finding.rule, what in finding.what) == (rule, True), finding
    assert finding.where.startswith("debug_loop_pipeline.compute.stf_hash:")


def test_impurity_is_found_through_what_a_unit_imports(copied_package: Path) -> None:
    append(copied_package, "compute/fixes/wilson.py", "\nimport time\n")
    [finding] = found(copied_package, "ErrorSuccessMappingReducer")
    assert (finding.rule, finding.where.split(":")[0]) == (Rule.PURE_IMPORT, "debug_loop_pipeline.compute.fixes.wilson")
    assert found(copied_package, "STFHashCompute") == []


def test_locals_and_caches_are_no_state(copied_package: Path) -> None:
    append(
        copied_package,
        "compute/stf_hash.py",
        "\nfrom functools import cache\n\n_WORDS = {}\n\n@cache\ndef f(open: str) -> dict[str, int]:\n"
        "    _WORDS = {}\n    _WORDS[open] = 1\n    return _WORDS\n",
    )
    assert found(copied_package, "STFHashCompute") == []


EFFECTS = [
    ("BalanceCacheEffect", "effects/valkey.py", "socket_timeout=socket_timeout_s,", "", Rule.EFFECT_TIMEOUT, "socket_timeout"),
    ("TokenLedgerEffect", "client/broker.py", "delivery_timeout_ms=self.timeout_ms,", "", Rule.EFFECT_TIMEOUT, "delivery_timeout"),
    ("TokenLedgerEffect", "client/broker.py", "request_timeout_ms=self.timeout_ms,", "", Rule.EFFECT_TIMEOUT, "KafkaAdminClient"),
    ("DebugSTFStorageEffect", "effects/postgres.py", '"connect_timeout": max(2, connect_timeout_s),', "", Rule.EFFECT_TIMEOUT, "connect_timeout"),
    ("BalanceCacheEffect", "effects/valkey.py", "breaker=breaker,", "", Rule.EFFECT_CALLER, "without breaker"),
    ("BalanceCacheEffect", "effects/valkey.py", "policy=policy,", "", Rule.EFFECT_CALLER, "without policy"),
    ("ModelPriceCatalogEffect", "effects/resilience.py", "self._tracer.start_as_current_span(", "self._quiet(", Rule.EFFECT_CALLER, "a span"),
    ("ModelPriceCatalogEffect", "effects/resilience.py", "stamina.retry_context(", "stamina.once(", Rule.EFFECT_CALLER, "retries"),
    ("BalanceCacheEffect", "effects/balance_cache.py", "self._valkey.run(\"balance.get\", lambda client: client.get(key))", "self._valkey.client.get(key)", Rule.EFFECT_BYPASS, "driver itself"),
    ("BalanceCacheEffect", "effects/balance_cache.py", "import redis\n", "import httpx\nimport redis\n", Rule.EFFECT_BYPASS, "httpx"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("unit", "file", "old", "new", "rule", "what"), EFFECTS, ids=[f"{c[0]}-{c[5]}" for c in EFFECTS]
)
def test_an_effect_without_timeout_retry_breaker_or_span_is_found(
    copied_package: Path, unit: str, file: str, old: str, new: str, rule: Rule, what: str
) -> None:
    change(copied_package, file, old, new)
    assert [f for f in found(copied_package, unit) if f.rule is rule and what in f.what]


ORCHESTRATORS = [
    (
        "self._ledger = ledger",
        "self._ledger = ledger or TokenLedgerEffect()",
        "makes debug_loop_pipeline.effects.token_ledger",
    ),
    ("now = self._clock()", "now = datetime.now(UTC)", "reads the clock"),
    ("from uuid import UUID", "from uuid import UUID\nimport redis", "imports redis"),
    ("now = self._clock()", "now = self._clock(); self._context.database.engine.execute('x')", "runs SQL"),
]


@pytest.mark.parametrize(("old", "new", "what"), ORCHESTRATORS, ids=[case[2] for case in ORCHESTRATORS])
def test_an_orchestrator_that_makes_what_it_should_be_given_is_found(
    copied_package: Path, old: str, new: str, what: str
) -> None:
    change(copied_package, "orchestrators/token_spend.py", old, new)
    findings = found(copied_package, "TokenSpendOrchestrator")
    assert [f for f in findings if f.rule is Rule.ORCHESTRATOR_INJECTED and what in f.what]


def test_a_step_that_the_contract_does_not_name_is_found(copied_package: Path) -> None:
    change(copied_package, "orchestrators/debug_loop_orchestrator.py", '("cost", lambda', '("price", lambda')
    [finding] = found(copied_package, "DebugLoopOrchestrator")
    assert finding.rule is Rule.ORCHESTRATOR_STEPS
    assert "cost, price" in finding.what


REDUCERS = [
    ("made = transition(LEGAL_TRANSITIONS, ", "made = Transition(", Rule.REDUCER_TRANSITION, "no table is asked"),
    ("        update: dict[str, object] = {", "        self.last = action\n        update: dict[str, object] = {", Rule.REDUCER_SHAPE, "assigns self.last"),
    ("-> Reduced[GoldenState]:", "-> GoldenState:", Rule.REDUCER_SHAPE, "no reduce"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "rule", "what"), REDUCERS, ids=[case[3] for case in REDUCERS])
def test_a_reducer_that_keeps_state_or_hides_a_transition_is_found(
    copied_package: Path, old: str, new: str, rule: Rule, what: str
) -> None:
    change(copied_package, "reducers/golden_state_manager.py", old, new)
    assert [f for f in found(copied_package, "GoldenStateManagerReducer") if f.rule is rule and what in f.what]


def test_the_command_finds_and_explains_what_is_broken_in_a_copy(copied_package: Path) -> None:
    append(copied_package, "compute/stf_quality.py", "\nfrom time import monotonic\n")
    change(copied_package, "effects/valkey.py", "socket_timeout=socket_timeout_s,", "")
    change(
        copied_package, "reducers/golden_state_manager.py", '        ("approved", "record_reuse", "approved"),\n', ""
    )
    change(
        copied_package,
        "models/mapping.py",
        '    DEPRECATED = "deprecated"\n',
        '    DEPRECATED = "deprecated"\n    FORGOTTEN = "forgotten"\n',
    )
    change(
        copied_package,
        "reducers/token_balance.py",
        "if after is not AccountStatus.NEW",
        "if after is not AccountStatus.NEW and (before, after) != (AccountStatus.ACTIVE, AccountStatus.EXHAUSTED)",
    )
    result = subprocess.run(
        [sys.executable, "-m", "debug_loop_pipeline.cli.main", "onex", "check", "--json"],
        cwd=copied_package,
        env={**os.environ, "PYTHONPATH": str(copied_package)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 1, result.stderr
    told = json.loads(result.stdout)
    assert told["passed"] < told["units"] == 20
    broken = {(finding["unit"], finding["rule"]) for finding in told["findings"]}
    assert broken >= {
        ("STFQualityCompute", "pure-import"),
        ("BalanceCacheEffect", "effect-timeout"),
        ("GoldenStateManagerReducer", "contract"),
        ("ErrorSuccessMappingReducer", "reducer-state"),
        ("TokenBalanceReducer", "reducer-transition"),
    }
    assert all(finding["why"] and finding["fix"] and finding["where"] for finding in told["findings"])
    [undeclared] = [
        f for f in told["findings"] if (f["unit"], f["rule"]) == ("TokenBalanceReducer", "reducer-transition")
    ]
    assert "led from active to exhausted" in undeclared["what"]


def test_a_contract_and_a_unit_that_do_not_meet_are_found(tmp_path: Path) -> None:
    source = Source(package_root())
    folder = tmp_path / "contracts"
    write_contracts(UNITS, source, folder)
    (folder / "stf_hash_compute.yaml").rename(folder / "stf_hush_compute.yaml")
    text = (folder / "cost_tracker_compute.yaml").read_text()
    (folder / "cost_tracker_compute.yaml").write_text(
        text.replace("single_operation_max_ms: 100", "single_operation_max_ms: 90")
    )
    (folder / "token_ledger_effect.yaml").write_text("a: [")
    findings = {f.unit: f.what for r in Checker(UNITS, source).all(folder) for f in r.findings}
    assert findings.keys() == {"STFHashCompute", "stf_hush_compute", "CostTrackerCompute", "TokenLedgerEffect"}
    assert findings["STFHashCompute"] == "has no contract"
    assert findings["stf_hush_compute"] == "a contract without a unit"
    assert findings["CostTrackerCompute"] == "performance.single_operation_max_ms: the code says 100, the contract 90"
    assert findings["TokenLedgerEffect"].startswith("its contract is not YAML")


def test_a_reducer_or_orchestrator_that_nobody_registered_is_found(copied_package: Path) -> None:
    append(copied_package, "orchestrators/token_spend.py", "\n\nclass RefundOrchestrator:\n    pass\n")
    results = Checker(UNITS, Source(copied_package)).all(contracts_folder())
    assert [(r.unit, r.kind) for r in results if not r.passed] == [("RefundOrchestrator", None)]


def test_every_rule_says_why_it_is_there_and_what_to_do() -> None:
    assert REASONS.keys() == set(Rule)


def test_no_contract_drifts_from_the_code() -> None:
    source = Source(package_root())
    for unit in UNITS:
        path = contracts_folder() / f"{unit.slug}.yaml"
        assert path.read_text() == as_yaml(contract_of(unit, source, UNITS)), (
            f"{path.name} differs from the code: run `debug-loop onex contracts --write`"
        )


@pytest.mark.parametrize(
    ("name", "slug"),
    [("STFHashCompute", "stf_hash_compute"), ("DebugSTFStorageEffect", "debug_stf_storage_effect"), ("A", "a")],
)
def test_names_become_files(name: str, slug: str) -> None:
    assert snake_case(name) == slug
