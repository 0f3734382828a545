"""The whole loop, live, with runs by Celery: an agent that fails, fixes and succeeds teaches, through everything that
`debug-loop dev --celery` starts, the next one. With runs by the code server: `test_dagster_daemon`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.conftest import _make_test_directory
from tests.support.dev_process import Dev, running_dev, wait_for
from tests.support.live_loop import (
    PATIENCE_S,
    PROJECT,
    SHOWN,
    agent,
    mapping,
    statuses,
    wait_until_quiet,
    what_one_agent_fixed_is_given_to_the_next,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def celery() -> Iterator[Dev]:
    """One with a Celery worker, for the tests in the order in which they stand: the first one needs a store that knows nothing."""
    pytest.importorskip("dagster_celery")
    directory = _make_test_directory()
    with running_dev(
        directory, "--celery", environment=SHOWN
    ) as dev:  # on the broker that `auto` finds; the other is on Tansu
        yield dev
    shutil.rmtree(directory, ignore_errors=True)


def test_what_one_agent_fixed_is_given_to_the_next_by_celery(celery: Dev, tmp_path: Path) -> None:
    what_one_agent_fixed_is_given_to_the_next(celery, tmp_path, celery=True)


@pytest.mark.skipif(sys.platform != "linux", reason="a worker's processes end with it on Linux")
def test_a_run_whose_worker_is_killed_is_found_and_done_again(celery: Dev, tmp_path: Path) -> None:
    dev = celery
    wait_until_quiet(dev)
    known = (mapping(dev) or {"success_count": 0})["success_count"]
    wanted = {"success_count": known + 1, "failure_count": 0}
    pool = ThreadPoolExecutor(1)
    told = pool.submit(agent, dev, tmp_path / "work", "t-killed")  # its run may be over before it is
    wait_for("a run", lambda: statuses(dev, "STARTED"), PATIENCE_S, every=0.02)
    (worker,) = (
        process
        for process in psutil.Process(dev.process.pid).children()
        if "debug_loop_pipeline.processes.celery_worker" in process.cmdline()
    )
    worker.kill()
    told.result()
    pool.shutdown()
    wait_for(
        "the days to become clean", lambda: mapping(dev) == wanted and not dev.context.executions.dirty_days(), 600
    )
    wait_for("the runs to end", lambda: not statuses(dev, "STARTED"), PATIENCE_S)
    assert mapping(dev) == wanted
    dev.alive()


def test_a_run_that_a_user_terminates_is_cancelled_and_not_retried(celery: Dev) -> None:
    dev = celery
    wait_until_quiet(dev)
    failed = ids(dev, "FAILURE")
    recorded = str(PROJECT / "tests" / "data" / "recorded_sessions")
    command = [sys.executable, "-m", "debug_loop_pipeline.cli.main", "import", "claude-code", recorded]
    subprocess.run(command, env=dev.environment, stdout=subprocess.DEVNULL, check=True, timeout=120)
    begun = wait_for("a run", lambda: statuses(dev, "STARTED"), PATIENCE_S, every=0.05)[0]["runId"]
    told = dev.ui.ask("mutation($id: String!) {terminateRun(runId: $id) {__typename}}", id=begun)
    assert told == {"terminateRun": {"__typename": "TerminateRunSuccess"}}
    wait_for("the run to end", lambda: begun in ids(dev, "CANCELED"), PATIENCE_S)
    wait_for("the sensor to have it done after all", lambda: not dev.context.executions.dirty_days(), 600)
    assert [run for run in dev.ui.runs() if run["tags"].get("dagster/parent_run_id") == begun] == []
    assert ids(dev, "FAILURE") == failed


def ids(dev: Dev, status: str) -> list[str]:
    return [run["runId"] for run in statuses(dev, status)]
