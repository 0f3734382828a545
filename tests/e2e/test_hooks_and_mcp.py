"""Agents as they really ask: hook commands out of installed settings, the official MCP client, against a real `serve`."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.serving.address import socket_path
from debug_loop_pipeline.serving.socket_client import ServeUnavailableError, ask
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_dirty_days
from tests.support.events import fixed_task

PROJECT = Path(__file__).parents[2]
FIX = 'record.get("name", default)'
REQUEST = "Fix the reader of names in config.py, it fails on a missing name"
TOKEN = "a-token-of-more-than-sixteen-characters"


@dataclass
class Installation:
    """A store that knows three fixed tasks, its data directory and the environment of its commands."""

    url: str
    data_dir: Path
    home: Path
    environment: dict[str, str]

    def command(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "debug_loop_pipeline.cli.main", *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **more,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "debug_loop_pipeline.cli.main", *arguments],
            cwd=PROJECT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def wait_until_serving(self) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                if ask(socket_path(self.data_dir), {"op": "ping"}, 1).get("epoch") is not None:
                    return
            except ServeUnavailableError:
                pass
            assert time.monotonic() < until, "`serve` did not come up"
            time.sleep(0.05)

    def hook(self, event: str, **payload: Any) -> dict[str, Any] | None:
        """What a hook of the installed settings says, run as Claude Code runs it."""
        settings = json.loads((self.home / ".claude" / "settings.json").read_text(encoding="utf-8"))
        (entry,) = settings["hooks"][event]
        done = subprocess.run(
            ["sh", "-c", entry["hooks"][0]["command"]],
            input=json.dumps({"hook_event_name": event, "cwd": str(self.home), **payload}),
            env={"HOME": str(self.home), "PATH": os.environ["PATH"]},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)["hookSpecificOutput"] if done.stdout else None

    def patient_hook(self, event: str, **payload: Any) -> dict[str, Any] | None:
        """The same, asked again: on a busy machine an answer may come after the deadline."""
        for _ in range(20):
            said = self.hook(event, **payload)
            if said is not None:
                return said
        return None


@pytest.fixture(scope="module")
def installation(
    postgres_server_url: str, priced: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    from tests.conftest import _create, _drop, _make_test_directory

    name = f"agents_{os.getpid()}"
    url = _create(postgres_server_url, name, priced)
    data_dir, home = _make_test_directory() / "data", tmp_path_factory.mktemp("home")
    with closing(Database(url)) as database:
        store = StepContext(database, Settings(data_dir=data_dir))
        ingest_events(store, [event for day in range(3) for event in fixed_task(f"task-{day}", day=day)], "test")
        run_dirty_days(store)
    environment = {
        **os.environ,
        "HOME": str(home),
        "DEBUG_LOOP_POSTGRES_URL": url,
        "DEBUG_LOOP_DATA_DIR": str(data_dir),
        "DEBUG_LOOP_RECOMMENDATION__HOLDOUT_SHARE": "0",
        "DEBUG_LOOP_MCP_TOKEN": TOKEN,
    }
    environment.pop("CLAUDE_CONFIG_DIR", None)
    made = Installation(url, data_dir, home, environment)
    assert made.command("hooks", "install", "claude-code").returncode == 0
    yield made
    _drop(postgres_server_url, name)
    shutil.rmtree(data_dir.parent, ignore_errors=True)


@pytest.fixture(scope="module")
def serve(installation: Installation) -> Iterator[subprocess.Popen[str]]:
    process = installation.start("serve")
    try:
        installation.wait_until_serving()
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


def failure(error: str, **more: Any) -> dict[str, Any]:
    return {"session_id": "s-1", "tool_name": "Bash", "tool_use_id": "toolu_1", "error": error, **more}


def test_hooks_answer_import_the_session_and_know_its_fix_for_the_next(
    installation: Installation, serve: subprocess.Popen[str]
) -> None:
    said = installation.patient_hook("PostToolUseFailure", **failure("Exit code 1\nKeyError: 'name'"))
    assert said is not None
    assert said["hookEventName"] == "PostToolUseFailure"
    assert FIX in said["additionalContext"]
    said = installation.patient_hook("UserPromptSubmit", session_id="s-1", prompt=REQUEST)
    assert said is not None
    assert "read_name" in said["additionalContext"]
    assert installation.hook("PostToolUseFailure", **failure("KeyError: 'name'", is_interrupt=True)) is None
    assert installation.hook("PostToolUseFailure", **failure("ZeroDivisionError: division by zero")) is None

    transcript = write_session(installation.home)
    error = "AttributeError: 'NoneType' object has no attribute 'strip_units'"
    assert installation.hook("PostToolUseFailure", **failure(error)) is None
    assert installation.hook("SessionEnd", session_id="s-2", transcript_path=str(transcript), reason="exit") is None
    until = time.monotonic() + 60
    while (said := installation.hook("PostToolUseFailure", **failure(error))) is None:
        assert time.monotonic() < until, "the fix of the ended session is not served"
        time.sleep(0.2)
    assert "value or Quantity(0)" in said["additionalContext"]
    with closing(Database(installation.url)) as database:
        rows = fetch_rows(database, "select session_id, tool_call_id, occasion, arm from recommendations")
    assert ("s-1", "toolu_1", "failure", "treatment") in {tuple(row.values()) for row in rows}


async def _use_tools(server: Any) -> dict[str, str]:
    from mcp import Client

    said: dict[str, str] = {}
    async with Client(server, read_timeout_seconds=60) as client:
        tools = await client.list_tools()
        said["tools"] = " ".join(sorted(tool.name for tool in tools.tools))

        async def call(name: str, **arguments: Any) -> str:
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result
            return "".join(part.text for part in result.content)

        said["find_fix"] = await call("find_fix", error="KeyError: 'name'")
        said["unknown"] = await call("find_fix", error="ZeroDivisionError: division by zero")
        said["find_solution"] = await call("find_solution", request=REQUEST)
        said["known_failures"] = await call("known_failures", request=REQUEST)
        recommendation = said["find_fix"].rpartition("Recommendation ")[2].partition(":")[0]
        said["report"] = await call("report_outcome", recommendation_id=recommendation, helped=True, note="as told")
        said["report_unknown"] = await call(
            "report_outcome", recommendation_id="00000000-0000-0000-0000-000000000000", helped=False
        )
    return said


def check(said: dict[str, str]) -> None:
    assert said["tools"] == "find_fix find_solution known_failures report_outcome"
    assert FIX in said["find_fix"]
    assert said["unknown"] == "Nothing is known about this."
    assert "def read_name" in said["find_solution"]
    (known,) = json.loads(said["known_failures"])
    assert (known["error_type"], known["tasks"]) == ("KeyError", 3)
    assert known["helped"][0]["helped_tasks"] == 3
    assert said["report"] == "Thank you."
    assert said["report_unknown"] == "No such recommendation."


def test_http_wants_the_token(installation: Installation, serve: subprocess.Popen[str]) -> None:
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = installation.start("mcp", "--http", "--port", str(port))
    try:
        url = f"http://127.0.0.1:{port}/mcp"
        until = time.monotonic() + 60
        with httpx2.Client(trust_env=False) as plain:
            while True:
                try:
                    status = plain.post(url, json={}).status_code
                    break
                except httpx2.TransportError:
                    assert time.monotonic() < until
                    time.sleep(0.1)
            assert status == 401
            assert plain.post(url, json={}, headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
            foreign = {"Authorization": f"Bearer {TOKEN}", "Host": "evil.example"}
            assert plain.post(url, json={}, headers=foreign).status_code in (403, 421)

        async def with_token() -> dict[str, str]:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http:
                return await _use_tools(streamable_http_client(url, http_client=http))

        check(asyncio.run(with_token()))
    finally:
        process.terminate()
        process.wait(30)


def test_it_ends_in_order_and_killed_it_costs_answers_only(
    installation: Installation, serve: subprocess.Popen[str]
) -> None:
    told = installation.command("serve", "--status", "--json")
    assert json.loads(told.stdout)["pid"] == serve.pid
    serve.terminate()
    assert serve.wait(30) == 0
    assert not socket_path(installation.data_dir).exists()

    killed = installation.start("serve")
    installation.wait_until_serving()
    killed.kill()
    killed.wait(10)
    assert socket_path(installation.data_dir).exists()
    assert installation.hook("PostToolUseFailure", **failure("KeyError: 'name'")) is None
    transcript = write_session(installation.home, "killed")
    began = time.monotonic()
    script = installation.home / ".claude" / "settings.json"
    # Detached, the import gets the agent's environment; the store's address is in it as in a shell profile.
    (entry,) = json.loads(script.read_text(encoding="utf-8"))["hooks"]["SessionEnd"]
    payload = {"hook_event_name": "SessionEnd", "session_id": "killed", "transcript_path": str(transcript)}
    done = subprocess.run(
        ["sh", "-c", entry["hooks"][0]["command"]],
        input=json.dumps(payload),
        env=installation.environment,
        cwd=installation.home,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 0
    assert time.monotonic() - began < 5  # at once, and an interpreter's start on a busy machine
    until = time.monotonic() + 60
    with closing(Database(installation.url)) as database:
        while not fetch_rows(database, "select 1 from execution_inbox where session_id = 'killed'"):
            assert time.monotonic() < until, "the session is not imported"
            time.sleep(0.2)
    assert installation.command("serve", "--status").returncode == 1


def test_the_official_client_uses_the_tools_over_stdio_without_serve(installation: Installation) -> None:
    from mcp import StdioServerParameters

    environment = {**installation.environment, "PYTHONPATH": str(PROJECT)}
    arguments = ["-m", "debug_loop_pipeline.cli.main", "mcp", "--session", "mcp-session"]
    check(asyncio.run(_use_tools(StdioServerParameters(command=sys.executable, args=arguments, env=environment))))
    with closing(Database(installation.url)) as database:
        rows = fetch_rows(
            database,
            "select outcome, outcome_note from recommendations where session_id = 'mcp-session' and outcome is not null",
        )
    assert rows == [{"outcome": "helped", "outcome_note": "as told"}]


def test_what_the_command_gives_is_recorded_and_held_out_like_the_rest(installation: Installation) -> None:
    told = installation.command("manifest", "--error", "KeyError: 'name'", "--session", "cli-shown", "--json")
    shown = json.loads(told.stdout)
    assert FIX in shown["fixes"][0]["template"] + shown["fixes"][0]["example_diff"]
    assert installation.command("manifest", "--error", "ZeroDivisionError: x", "--session", "cli-unknown").stdout == ""
    everything = {**installation.environment, "DEBUG_LOOP_RECOMMENDATION__HOLDOUT_SHARE": "1"}
    held = subprocess.run(
        [
            sys.executable,
            "-m",
            "debug_loop_pipeline.cli.main",
            "manifest",
            "--request",
            REQUEST,
            "--session",
            "cli-held",
        ],
        cwd=PROJECT,
        env={**everything, "DEBUG_LOOP_MATCHING__ALGORITHM": "hybrid"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (held.returncode, held.stdout) == (0, "")
    query = (
        "select session_id, arm, recommendation_id::text as id, cardinality(stf_hashes) as functions from recommendations"
        " where session_id like 'cli-%' order by session_id"
    )
    with closing(Database(installation.url)) as database:
        rows = fetch_rows(database, query)
    assert [(row["session_id"], row["arm"], row["functions"]) for row in rows] == [
        ("cli-held", "holdout", 1),
        ("cli-shown", "treatment", 0),
    ]
    assert rows[1]["id"] == shown["recommendation_id"]


def test_http_without_a_token_does_not_start(installation: Installation) -> None:
    for token in ("", "short"):
        environment = {**installation.environment, "DEBUG_LOOP_MCP_TOKEN": token}
        done = subprocess.run(
            [sys.executable, "-m", "debug_loop_pipeline.cli.main", "mcp", "--http"],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert "DEBUG_LOOP_MCP_TOKEN" in done.stderr


def test_watch_imports_what_appears(installation: Installation) -> None:
    folder = installation.home / ".claude" / "projects"
    process = installation.start("watch", "--every", "0.2")
    try:
        write_session(installation.home, "watched")
        assert folder.is_dir()
        until = time.monotonic() + 60
        with closing(Database(installation.url)) as database:
            query = "select 1 from debug_execution_attempts where session_id = 'watched'"
            while not fetch_rows(database, query):
                assert time.monotonic() < until, "the session is not imported"
                time.sleep(0.2)
    finally:
        process.terminate()
        assert process.wait(30) == 0


def write_session(home: Path, session: str = "s-2") -> Path:
    """A Claude Code transcript: a test fails, an edit follows, the test passes."""
    folder = home / ".claude" / "projects" / "-home-me-units"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{session}.jsonl"
    lines: list[dict[str, Any]] = []

    def add(kind: str, content: Any, **more: Any) -> None:
        number = len(lines)
        message = {"role": kind, "content": content}
        if kind == "assistant":
            message |= {"id": f"msg-{session}-{number}", "model": "claude-sonnet-4-5", "type": "message"}
            message |= {"usage": {"input_tokens": 10, "output_tokens": 5}}
        lines.append(
            {
                "parentUuid": lines[-1]["uuid"] if lines else None,
                "isSidechain": False,
                "userType": "external",
                "cwd": "/home/me/units",
                "sessionId": session,
                "version": "2.0.0",
                "gitBranch": "main",
                "type": kind,
                "message": message,
                "uuid": f"{session}-{number}",
                "timestamp": f"2026-04-01T10:00:{number:02d}.000Z",
                **more,
            }
        )

    def call(name: str, result: str, is_error: bool = False, extra: Any = None, **arguments: Any) -> None:
        call_id = f"toolu-{session}-{len(lines)}"
        add("assistant", [{"type": "tool_use", "id": call_id, "name": name, "input": arguments}])
        block = {"type": "tool_result", "tool_use_id": call_id, "content": result, "is_error": is_error}
        add("user", [block], toolUseResult=extra if extra is not None else result)

    error = "AttributeError: 'NoneType' object has no attribute 'strip_units'"
    output = (
        "Exit code 1\n=================================== FAILURES ===================================\n"
        "__________________________________ test_units __________________________________\n\n"
        "    def test_units():\n>       assert plain(None) == 0\n\ntests/test_units.py:5: \n"
        "units.py:3: AttributeError\n"
        f"E       {error}\n\nunits.py:3: AttributeError\n"
        "=========================== short test summary info ============================\n"
        f"FAILED tests/test_units.py::test_units - {error}\n"
        "============================== 1 failed in 0.02s ===============================\n"
    )
    add("user", "Make plain() cope with a missing value")
    call("Bash", output, True, command="pytest -q tests/test_units.py")
    old, new = "    return value.strip_units()", "    return (value or Quantity(0)).strip_units()"
    call(
        "Edit",
        "The file units.py has been updated.",
        extra={"filePath": "/home/me/units/units.py", "oldString": old, "newString": new},
        file_path="/home/me/units/units.py",
        old_string=old,
        new_string=new,
    )
    call("Bash", "1 passed in 0.01s", command="pytest -q tests/test_units.py")
    add("assistant", [{"type": "text", "text": "Done."}])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path
