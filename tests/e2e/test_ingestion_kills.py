"""Live ingestion under kill -9: agents, their relays, consumers, daemon, run workers and all servers die while 5,000 attempts flow.

Every event that a logger acknowledged is in the inbox once, and all tables equal those of a run in which nothing died.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import psutil
import pytest

from debug_loop_pipeline.cli.consume import executions_consumed
from debug_loop_pipeline.cli.dagster_home import write_dagster_home, write_workspace
from debug_loop_pipeline.cli.dev import Children
from debug_loop_pipeline.client.spool import SPOOL, Record, Spool
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.embedded.postgres import create_database
from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.resources.dagster_storage import PooledPostgresStorage, pooled_engine
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import StepContext, chunks
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.model_prices import seed
from debug_loop_pipeline.steps.run_all import run_dirty_days
from tests.conftest import _create, _drop
from tests.support import failpoints
from tests.support.digests import table_digests
from tests.support.ingestion_workers import OPTIONS, consume, log, told
from tests.support.ledger import PATIENT, wait_for
from tests.support.ledger_workers import Count, Servers, Worker
from tests.support.own_servers import Broker, kill_server

AGENTS = 3
ATTEMPTS = 5_000
KILLED = {"valkey": 3, "postgres": 4, "daemon": 2, "run worker": 2}
KAFKA_KILLED = {"apache": 2, "tansu": 4}
"""What comes back with all it confirmed is killed less often than what comes back empty. Besides: each failpoint, and each process that is killed at a moment of its own to make room for one that has a failpoint."""
SEED = 11
PATIENCE_S = 400.0
ORPHAN_EVERY_S = 1.0
CRASHED = AGENTS
"""The agent that the test itself plays: it crashes whenever it has written."""
NOT_COMPARED = {"stf_matches", "consumer_offsets", "ledger_epoch"}
"""Matches depend on the epoch at the time, offsets on how often the spools were sent; a ledger's epoch is drawn."""


EACH = ATTEMPTS // AGENTS + 1


def plan(first: int, last: int) -> list[ExecutionEvent]:
    """What the agents tell from one place of their plans to another."""
    return [told(agent, n) for agent in range(AGENTS) for n in range(first, last)]


