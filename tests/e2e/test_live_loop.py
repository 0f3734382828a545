"""The whole loop, live: an agent that fails, fixes and succeeds teaches, through everything that `debug-loop dev` starts, the next one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.serving.address import socket_path
from debug_loop_pipeline.serving.socket_client import ServeUnavailableError, ask
from tests.conftest import _make_test_directory
from tests.support.dev_process import Dev, running_dev, wait_for

PROJECT = Path(__file__).parents[2]
ERROR = "Traceback (most recent call last):\nKeyError: 'title'"
FIX = "record.get('title', 'untitled')"
CELERY_TASK = "dagster-celery/task_id"
TASKS = 3
PATIENCE_S = 300.0
SHOWN = {"DEBUG_LOOP_RECOMMENDATION__HOLDOUT_SHARE": "0"}
BY_SENSOR_ALONE = {"DEBUG_LOOP_LOGGER__LEARN": "false"}
"""The agent does not run the debug loop for its attempts itself."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@contextmanager
def started(*profile: str) -> Iterator[Dev]:
    directory = _make_test_directory()
    with running_dev(directory, *profile, environment=SHOWN) as dev:
        yield dev
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def celery() -> Iterator[Dev]:
    """One with a Celery worker, for the tests in the order in which they stand: the first one needs a store that knows nothing."""
    pytest.importorskip("dagster_celery")
    with started("--celery", "--kafka", "tansu") as dev:  # the other profile has the broker that `auto` finds
        yield dev


def test_what_one_agent_fixed_is_given_to_the_next_by_the_code_servers_runs(tmp_path: Path) -> None:
    with started() as dev:
        what_one_agent_fixed_is_given_to_the_next(dev, tmp_path, celery=False)


def test_what_one_agent_fixed_is_given_to_the_next_by_celery(celery: Dev, tmp_path: Path) -> None:
    what_one_agent_fixed_is_given_to_the_next(celery, tmp_path, celery=True)


def what_one_agent_fixed_is_given_to_the_next(dev: Dev, tmp_path: Path, *, celery: bool) -> None:
    wait_until_serving(dev)
    assert hook(dev, tmp_path) is None  # nobody knows that error yet
    told = [attempt for number in range(TASKS) for attempt in agent(dev, tmp_path / f"work-{number}", f"t-{number}")]

    wait_for("the mapping", lambda: mapping(dev), PATIENCE_S)
    wait_for("every task to count", lambda: mapping(dev) == {"success_count": TASKS, "failure_count": 0}, PATIENCE_S)
    stored = fetch_rows(dev.context.database, "select attempt_id::text as id from debug_execution_attempts")
    assert sorted(row["id"] for row in stored) == sorted(told)
    runs = [run for run in dev.ui.runs() if run["tags"].get("dagster/sensor_name") == "dirty_days"]
    assert runs
    assert [run for run in runs if run["status"] in ("FAILURE", "CANCELED")] == []
    assert all((CELERY_TASK in run["tags"]) == celery for run in runs), runs

    said = asyncio.run(find_fix(dev))
    assert FIX in said, said
    given = wait_for("the hook", lambda: hook(dev, tmp_path), PATIENCE_S)
    assert FIX in given["additionalContext"]


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


def agent(dev: Dev, workspace: Path, task: str) -> list[str]:
    """An agent process of its own; the ids of its attempts."""
    workspace.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.live_agent", str(workspace), task],
        cwd=PROJECT,
        env=dev.environment | BY_SENSOR_ALONE,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def mapping(dev: Dev) -> dict[str, Any] | None:
    """The counts of the one mapping."""
    rows = fetch_rows(
        dev.context.database,
        "select success_count, failure_count from debug_error_success_mappings where success_count > 0",
    )
    assert len(rows) <= 1, rows
    return rows[0] if rows else None


def statuses(dev: Dev, status: str) -> list[dict[str, Any]]:
    return [run for run in dev.ui.runs() if run["status"] == status and run["jobName"].startswith("debug_intelligence")]


def wait_until_quiet(dev: Dev) -> None:
    """No run is left of what was there before."""

    def quiet() -> bool:
        going = any(statuses(dev, status) for status in ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"))
        return not going and not dev.context.executions.dirty_days()

    wait_for("the runs before to end", quiet, PATIENCE_S)


def ids(dev: Dev, status: str) -> list[str]:
    return [run["runId"] for run in statuses(dev, status)]


def wait_until_serving(dev: Dev) -> None:
    def answers() -> bool:
        try:
            return bool(ask(socket_path(dev.data_dir), {"op": "ping"}, 2.0)["ok"])
        except ServeUnavailableError:
            return False

    wait_for("`serve`", answers, PATIENCE_S)


def hook(dev: Dev, home: Path) -> dict[str, Any] | None:
    """What the installed hook says to Claude Code about the error."""
    settings = home / ".claude" / "settings.json"
    environment = {name: value for name, value in dev.environment.items() if name != "CLAUDE_CONFIG_DIR"}
    if not settings.exists():
        install = [sys.executable, "-m", "debug_loop_pipeline.cli.main", "hooks", "install", "claude-code"]
        subprocess.run(install, cwd=PROJECT, env=environment | {"HOME": str(home)}, check=True, capture_output=True)
    (entry,) = json.loads(settings.read_text(encoding="utf-8"))["hooks"]["PostToolUseFailure"]
    payload = {
        "hook_event_name": "PostToolUseFailure",
        "session_id": "next",
        "cwd": str(home),
        "tool_name": "Bash",
        "tool_use_id": "toolu_next",
        "error": ERROR,
    }
    done = subprocess.run(
        ["sh", "-c", entry["hooks"][0]["command"]],
        input=json.dumps(payload),
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)["hookSpecificOutput"] if done.stdout else None


async def find_fix(dev: Dev) -> str:
    """What the MCP server answers, over stdio as an agent starts it."""
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "debug_loop_pipeline.cli.main", "mcp"],
        env=dev.environment | SHOWN,
        cwd=str(PROJECT),
    )
    async with Client(stdio_client(server), read_timeout_seconds=120) as client:
        result = await client.call_tool("find_fix", {"error": ERROR})
        assert not result.is_error, result
        return "".join(part.text for part in result.content)
