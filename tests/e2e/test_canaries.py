"""Fifty secrets through every door: nothing is left of them in any table, topic, spool, dead letter, cache, epoch, output or log."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

import psycopg2
import pytest
import redis

from debug_loop_pipeline.client import AgentExecutionLogger
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.kafka import (
    CONTRIBUTION_REJECTS,
    CONTRIBUTIONS,
    EXECUTION_REJECTS,
    EXECUTIONS,
    TRANSACTIONS,
    Message,
    partition_of,
)
from debug_loop_pipeline.importers.registry import NAMES, files_under
from debug_loop_pipeline.models.logger_options import LoggerOptions
from debug_loop_pipeline.models.servers import ServerAddresses
from debug_loop_pipeline.serving.address import socket_path
from debug_loop_pipeline.serving.manifest_injector import ManifestInjector
from debug_loop_pipeline.serving.socket_client import ServeUnavailableError, ask
from debug_loop_pipeline.settings import libpq_url
from debug_loop_pipeline.steps.contribution_intake import take_in
from tests.support.canaries import Canary, canaries, leaks, salted_file
from tests.support.events import attempt, fixed_task, uid
from tests.support.executions import Ingestion, empty_execution_topics, ingestion_on
from tests.support.ledger import wait_for

PROJECT = Path(__file__).parents[2]
TOLD = canaries()
MARK = b"<REDACTED:"
_LARGEST = 1_200_000
"""Of a real transcript that is salted."""


class Doors:
    """The processes of an installation, logging all they can, and what they print."""

    def __init__(self, ingestion: Ingestion, url: str, valkey_url: str, home: Path) -> None:
        self.ingestion = ingestion
        self.valkey_url = valkey_url
        self.home = home
        self.data_dir = ingestion.context.settings.data_dir
        self.printed = home / "printed"
        self.printed.mkdir()
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "DEBUG_LOOP_POSTGRES_URL": url,
            "DEBUG_LOOP_VALKEY_URL": valkey_url,
            "DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS": ingestion.servers,
            "DEBUG_LOOP_DATA_DIR": str(self.data_dir),
            "DEBUG_LOOP_LOG_LEVEL": "debug",
            "DEBUG_LOOP_ECONOMY_ENABLED": "true",
            "DEBUG_LOOP_RECOMMENDATION__HOLDOUT_SHARE": "0",
            "DEBUG_LOOP_MATCHING__ALGORITHM": "hybrid",
        }
        self.url = url
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        output = (self.printed / f"{len(self.processes)}-{arguments[0]}.log").open("wb")
        with output:
            process = subprocess.Popen(
                [sys.executable, "-m", "debug_loop_pipeline.cli.main", *arguments],
                cwd=PROJECT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def command(self, *arguments: str) -> bytes:
        process = self.start(*arguments)
        assert process.wait(300) == 0, (self.printed / f"{len(self.processes) - 1}-{arguments[0]}.log").read_text()
        return (self.printed / f"{len(self.processes) - 1}-{arguments[0]}.log").read_bytes()

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def count(self, query: str) -> int:
        return int(fetch_rows(self.ingestion.context.database, f"select count(*) as n from {query}")[0]["n"])

    # -- where something could be left -----------------------------------------------------------------------------

    def tables(self) -> Iterator[tuple[str, bytes]]:
        with closing(psycopg2.connect(libpq_url(self.url))) as connection, connection.cursor() as cursor:
            cursor.execute(
                "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
                " where c.relkind in ('r', 'p', 'm') and not c.relispartition and n.nspname not in ('pg_catalog', 'information_schema')"
            )
            names = [row[0] for row in cursor.fetchall()]
            assert len(names) > 40
            for name in names:
                cursor.execute(f"select * from {name}")
                for row in cursor:
                    yield f"table {name}", b"\x00".join(map(_bytes, row))

    def topics(self, *topics: Any) -> Iterator[tuple[str, bytes]]:
        for topic in topics:
            for message in self.ingestion.on_topic(topic):
                yield f"topic {topic.name}", (message.key or b"") + b"\x00" + (message.value or b"")

    def valkey(self) -> Iterator[tuple[str, bytes]]:
        with closing(redis.Redis.from_url(self.valkey_url)) as client:
            for key in client.scan_iter():
                yield "valkey", key + b"\x00" + (client.dump(key) or b"")

    def files(self, *roots: Path) -> Iterator[tuple[str, bytes]]:
        for root in roots:
            for path in sorted(root.rglob("*")):
                if path.is_file():
                    yield f"file {path.relative_to(root)}", path.read_bytes() + b"\x00" + str(path).encode()


def _bytes(value: Any) -> bytes:
    if isinstance(value, memoryview | bytes):
        return bytes(value)
    return (
        json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    ).encode()


@pytest.fixture
def doors(
    store_urls: Callable[[], str],
    kafka: ServerAddresses,
    valkey_url: str,
    short_directory: Path,
    tmp_path: Path,
) -> Iterator[Doors]:
    servers = kafka.kafka_bootstrap_servers
    assert servers is not None
    empty_execution_topics(servers)
    url = store_urls()
    with ingestion_on(url, servers, short_directory / "data") as ingestion:
        ingestion.kafka.ensure_topics(
            [EXECUTIONS, EXECUTION_REJECTS, CONTRIBUTIONS, CONTRIBUTION_REJECTS, TRANSACTIONS]
        )
        made = Doors(ingestion, url, valkey_url, tmp_path)
        try:
            yield made
        finally:
            made.stop()


def tell_live(data_dir: Path) -> None:
    """The logger, with no broker in reach: everything is in the spool. In a process of its own, whose spool is free when it ends."""
    options = LoggerOptions(learn=False, block_ms=20_000)
    logger = AgentExecutionLogger("canary", data_dir=data_dir, servers="127.0.0.1:1", options=options)
    for number, canary in enumerate(TOLD):
        begun = logger.start(
            f"use {canary.text}",
            task=f"canary-{number}",
            session_id=f"session {canary.text}",
            peer_id="peer",
            context={
                "repository": "me/mine",
                "branch": canary.text,
                "cwd": f"/home/me/{number}",
                "commit": f"{number:040x}",
            },
            metadata={canary.text: 1, "deep": [{"x": (canary.text,)}]},
        )
        logger.progress(
            begun,
            edits=[{"path": "a.py", "before": canary.text, "after": f"x = 1\n{canary.text}\n", "said": canary.text}],
            commands=[{"command": f"run <<E\n{canary.text}\nE", "exit_code": 1, "said": canary.text}],
            tools_used=["Bash", canary.text],
            files_modified=[f"b/{number}.py"],
        )
        done = logger.complete(
            "error",
            begun,
            errors=[
                {"type": "ValueError", "message": canary.text, "stacktrace": f"at x\n{canary.text}\n", "tool": "pytest"}
            ],
            code_written=[
                {"path": f"c/{number}.py", "content": f"def f{number}():\n    return '''\n{canary.text}\n'''\n"},
                {"path": f"{canary.text} /c.py", "content": canary.text},
            ],
            verifications=[{"command": f"pytest {number}", "goal": "pytest", "verdict": "fail", "exit_code": 1}],
            approach_description=canary.text,
        )
        assert done.acknowledged, done
    logger.close(wait_s=0.1)


def told_by_strangers(doors: Doors) -> int:
    """Messages of others on the topics, secrets and all: events, and what is none; how many of executions."""
    messages: list[tuple[str, bytes | None]] = []
    for number, canary in enumerate(TOLD):
        event = attempt(f"stranger-{number}", f"strange-task-{number}", minutes=number, failed=True, error=canary.text)
        whole = json.loads(event.model_dump_json()) | {"user_request": canary.text, "session_id": canary.text}
        messages.append((str(event.correlation_id), json.dumps(whole).encode()))
        messages.append((canary.text, canary.text.encode()))
        messages.append((f"k-{number}", json.dumps({**whole, "started_at": canary.text}).encode()))
        messages.append(
            (f"l-{number}", json.dumps({**whole, canary.text: canary.text, "status": canary.text}).encode())
        )
        messages.append((f"m-{number}", json.dumps({**whole, "started_at": "1999-01-01T00:00:00Z"}).encode()))
    doors.ingestion.put(messages)
    contributions: list[Message] = []
    for number, canary in enumerate(TOLD):
        code = f'def get_{number}(a, b):\n    """Adds."""\n    value = """\n{canary.text}\n"""\n    total = a + b\n    return total, value\n'
        given: dict[str, Any] = {
            "contribution_id": f"c-{number} {canary.text}"[:400],
            "peer_id": f"peer-{number}",
            "kind": "stf",
            "attempt_id": str(uid(f"stranger-{number}")),
            "code": code,
            "language": "python",
            "path": f"{canary.text} /c.py",
        }
        for key, value in ((f"p-{number}", given), (canary.text, {**given, "kind": canary.text})):
            contributions.append(Message(partition_of(key), key.encode(), json.dumps(value).encode()))
        contributions.append(Message(partition_of(canary.text), canary.text.encode(), canary.text.encode()))
    doors.ingestion.kafka.publish(CONTRIBUTIONS, contributions)
    return len(messages)


def told_in_transcripts(doors: Doors, shared_data: Path) -> set[str]:
    """A transcript of every format there is, each with all canaries; the formats."""
    smallest: dict[str, tuple[int, Path]] = {}
    for importer, path in files_under(shared_data):
        size = path.stat().st_size
        if 1_000 < size < _LARGEST and (importer.name not in smallest or smallest[importer.name][0] > size):
            smallest[importer.name] = size, path
    folder = doors.home / "transcripts"
    for name, (_, path) in smallest.items():
        place = folder / name / path.parent.name / path.name
        place.parent.mkdir(parents=True)
        place.write_text(salted_file(path.read_text(encoding="utf-8"), TOLD), encoding="utf-8")
    events = [json.loads(event.model_dump_json()) for event in fixed_task("salted", day=0)]
    own = {
        "jsonl/events.jsonl": "\n".join(json.dumps(event) for event in events),
        "atif/trajectory.json": json.dumps(_atif()),
    }
    for name, text in own.items():
        place = folder / name
        place.parent.mkdir(parents=True)
        place.write_text(salted_file(text, TOLD), encoding="utf-8")
    printed = doors.command("import", "auto", str(folder), "--json")
    summary = json.loads(printed[printed.index(b"{\n") :])
    return set(summary["formats"])


def _atif() -> dict[str, Any]:
    calls = [
        {"tool_call_id": f"c-{n}", "function_name": "bash", "arguments": {"command": f"pytest -k {n}"}}
        for n in range(30)
    ]
    results = [{"source_call_id": f"c-{n}", "content": "1 failed\n[exit code: 1]"} for n in range(30)]
    return {
        "schema_version": "ATIF-v1.6",
        "session_id": "atif-canary",
        "agent": {"name": "terminus", "version": "2", "model_name": "anthropic/claude-x"},
        "steps": [
            {"step_id": 1, "timestamp": "2026-01-01T00:00:00Z", "source": "user", "message": "fix the test"},
            {
                "step_id": 2,
                "timestamp": "2026-01-01T00:00:05Z",
                "source": "agent",
                "message": "I run the tests",
                "tool_calls": calls,
                "observation": {"results": results},
            },
        ],
    }


def told_by_ci(doors: Doors) -> None:
    cases = "".join(
        f"<testcase classname={quoteattr(canary.text)} name={quoteattr(f'test {canary.text}')}>"
        f"<failure message={quoteattr(canary.text)}>{escape(canary.text)}</failure>"
        f"<system-out>{escape(canary.text)}</system-out></testcase>"
        for canary in TOLD
    )
    report = doors.home / "junit.xml"
    report.write_text(f"<testsuite name='all' tests='{len(TOLD)}'>{cases}</testsuite>", encoding="utf-8")
    for number in range(0, len(TOLD), 10):
        arguments = ["--correlation", str(uid(f"strange-task-{number}")), "--junit", str(report)]
        # The last one computes everything that was told.
        arguments += ["--leave-to-sensor"] * (number + 10 < len(TOLD))
        doors.command("verdict", *arguments, "--name", TOLD[number].text, "--repository", TOLD[number + 1].text)


def told_by_agents(doors: Doors) -> None:
    """Hooks, the socket and the Python API."""
    hook = PROJECT / "debug_loop_pipeline" / "serving" / "agent_hook.py"
    command = [
        sys.executable,
        "-I",
        "-S",
        str(hook),
        "claude-code",
        str(doors.data_dir),
        str(socket_path(doors.data_dir)),
    ]
    injector = ManifestInjector(doors.data_dir, timeout_s=10, in_process=False)
    known = "KeyError: 'name'"
    for number, canary in enumerate(TOLD):
        about = {"session_id": canary.text[:390], "cwd": str(doors.home)}
        for payload in (
            {"hook_event_name": "UserPromptSubmit", "prompt": f"{canary.text}\n{known}", **about},
            {
                "hook_event_name": "PostToolUseFailure",
                "error": f"{canary.text}\n{known}",
                "tool_use_id": canary.text,
                **about,
            },
            {"hook_event_name": "SessionEnd", "transcript_path": f"/nowhere/{canary.text}", **about},
        ):
            if number % 5 == 0:
                done = subprocess.run(
                    command, input=json.dumps(payload).encode(), capture_output=True, check=False, timeout=30
                )
                (doors.printed / f"hook-{number}-{payload['hook_event_name']}").write_bytes(done.stdout + done.stderr)
        asked = {
            "agent": canary.text[:190],
            "repository": canary.text,
            "session_id": canary.text[:390],
            "tool_call_id": canary.text[:390],
        }
        for question in (
            {"error": f"{canary.text}\n{known}"},
            {"request": canary.text, "category": canary.text},
            {"request": canary.text, "known_failures": True},
        ):
            answer = injector.ask(with_manifest=True, **question, **asked)
            (doors.printed / f"answer-{number}").write_bytes(json.dumps(answer).encode())
            assert "error" not in answer or not answer["ok"], answer
        if number % 5 == 0:
            served = injector.ask(error=known, **asked)["recommendation_id"]
            assert injector.report_outcome(served, helped=True, note=canary.text)
            assert not injector.report_outcome(str(uuid4()), helped=True, note=canary.text)
            refused = ask(
                socket_path(doors.data_dir), {"op": canary.text, canary.text: canary.text, "functions": canary.text}, 10
            )
            (doors.printed / f"refused-{number}").write_bytes(json.dumps(refused).encode())


async def told_over_mcp(doors: Doors) -> None:
    """The MCP server as agents start it, over standard input and output, by the official SDK's client."""
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    session = TOLD[7].text.replace("\n", " ")
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "debug_loop_pipeline.cli.main", "mcp", "--session", session],
        env={**doors.environment, "PYTHONPATH": str(PROJECT)},
    )
    with (
        (doors.printed / "mcp.log").open("w", encoding="utf-8") as log,
        (doors.printed / "mcp-answers").open("wb") as out,
    ):
        async with Client(stdio_client(parameters, errlog=log), read_timeout_seconds=60) as client:

            async def call(name: str, **arguments: Any) -> str:
                result = await client.call_tool(name, arguments)
                said = "".join(part.text for part in result.content)
                assert not result.is_error, said
                out.write(said.encode())
                return said

            for canary in TOLD:
                fix = await call("find_fix", error=f"{canary.text}\nKeyError: 'name'", repository=canary.text)
                await call("find_solution", request=canary.text, repository=canary.text)
                await call("known_failures", request=canary.text)
                served = fix.rpartition("Recommendation ")[2].partition(":")[0]
                await call("report_outcome", recommendation_id=served, helped=True, note=canary.text)
                # What does not fit is refused. The refusal may name it to who told it, and nobody else.
                refused = await client.call_tool(
                    "report_outcome", {"recommendation_id": canary.text, "helped": canary.text}
                )
                assert refused.is_error


