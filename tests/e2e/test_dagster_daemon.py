"""The product as `debug-loop dev` runs it: what comes in is materialised without anybody asking, and a backfill from the UI succeeds."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from debug_loop_pipeline.assets.debug_intelligence import CLOSING, REFRESHABLE
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.sensors.dirty_days import RANGE_END, RANGE_START
from debug_loop_pipeline.settings import Settings, read_servers_state
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.model_prices import seed
from debug_loop_pipeline.steps.run_all import run_dirty_days
from tests.support.events import START, fixed_task

T = TypeVar("T")
FIRST = START.date()
EARLY = [(FIRST + timedelta(days=n)).isoformat() for n in (0, 1, 2)]
LATE = [(FIRST + timedelta(days=n)).isoformat() for n in (20, 21, 22)]
THREE_TICKS_S = 15.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


class Ui:
    """The GraphQL that the UI speaks."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/graphql"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            self._url,
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with self._opener.open(request, timeout=60) as answer:
            told = json.load(answer)
        assert "errors" not in told, told
        return told["data"]

    def runs(self) -> list[dict[str, Any]]:
        """Newest first: {runId, status, jobName, tags}."""
        query = "{runsOrError(limit: 50) {... on Runs {results {runId status jobName tags {key value}}}}}"
        runs = self.ask(query)["runsOrError"]["results"]
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in runs]

    def launch_backfill(self, days: list[str]) -> str:
        """As the button "Materialize selected" does; returns the backfill's id."""
        query = """mutation($params: LaunchBackfillParams!) {launchPartitionBackfill(backfillParams: $params) {
            __typename ... on LaunchBackfillSuccess {backfillId} ... on PythonError {message}}}"""
        assets = [{"path": [name]} for name in (*REFRESHABLE, CLOSING)]
        told = self.ask(query, params={"assetSelection": assets, "partitionNames": days, "tags": []})
        assert told["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess", told
        return str(told["launchPartitionBackfill"]["backfillId"])

    def backfill_status(self, backfill: str) -> str:
        query = (
            """query($id: String!) {partitionBackfillOrError(backfillId: $id) {... on PartitionBackfill {status}}}"""
        )
        return str(self.ask(query, id=backfill)["partitionBackfillOrError"]["status"])


@pytest.fixture
def dev(short_directory: Path) -> Iterator[tuple[Ui, StepContext]]:
    """`debug-loop dev` on a data directory and a port of its own, ended by the signal of Ctrl-C."""
    data, log = short_directory / "data", short_directory / "dev.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "debug_loop_pipeline.cli.main",
                "dev",
                "--kafka",
                "tansu",
                "--port",
                str(free_port()),
            ],
            env={**os.environ, "DEBUG_LOOP_DATA_DIR": str(data)},
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    context: StepContext | None = None
    try:

        def ready() -> re.Match[str] | None:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            return re.search(r"Dagster UI: (\S+)", log.read_text(encoding="utf-8"))

        url = wait_for("the UI", ready, 180)[1]
        postgres = read_servers_state(data).running["postgres"].address
        context = StepContext(Database(postgres), Settings())
        yield Ui(url), context
    finally:
        if context is not None:
            context.database.close()
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(60) == 0, log.read_text(encoding="utf-8")
        finally:
            process.kill()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(what: str, look: Callable[[], T | None], seconds: float) -> T:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.3)
    pytest.fail(f"{what}: not within {seconds:.0f} s")


def test_new_events_are_materialised_by_themselves_once_and_a_backfill_from_the_ui_succeeds(
    dev: tuple[Ui, StepContext],
) -> None:
    ui, context = dev
    seed(context.database)  # or the price job would make the days dirty a second time
    ingest_events(context, [event for day in range(2) for event in fixed_task(f"early-{day}", day=day)], "test")
    run_dirty_days(context)
    backfill = ui.launch_backfill(EARLY)
    ingest_events(context, [event for day in (20, 21) for event in fixed_task(f"late-{day}", day=day)], "test")

    def clean() -> bool:
        assert [run for run in ui.runs() if run["status"] == "FAILURE"] == []
        return not context.executions.dirty_days()

    wait_for("the days to become clean", clean, 150)
    since_clean = time.monotonic()
    learned = fetch_rows(context.database, "select success_count from debug_error_success_mappings")
    assert [row["success_count"] for row in learned] == [4]

    # the loop of backfills sleeps up to 30 s before it starts the run, and again before it says that it is done
    wait_for("the backfill", lambda: ui.backfill_status(backfill) != "REQUESTED", 200)
    assert ui.backfill_status(backfill) == "COMPLETED_SUCCESS"
    assert [(run["status"], *days_of(run)) for run in ui.runs() if run["tags"].get("dagster/backfill") == backfill] == [
        ("SUCCESS", EARLY[0], EARLY[-1])
    ]

    time.sleep(max(0.0, THREE_TICKS_S - (time.monotonic() - since_clean)))
    by_sensor = [days_of(run) for run in ui.runs() if run["tags"].get("dagster/sensor_name") == "dirty_days"]
    assert by_sensor.count((LATE[0], LATE[-1])) == 1, by_sensor
    assert len(by_sensor) <= 2, "clean days are asked for again"  # one tick may have met the early days


def days_of(run: dict[str, Any]) -> tuple[str | None, str | None]:
    return run["tags"].get(RANGE_START), run["tags"].get(RANGE_END)
