"""The product as `debug-loop dev` runs it: the UI has our code location, one agent's fix is given to the next, what comes in is
materialised without anybody asking, a backfill from the UI succeeds, and nothing is left behind when it ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from debug_loop_pipeline.assets.debug_intelligence import CLOSING, REFRESHABLE
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.sensors.dirty_days import RANGE_END, RANGE_START
from debug_loop_pipeline.settings import read_servers_state
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.model_prices import seed
from debug_loop_pipeline.steps.run_all import run_dirty_days
from tests.conftest import _make_test_directory
from tests.support.dev_process import Dev, Ui, running_dev, wait_for
from tests.support.events import START, fixed_task
from tests.support.live_loop import SHOWN, TASKS, wait_until_quiet, what_one_agent_fixed_is_given_to_the_next

FIRST = START.date()
EARLY = [(FIRST + timedelta(days=n)).isoformat() for n in (0, 1, 2)]
LATE = [(FIRST + timedelta(days=n)).isoformat() for n in (20, 21, 22)]
THREE_TICKS_S = 15.0
_LOCATIONS = """
{ workspaceOrError { __typename ... on Workspace { locationEntries {
    name loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


def launch_backfill(ui: Ui, days: list[str]) -> str:
    """As the button "Materialize selected" does; returns the backfill's id."""
    query = """mutation($params: LaunchBackfillParams!) {launchPartitionBackfill(backfillParams: $params) {
        __typename ... on LaunchBackfillSuccess {backfillId} ... on PythonError {message}}}"""
    assets = [{"path": [name]} for name in (*REFRESHABLE, CLOSING)]
    told = ui.ask(query, params={"assetSelection": assets, "partitionNames": days, "tags": []})
    assert told["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess", told
    return str(told["launchPartitionBackfill"]["backfillId"])


def backfill_status(ui: Ui, backfill: str) -> str:
    query = """query($id: String!) {partitionBackfillOrError(backfillId: $id) {... on PartitionBackfill {status}}}"""
    return str(ui.ask(query, id=backfill)["partitionBackfillOrError"]["status"])


@pytest.fixture(scope="module")
def dev() -> Iterator[Dev]:
    """One for the tests in the order in which they stand: the live loop needs a store that knows nothing.

    Ended by SIGTERM; the one with Celery is ended by SIGINT.
    """
    directory = _make_test_directory()
    with running_dev(directory, "--kafka", "tansu", environment=SHOWN, ended_by=signal.SIGTERM) as running:
        yield running
    shutil.rmtree(directory, ignore_errors=True)


def test_dev_serves_the_ui_with_our_code_location(dev: Dev) -> None:
    def loaded() -> dict[str, Any] | None:
        (location,) = dev.ui.ask(_LOCATIONS)["workspaceOrError"]["locationEntries"]
        return location if location["loadStatus"] == "LOADED" else None

    location = wait_for("the code location", loaded, 120)
    assert location["locationOrLoadError"] == {"__typename": "RepositoryLocation"}
    assert len(psutil.Process(dev.process.pid).children(recursive=True)) >= 5


def test_what_one_agent_fixed_is_given_to_the_next_by_the_code_servers_runs(dev: Dev, tmp_path: Path) -> None:
    what_one_agent_fixed_is_given_to_the_next(dev, tmp_path, celery=False)


def test_new_events_are_materialised_by_themselves_once_and_a_backfill_from_the_ui_succeeds(
    dev: Dev,
) -> None:
    ui, context = dev.ui, dev.context
    seed(context.database)  # or the price job would make the days dirty a second time
    wait_until_quiet(dev)
    before = {run["runId"] for run in ui.runs()}
    ingest_events(context, [event for day in range(2) for event in fixed_task(f"early-{day}", day=day)], "test")
    run_dirty_days(context)
    backfill = launch_backfill(ui, EARLY)
    ingest_events(context, [event for day in (20, 21) for event in fixed_task(f"late-{day}", day=day)], "test")

    def clean() -> bool:
        assert [run for run in ui.runs() if run["status"] == "FAILURE"] == []
        return not context.executions.dirty_days()

    wait_for("the days to become clean", clean, 150)
    since_clean = time.monotonic()
    learned = fetch_rows(context.database, "select success_count from debug_error_success_mappings")
    assert sorted(row["success_count"] for row in learned) == [TASKS, 4]

    wait_for("the backfill", lambda: backfill_status(ui, backfill) != "REQUESTED", 200)
    assert backfill_status(ui, backfill) == "COMPLETED_SUCCESS"
    assert [(run["status"], *days_of(run)) for run in ui.runs() if run["tags"].get("dagster/backfill") == backfill] == [
        ("SUCCESS", EARLY[0], EARLY[-1])
    ]

    time.sleep(max(0.0, THREE_TICKS_S - (time.monotonic() - since_clean)))
    new = [run for run in ui.runs() if run["runId"] not in before]
    by_sensor = [days_of(run) for run in new if run["tags"].get("dagster/sensor_name") == "dirty_days"]
    assert by_sensor.count((LATE[0], LATE[-1])) == 1, by_sensor
    assert len(by_sensor) <= 2, "clean days are asked for again"  # one tick may have met the early days


def days_of(run: dict[str, Any]) -> tuple[str | None, str | None]:
    return run["tags"].get(RANGE_START), run["tags"].get(RANGE_END)


def test_servers_that_end_under_it_are_started_again(dev: Dev) -> None:
    killed = {name: server.pid for name, server in read_servers_state(dev.data_dir).running.items()}
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)

    def all_of_them_anew() -> bool:
        dev.alive()
        running = {name: server.pid for name, server in read_servers_state(dev.data_dir).running.items()}
        return running.keys() == killed.keys() and not set(running.values()) & set(killed.values())

    wait_for("the servers", all_of_them_anew, 120)
    told = dev.log.read_text(encoding="utf-8")
    assert [name for name in killed if f"{name} ended by itself and is started again" not in told] == []
    wait_for("an answer", lambda: dev.ui.ask("{ version }")["version"], 60)