def told_over_the_broker(doors: Doors) -> list[str]:
    """The logger, strangers and contributors; where something is left in the spool, or of the logger on the topic."""
    assert len(TOLD) == 50
    assert len({canary.secret for canary in TOLD}) == 50
    code = "import sys, pathlib; from tests.e2e.test_canaries import tell_live; tell_live(pathlib.Path(sys.argv[1]))"
    logged = subprocess.run(
        [sys.executable, "-c", code, str(doors.data_dir)],
        cwd=PROJECT,
        env=doors.environment,
        capture_output=True,
        check=False,
    )
    (doors.printed / "logger").write_bytes(logged.stdout + logged.stderr)
    assert logged.returncode == 0, logged.stderr.decode()
    spooled = list(doors.files(doors.data_dir))
    assert sum(data.count(MARK) for _, data in spooled) > 5 * len(TOLD), "the spool is not where it is looked for"
    found = leaks(TOLD, spooled)

    doors.start("consume")
    assert wait_for(lambda: doors.count("execution_inbox") >= len(TOLD), seconds=90)
    found += leaks(TOLD, doors.topics(EXECUTIONS))

    told = told_by_strangers(doors)
    assert wait_for(
        lambda: doors.count("execution_inbox") + len(doors.ingestion.dead_letters()) >= len(TOLD) + told, seconds=90
    )
    taken = take_in(doors.ingestion.context, doors.ingestion.kafka)
    assert taken.messages == 3 * len(TOLD)
    return found


