"""What half of each family taught makes the other half quicker, told by the product's own experiment; a placebo does not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.report_store import latest_effect
from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.run_all import run_dirty_days
from examples.bug_hunt.corpus import halves, load_programs
from examples.bug_hunt.evaluation import SEED, learn
from examples.bug_hunt.experiment import arms, run_live, was_run
from examples.bug_hunt.runner import PytestRunner
from tests.conftest import _create, _drop, _make_test_directory

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]


@pytest.fixture(scope="module")
def runner() -> Iterator[PytestRunner]:
    with PytestRunner(2) as running:
        yield running


@pytest.fixture(scope="module")
def learned(postgres_server_url: str, migrated: str, runner: PytestRunner, tmp_path_factory: Any) -> Iterator[str]:
    """Name of a database that knows the first half."""
    name = f"learned_{uuid4().hex[:8]}"
    url = _create(postgres_server_url, name, migrated)
    context = StepContext(Database(url), Settings(data_dir=tmp_path_factory.mktemp("learned")))
    learn(context, [load_programs()[program] for program in halves(SEED)[0]], SEED, runner)
    context.database.close()
    yield name
    _drop(postgres_server_url, name)


@pytest.fixture
def context(postgres_server_url: str, learned: str) -> Iterator[StepContext]:
    """A copy of it with a broker of its own, since the topic belongs to one store."""
    directory, name = _make_test_directory(), f"live_{uuid4().hex[:8]}"
    servers = Supervisor(Path(directory), durable=False)
    try:
        address = servers.up("tansu", postgres=False, valkey=False).kafka_bootstrap_servers
        url = _create(postgres_server_url, name, learned)
        settings = Settings(data_dir=directory / "data", postgres_url=url, kafka_bootstrap_servers=address)
        made = StepContext(Database(url), settings)
        yield made
        made.database.close()
        _drop(postgres_server_url, name)
    finally:
        servers.down()
        shutil.rmtree(directory, ignore_errors=True)


def effect(context: StepContext, measure: str) -> dict[str, Any]:
    (row,) = latest_effect(context.database, measure)
    return row


def test_with_the_manifest_at_hand_at_least_forty_percent_fewer_attempts(
    context: StepContext, runner: PytestRunner
) -> None:
    assert not was_run(context)
    outcomes = run_live(context, runner)
    assert was_run(context)
    assert all(outcome.solved for outcome in outcomes)
    run_dirty_days(context)
    found = effect(context, "attempts")
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
        context.database, "select count(*) as n, count(distinct correlation_id) as tasks from recommendations"
    )
    assert (served[0]["n"], served[0]["tasks"]) == (64, 64)


def test_with_the_manifests_of_other_tasks_nothing_is_gained(context: StepContext, runner: PytestRunner) -> None:
    run_live(context, runner, placebo=True)
    run_dirty_days(context)
    found = effect(context, "attempts")
    assert found["difference_low"] <= 0 <= found["difference_high"]
    assert found["p_value"] > 0.05
