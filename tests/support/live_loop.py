"""The whole loop, live, over a `debug-loop dev`: an agent process fails, fixes and succeeds, and the next one is given its fix."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.serving.address import socket_path
from debug_loop_pipeline.serving.socket_client import ServeUnavailableError, ask
from tests.support.dev_process import Dev, wait_for

PROJECT = Path(__file__).parents[2]
ERROR = "Traceback (most recent call last):\nKeyError: 'title'"
FIX = "record.get('title', 'untitled')"
CELERY_TASK = "dagster-celery/task_id"
TASKS = 3
PATIENCE_S = 300.0
SHOWN = {"DEBUG_LOOP_RECOMMENDATION__HOLDOUT_SHARE": "0"}
"""What a `dev` under test is started with."""
BY_SENSOR_ALONE = {"DEBUG_LOOP_LOGGER__LEARN": "false"}
"""The agent does not run the debug loop for its attempts itself."""


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


def statuses(dev: Dev, status: str) -> list[dict[str, Any]]:
    return [run for run in dev.ui.runs() if run["status"] == status and run["jobName"].startswith("debug_intelligence")]


def wait_until_quiet(dev: Dev) -> None:
    """No run is left of what was there before."""

    def quiet() -> bool:
        going = any(statuses(dev, status) for status in ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"))
        return not going and not dev.context.executions.dirty_days()

    wait_for("the runs before to end", quiet, PATIENCE_S)