def left(doors: Doors, *, least_in_tables: int, least_printed: int) -> list[str]:
    """Where something is left when all processes have ended; so many marks of redaction have to be there at least."""
    letters = list(doors.topics(EXECUTION_REJECTS, CONTRIBUTION_REJECTS))
    assert len(letters) >= 4 * len(TOLD)
    tables = list(doors.tables())
    assert sum(data.count(MARK) for _, data in tables) > least_in_tables
    printed = list(doors.files(doors.printed))
    assert sum(data.count(MARK) for _, data in printed) >= least_printed
    found = leaks(TOLD, letters)
    found += leaks(TOLD, tables)
    found += leaks(TOLD, doors.topics(TRANSACTIONS))
    found += leaks(TOLD, doors.valkey())
    found += leaks(TOLD, doors.files(doors.data_dir))
    found += leaks(TOLD, printed)
    return found


def assert_none(found: list[str]) -> None:
    assert not found, f"{len(found)} leaks: {sorted(set(found))[:60]}"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kafka", ["apache"], indirect=True)
def test_nothing_is_left_of_fifty_secrets_that_go_over_the_other_broker(doors: Doors) -> None:
    """What differs between the brokers; no other door leads over one."""
    found = told_over_the_broker(doors)
    doors.stop()
    assert_none(found + left(doors, least_in_tables=10 * len(TOLD), least_printed=0))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kafka", ["tansu"], indirect=True)