@pytest.fixture(scope="module")
def straight_template(postgres_server_url: str, priced: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Name of a database in which the plan was carried out and nothing died."""
    name = "ingested_straight"
    database = Database(_create(postgres_server_url, name, priced))
    context = StepContext(database, Settings(data_dir=tmp_path_factory.mktemp("straight")))
    for chunk in chunks(plan(0, EACH), 500):
        ingest_events(context, chunk, "test")
    run_dirty_days(context)
    database.close()
    yield name
    _drop(postgres_server_url, name)


@pytest.fixture
def straight(
    straight_template: str, store_urls: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StepContext]:
    """What comes of the plan without Kafka and without kills: a store of each test's own, since what is told besides differs."""
    database = Database(store_urls(straight_template))
    yield StepContext(database, Settings(data_dir=tmp_path_factory.mktemp("straight")))
    database.close()


def digests_with(context: StepContext, more: list[ExecutionEvent]) -> dict[str, str]:
    """Digests of all tables, some more events taken in."""
    ingest_events(context, more, "test")
    run_dirty_days(context)
    return compared(context)


def compared(context: StepContext) -> dict[str, str]:
    return {table: d for table, d in table_digests(context.database).items() if table not in NOT_COMPARED}


class Dagster:
    """The code server of `debug-loop dev` and the stock daemon, on the sensors' own.

    The daemon of `dev` looks more often, and asks for so many more runs while attempts flow that the test takes a third more CPU.
    """

    def __init__(self, settings: Settings, environment: dict[str, str]) -> None:
        create_database(settings.require_dagster_postgres_url())
        PooledPostgresStorage(settings.require_dagster_postgres_url())
        self._storage = settings.require_dagster_postgres_url()
        home = write_dagster_home(settings)
        config = home / "dagster.yaml"
        written = config.read_text(encoding="utf-8")
        assert "poll_interval_seconds: 10" in written
        config.write_text(written.replace("poll_interval_seconds: 10", "poll_interval_seconds: 3"), encoding="utf-8")
        logs = settings.data_dir / "logs"
        logs.mkdir()
        self._children = Children(logs, {**os.environ, **environment, "DAGSTER_HOME": str(home)})
        socket = home / "code.sock"
        self._workspace = str(write_workspace(home, socket))
        module = "debug_loop_pipeline.definitions"
        self._code = self._children.start(
            "dagster-code", "debug_loop_pipeline.processes.code_server", "-s", str(socket), "-m", module
        )
        assert wait_for(socket.exists, PATIENCE_S, every=0.1)
        self._daemon = self._start_daemon()

    def _start_daemon(self) -> psutil.Process:
        return psutil.Process(
            self._children.start("dagster-daemon", "dagster._daemon", "run", "-w", self._workspace).popen.pid
        )

    def kill_daemon(self) -> None:
        """kill -9, and another one."""
        for process in [*self._daemon.children(recursive=True), self._daemon]:
            process.kill()
        self._daemon.wait()
        self._daemon = self._start_daemon()

    def kill_run_worker(self) -> bool:
        """kill -9 of a process that executes a run; False where none does."""
        code = psutil.Process(self._code.popen.pid)
        # The code server's children are what forks the runs, and what minds resources.
        workers = [run for child in code.children() for run in child.children()]
        for process in workers[:1]:
            process.kill()
        return bool(workers)

    def stop(self) -> None:
        """Ends all of it."""
        self._children.stop()
        pooled_engine(self._storage).dispose()


@contextmanager
def store_on(servers: Servers, data_dir: Path) -> Iterator[StepContext]:
    database = Database(servers.postgres, policy=PATIENT)
    try:
        yield StepContext(database, Settings(data_dir=data_dir))
    finally:
        database.close()


def orphan(data_dir: Path, event: ExecutionEvent) -> None:
    """What an agent leaves that dies as soon as its event is on disk."""
    spool = Spool.create(data_dir / SPOOL, OPTIONS)
    spool.append([Record(str(event.correlation_id), event.model_dump_json(exclude_defaults=True).encode())])
    spool.close()


class Stage:
    """All processes, and what is done to them."""

    def __init__(self, servers: Servers, data_dir: Path, folder: Path) -> None:
        self._servers = servers
        self._data_dir = data_dir
        self.done = [Count(str(folder / f"done-{agent}")) for agent in range(AGENTS)]
        self.allowed = Count(str(folder / "allowed"))
        self.killed: Counter[str] = Counter()
        self.crashed: list[ExecutionEvent] = []
        self.agents = [self._agent(n) for n in range(AGENTS)]
        self.consumers = [self._consumer() for _ in range(2)]

    def _agent(self, number: int, failpoint: str = "", call: int = 0) -> Worker:
        return Worker(log, self._servers, self._data_dir, number, self.done[number], self.allowed, failpoint, call)

    def _consumer(self, failpoint: str = "", call: int = 0) -> Worker:
        return Worker(consume, self._servers, self._data_dir, failpoint, call)

    def fail_at(self, failpoint: str, draw: Random) -> None:
        """Kills a process at a moment of its own; the one that follows kills itself at the failpoint; a third one goes on."""
        workers = self.agents if failpoint in failpoints.LOGGER else self.consumers
        number = draw.randrange(len(workers))
        workers[number].end()
        self.killed[failpoint.partition(":")[0]] += 1
        # Another process may take the next orphan, so the first one has to do.
        call = 1 if failpoint in failpoints.ONCE or "orphan" in failpoint else draw.randint(1, 3)
        armed = self._agent(number, failpoint, call) if workers is self.agents else self._consumer(failpoint, call)
        workers[number] = armed
        deadline, next_orphan, pause = time.monotonic() + PATIENCE_S, 0.0, 0.2
        while armed.process.is_alive():
            assert time.monotonic() < deadline, failpoint
            if "orphan" in failpoint and time.monotonic() >= next_orphan:
                next_orphan = time.monotonic() + ORPHAN_EVERY_S  # each one is looked at by every relay from now on
                self.crashed.append(told(CRASHED, len(self.crashed)))
                orphan(self._data_dir, self.crashed[-1])
            if all(count.read() >= self.allowed.read() for count in self.done):  # nothing is left to tell
                self.allowed.write(self.allowed.read() + 1)
            armed.process.join(pause)
            pause = min(1.2 * pause, 3.0)  # a machine that is slow is not to be given more and more to do
        assert armed.process.exitcode == -9, failpoint
        self.killed[failpoint] += 1
        workers[number] = self._agent(number) if workers is self.agents else self._consumer()

    def end(self) -> None:
        for worker in (*self.agents, *self.consumers):
            worker.end()


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_kill_anything_at_any_time_and_every_acknowledged_event_is_there_once(
    stack: tuple[Supervisor, Servers], broker: Broker, short_directory: Path, tmp_path: Path, straight: StepContext
) -> None:
    supervisor, servers = stack
    data_dir = short_directory / "data"
    data_dir.mkdir()
    settings = Settings(
        postgres_url=servers.postgres,
        kafka_bootstrap_servers=servers.kafka,
        valkey_url=servers.valkey,
        data_dir=data_dir,
        logger=OPTIONS,
    )
    environment = {
        "DEBUG_LOOP_POSTGRES_URL": servers.postgres,
        "DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS": servers.kafka,
        "DEBUG_LOOP_VALKEY_URL": servers.valkey,
        "DEBUG_LOOP_DATA_DIR": str(data_dir),
    }
    draw = Random(SEED)
    killed = KILLED | {"kafka": KAFKA_KILLED[broker]}
    victims = [*failpoints.ALL, *(name for name, times in killed.items() for _ in range(times))]
    draw.shuffle(victims)
    part = EACH // (len(victims) + 1)
    with store_on(servers, data_dir) as context:
        seed(context.database)
        dagster = Dagster(settings, environment)
        stage = Stage(servers, data_dir, tmp_path)
        try:
            for victim in victims:
                # Agents are let on by one part after the other, and are somewhere in it when something dies, on any machine.
                before = stage.allowed.read()
                stage.allowed.write(before + part)
                place = before + draw.randrange(part)
                assert wait_for(lambda place=place: max(count.read() for count in stage.done) >= place, PATIENCE_S)
                if victim in failpoints.ALL:
                    stage.fail_at(victim, draw)
                elif victim == "daemon":
                    dagster.kill_daemon()
                    stage.killed[victim] += 1
                elif victim == "run worker":
                    assert wait_for(dagster.kill_run_worker, PATIENCE_S, every=0.05)
                    stage.killed[victim] += 1
                else:
                    kill_server(supervisor, broker, victim)
                    stage.killed[victim] += 1
            each = max(EACH, stage.allowed.read())
            stage.allowed.write(each)
            finished = wait_for(lambda: all(count.read() >= each for count in stage.done), PATIENCE_S)
            assert finished, [count.read() for count in stage.done]
        finally:
            stage.end()
            dagster.stop()
        wanted = {event.attempt_id for event in (*plan(0, each), *stage.crashed)}
        with executions_consumed(settings):  # what the killed ones were in the middle of
            assert wait_for(lambda: attempts_in(context) >= len(wanted), PATIENCE_S, every=0.2), (
                attempts_in(context),
                len(wanted),
            )
        rows = fetch_rows(context.database, "select attempt_id, count(*) as n from execution_inbox group by 1")
        assert {row["attempt_id"] for row in rows} == wanted
        assert {row["n"] for row in rows} == {1}
        assert context.executions.rejects(5) == []
        run_dirty_days(context)
        assert compared(context) == digests_with(straight, [*plan(EACH, each), *stage.crashed])
        assert stage.killed.total() >= 40, stage.killed
        print(f"{broker}: {len(wanted)} attempts, kills {dict(stage.killed)}")  # noqa: T201


def attempts_in(context: StepContext) -> int:
    return int(fetch_rows(context.database, "select count(*) as n from execution_inbox")[0]["n"])
