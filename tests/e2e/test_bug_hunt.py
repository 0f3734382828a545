"""Acceptance 6 of the foundation, and the closed loop.

What half of each family taught repairs the other half at once. Live it makes the other half quicker, told by the product's own
experiment, and a placebo does not. One store learns, for all tests here, and each state of a program is run by the real pytest once:
programs and their tests are deterministic.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.report_store import latest_effect
from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.importers.registry import importer_for
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.importing import import_files
from debug_loop_pipeline.steps.run_all import run_dirty_days
from examples.bug_hunt import agent
from examples.bug_hunt.__main__ import main
from examples.bug_hunt.candidates import MENU
from examples.bug_hunt.corpus import load_families
from examples.bug_hunt.evaluation import evaluate
from examples.bug_hunt.experiment import arms, run_live, was_run
from examples.bug_hunt.runner import PytestRunner, RememberingRunner
from tests.conftest import _create, _drop, _make_test_directory

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

Store = Callable[..., AbstractContextManager[StepContext]]


@pytest.fixture(scope="module")
def runner() -> Iterator[PytestRunner]:
    with RememberingRunner(2) as running:
        yield running


@pytest.fixture(scope="module")
def store(postgres_server_url: str) -> Store:
    """Makes a store from a template, to be used in a `with`."""

    @contextmanager
    def made(template: str, **settings: Any) -> Iterator[StepContext]:
        name = f"hunt_{uuid4().hex[:8]}"
        url = _create(postgres_server_url, name, template)
        context = StepContext(Database(url), Settings(postgres_url=url, **settings))
        try:
            yield context
        finally:
            context.database.close()
            _drop(postgres_server_url, name)

    return made


@pytest.fixture(scope="module")
def evaluated(
    migrated: str, store: Store, runner: PytestRunner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, Any], str]]:
    """What the evaluation said, and the name of the database that knows the first half."""
    with store(migrated, data_dir=tmp_path_factory.mktemp("learned")) as context:
        report = evaluate(context, runner=runner, compare=False)
        context.database.close()  # or it could not be copied
        yield report, str(context.database.engine.url.database)


@pytest.fixture(scope="module")
def report(evaluated: tuple[dict[str, Any], str]) -> dict[str, Any]:
    return evaluated[0]


@pytest.fixture
def context(evaluated: tuple[dict[str, Any], str], store: Store, tmp_path: Path) -> Iterator[StepContext]:
    """A copy of the store that knows the first half."""
    with store(evaluated[1], data_dir=tmp_path) as copy:
        yield copy


@pytest.fixture
def live(evaluated: tuple[dict[str, Any], str], store: Store) -> Iterator[StepContext]:
    """The same with a broker of its own, since the topic belongs to one store."""
    directory = _make_test_directory()
    servers = Supervisor(directory, durable=False)
    try:
        address = servers.up("tansu", postgres=False, valkey=False).kafka_bootstrap_servers
        with store(evaluated[1], data_dir=directory / "data", kafka_bootstrap_servers=address) as copy:
            yield copy
    finally:
        servers.down()
        shutil.rmtree(directory, ignore_errors=True)


def test_with_a_signature_of_their_own_four_in_five_pass_at_once(report):
    assert report["unique_signature"]["programs"] >= 24
    assert report["unique_signature"]["manifest"]["first"] >= 0.8


def test_nearly_all_pass_within_three(report):
    assert report["all"]["programs"] >= 48
    assert report["all"]["manifest"]["third"] >= 0.95


def test_without_memory_it_took_much_longer(report):
    without, advised = report["learned"]["random"], report["all"]["manifest"]
    assert without["first"] < 0.3
    assert advised["tries"] < 0.6 * without["tries"]


def test_the_manifest_knew_a_fix_for_every_program(report):
    assert all(program["known_fixes"] for program in report["programs"])


def test_families_share_the_signature_that_they_are_said_to_share(report):
    by_family = {}
    for program in report["programs"]:
        by_family.setdefault(program["family"], set()).add(program["signature"])
    assert all(len(patterns) == 1 for patterns in by_family.values())
    shared = {name: family.shares for name, family in load_families().items()}
    for name, (pattern,) in by_family.items():
        others = {other for other, patterns in by_family.items() if other != name and patterns == {pattern}}
        assert others == ({shared[name]} if shared[name] else set())


def test_nothing_stored_names_an_operator_or_a_family(context, report):
    words = [*(operator.__name__ for operator in MENU), *load_families()]
    rows = fetch_rows(context.database, "select row_to_json(i)::text as event from execution_inbox i")
    assert rows
    text = "\n".join(row["event"] for row in rows)
    assert [word for word in words if word in text] == []


def test_learning_left_functions_golden_states_and_priced_costs(context, report):
    (counts,) = fetch_rows(
        context.database,
        "select (select count(*) from debug_transform_functions) as functions,"
        " (select count(*) from debug_golden_states) as golden_states,"
        " (select count(*) from execution_costs where cost_usd > 0) as priced,"
        " (select count(*) from execution_costs where cost_usd is null) as unpriced",
    )
    assert counts["functions"] > 0
    assert counts["golden_states"] > 0
    assert counts["priced"] > 0
    assert counts["unpriced"] == 0


def test_what_the_hunt_writes_is_imported_without_a_reject(tmp_path, context, runner, monkeypatch):
    monkeypatch.setattr(
        agent, "PytestRunner", lambda workers: nullcontext(runner)
    )  # which knows how each program fails
    out = tmp_path / "executions.jsonl"
    assert main(["hunt", "--out", str(out), "--seed", "77", "--budget", "1"]) == 0
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert lines == sorted(lines, key=lambda event: (event["started_at"], event["attempt_id"]))
    importer = importer_for("jsonl")
    assert importer.sniff(out, out.read_bytes()[:65_536])
    summary = import_files(context, [(importer, out)])
    assert (summary.attempts, summary.rejected) == (len(lines), 0)


def effect(context: StepContext, measure: str) -> dict[str, Any]:
    (row,) = [row for row in latest_effect(context.database) if row["measure"] == measure]
    return row


def test_with_the_manifest_at_hand_at_least_forty_percent_fewer_attempts(
    live: StepContext, runner: PytestRunner
) -> None:
    assert not was_run(live)
    outcomes = run_live(live, runner)
    assert was_run(live)
    assert all(outcome.solved for outcome in outcomes)
    run_dirty_days(live)
    found = effect(live, "attempts")
    sizes = {arm: len(programs) for arm, programs in arms().items()}
    assert (found["tasks_treatment"], found["tasks_holdout"]) == tuple(sizes.values())
    assert found["relative"] <= -0.4
    assert found["difference_high"] < 0
    assert found["p_value"] < 0.01
    # what the store says is what happened
    tries = {outcome.program: outcome.tries for outcome in outcomes}
    for arm, programs in arms().items():
        assert found[arm] == pytest.approx(sum(tries[name] for name in programs) / len(programs))
    advised = {outcome.program for outcome in outcomes if outcome.advised}
    assert advised == set(next(iter(arms().values())))
    served = fetch_rows(
        live.database, "select count(*) as n, count(distinct correlation_id) as tasks from recommendations"
    )
    assert (served[0]["n"], served[0]["tasks"]) == (64, 64)


def test_with_the_manifests_of_other_tasks_nothing_is_gained(live: StepContext, runner: PytestRunner) -> None:
    run_live(live, runner, placebo=True)
    run_dirty_days(live)
    found = effect(live, "attempts")
    assert found["difference_low"] <= 0 <= found["difference_high"]
    assert found["p_value"] > 0.05