def test_nothing_is_left_of_fifty_secrets_anywhere(doors: Doors, shared_data: Path) -> None:
    found = told_over_the_broker(doors)
    formats = told_in_transcripts(doors, shared_data)
    assert formats == set(NAMES), set(NAMES) - formats
    told_by_ci(doors)

    doors.start("serve")
    assert wait_for(lambda: _serves(doors), seconds=90)
    told_by_agents(doors)
    noted = doors.count("recommendations where outcome_note is not null")
    asyncio.run(told_over_mcp(doors))
    assert doors.count("recommendations where outcome_note is not null") >= noted + len(TOLD)
    doors.command("manifest", "--error", TOLD[0].text, "--request", TOLD[1].text, "--session", TOLD[2].text, "--json")
    doors.command("report", "--html", str(doors.printed / "report.html"))
    for arguments in (
        ("report", "--json"),
        ("rejects", "--json"),
        ("errors", "top", "--json"),
        ("stf", "list", "--json"),
    ):
        doors.command(*arguments)
    doors.stop()
    assert doors.count("recommendations where arm = 'treatment'") >= len(TOLD)
    assert_none(found + left(doors, least_in_tables=20 * len(TOLD), least_printed=len(TOLD) + 1))


def _serves(doors: Doors) -> bool:
    try:
        return ask(socket_path(doors.data_dir), {"op": "ping"}, 1).get("epoch") is not None
    except ServeUnavailableError:
        return False


def test_a_canary_that_stays_is_found() -> None:
    canary: Canary = TOLD[0]
    assert leaks(TOLD, [("here", f"x {canary.text} y".encode())]) == [f"here: {canary.kind}"]
    assert leaks(TOLD, [("here", json.dumps({"a": canary.secret}).encode())]) == [f"here: {canary.kind}"]
