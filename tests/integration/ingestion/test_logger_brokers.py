"""From the logger to the inbox over real brokers: crashes, restarts, a broker that comes back empty, orphans, and the debug loop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.client import AgentExecutionLogger
from debug_loop_pipeline.client.relay import Relay, RelayThread
from debug_loop_pipeline.client.spool import SET_ASIDE, SPOOL, Read, Record, Spool, orphans
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.kafka import EXECUTIONS
from debug_loop_pipeline.importers.execution_events import ExecutionEventsImporter
from debug_loop_pipeline.models.logger_options import LoggerOptions
from debug_loop_pipeline.models.servers import ServerAddresses
from debug_loop_pipeline.serving.daemon import ServeDaemon
from debug_loop_pipeline.settings import Settings, get_settings
from debug_loop_pipeline.steps.consume_executions import consume_partition
from debug_loop_pipeline.steps.importing import import_files
from tests.support.events import attempt
from tests.support.executions import Ingestion, empty_execution_topics, ingestion_on
from tests.support.ledger import wait_for

OPTIONS = LoggerOptions(learn=False, block_ms=60_000, look_seconds=0.3)

_AGENT = """
import sys, time
from debug_loop_pipeline.client import AgentExecutionLogger
from debug_loop_pipeline.models.logger_options import LoggerOptions

logger = AgentExecutionLogger("crasher", data_dir=sys.argv[1], servers=sys.argv[2], options=LoggerOptions(learn=False, block_ms=10_000))
for number in range(10_000):
    attempt = logger.start("go", task=f"task-{number % 5}")
    if logger.complete("error", attempt).acknowledged:
        print(attempt, flush=True)
    time.sleep(0.002)
"""


@pytest.fixture
def ingestion(store_urls: Callable[[], str], kafka: ServerAddresses, tmp_path: Path) -> Iterator[Ingestion]:
    servers = kafka.kafka_bootstrap_servers
    assert servers is not None
    empty_execution_topics(servers)
    with ingestion_on(store_urls(), servers, tmp_path) as made:
        made.kafka.ensure_topics([EXECUTIONS])
        yield made


@pytest.fixture
def logger(ingestion: Ingestion, tmp_path: Path) -> Iterator[AgentExecutionLogger]:
    made = AgentExecutionLogger("tester", data_dir=tmp_path, servers=ingestion.servers, options=OPTIONS)
    yield made
    made.close(wait_s=5)


def told(messages: Any) -> list[str]:
    return [json.loads(message.value)["attempt_id"] for message in messages]


def in_inbox(ingestion: Ingestion) -> set[str]:
    return {
        str(row["attempt_id"])
        for row in fetch_rows(ingestion.context.database, "select attempt_id from execution_inbox")
    }


def test_what_is_completed_is_on_the_topic_in_order_and_then_in_the_inbox(
    ingestion: Ingestion, logger: AgentExecutionLogger
) -> None:
    attempts = []
    for _ in range(30):
        attempts.append(str(logger.start("go", task="one-task")))
        assert logger.complete("error").acknowledged
    assert wait_for(lambda: not logger.unpublished)
    assert told(ingestion.on_topic()) == attempts
    consume_partition(ingestion.context, ingestion.consumer)
    assert in_inbox(ingestion) == set(attempts)
    assert ingestion.context.executions.rejects(5) == []


def test_a_large_attempt_goes_through_and_is_cut_where_it_is_larger(
    ingestion: Ingestion, logger: AgentExecutionLogger
) -> None:
    for size in (3_000_000, 12_000_000):
        logger.start("go")
        code = [{"path": f"{n}.py", "content": "x" * (size // 20)} for n in range(20)]
        assert logger.complete("success", code_written=code).acknowledged
    assert wait_for(lambda: not logger.unpublished)
    report = consume_partition(ingestion.context, ingestion.consumer)
    assert (report.events, report.rejects) == (2, 0)


def test_an_event_that_the_broker_does_not_take_is_set_aside_and_nothing_waits_behind_it(
    ingestion: Ingestion, tmp_path: Path
) -> None:
    event = attempt("large", "task", minutes=1, failed=True).model_dump(mode="json")
    large = json.dumps(event | {"metadata": {str(n): "x" * 500 for n in range(20_000)}}).encode()
    small = [json.dumps({"attempt_id": f"{n}"}).encode() for n in range(3)]
    spool = Spool.create(tmp_path / SPOOL, OPTIONS)  # as an earlier version wrote it
    spool.append([Record("key", body) for body in (small[0], large, small[1])])
    spool.close()
    relay = RelayThread(tmp_path / SPOOL, lambda: ingestion.servers, OPTIONS)
    try:
        assert wait_for(lambda: relay.counts.published == 2), relay.counts
        assert wait_for(lambda: not any_unpublished(tmp_path, relay)), relay.counts
    finally:
        relay.close(5)
    assert (relay.counts.set_aside, relay.counts.failures) == (1, 0)
    assert told(ingestion.on_topic()) == ["0", "1"]
    [file] = (tmp_path / SET_ASIDE).iterdir()
    assert file.read_bytes() == large + b"\n"
    summary = import_files(ingestion.context, [(ExecutionEventsImporter(), file)])
    assert (summary.attempts, summary.rejected) == (1, 0)


def test_a_spool_that_cannot_be_published_keeps_no_younger_one_waiting(
    ingestion: Ingestion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spools = [Spool.create(tmp_path / SPOOL, OPTIONS) for _ in range(3)]
    for number, spool in enumerate(spools):
        spool.append([Record("key", json.dumps({"attempt_id": f"{number}"}).encode())])
        spool.close()
    oldest, read = spools[0].path, Spool.read

    def bad_sector(spool: Spool) -> Read:
        if spool.path == oldest:
            raise OSError("Input/output error")
        return read(spool)

    monkeypatch.setattr(Spool, "read", bad_sector)
    relay = RelayThread(tmp_path / SPOOL, lambda: ingestion.servers, OPTIONS)
    try:
        assert wait_for(lambda: relay.counts.published == 2), relay.counts
        assert "Input/output error" in relay.counts.last_error
        monkeypatch.undo()
        assert wait_for(lambda: relay.counts.published == 3), relay.counts
    finally:
        relay.close(5)
    assert set(told(ingestion.on_topic())) == {"0", "1", "2"}


def test_an_agent_that_is_killed_loses_nothing_that_was_acknowledged(ingestion: Ingestion, tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for servers in ("127.0.0.1:9", ingestion.servers):
        agent = subprocess.Popen(
            [sys.executable, "-c", _AGENT, str(tmp_path), servers], stdout=subprocess.PIPE, text=True
        )
        assert agent.stdout is not None
        acknowledged += [agent.stdout.readline().strip() for _ in range(60)]
        os.kill(agent.pid, signal.SIGKILL)
        acknowledged += agent.stdout.read().split()
        agent.wait()
        agent.stdout.close()
    relay = RelayThread(tmp_path / SPOOL, lambda: ingestion.servers, OPTIONS)
    try:
        assert wait_for(lambda: not any_unpublished(tmp_path, relay), 30), relay.counts
    finally:
        relay.close(5)
    consume_partition(ingestion.context, ingestion.consumer)
    assert len(acknowledged) >= 120
    assert set(acknowledged) <= in_inbox(ingestion)
    rows = fetch_rows(
        ingestion.context.database, "select count(*) as n, count(distinct attempt_id) as d from execution_inbox"
    )
    assert rows[0]["n"] == rows[0]["d"]


def any_unpublished(directory: Path, relay: RelayThread) -> bool:
    if relay.counts.published == 0:
        return True
    waiting = False
    for spool in orphans(directory / SPOOL, OPTIONS):
        waiting = waiting or spool.unpublished()
        spool.close()
    return waiting


def test_events_wait_for_a_broker_that_is_away_and_come_in_order(ingestion: Ingestion, tmp_path: Path) -> None:
    away = [True]
    logger = AgentExecutionLogger("tester", data_dir=tmp_path, options=OPTIONS)
    logger._writer._servers = lambda: "127.0.0.1:9" if away[0] else ingestion.servers  # type: ignore[method-assign]
    attempts = []
    for _ in range(10):
        attempts.append(str(logger.start("go", task="t")))
        assert logger.complete("error").acknowledged
    assert logger._writer.relay is not None
    assert wait_for(lambda: logger._writer.relay is not None and logger._writer.relay.counts.failures > 0)
    assert logger.unpublished
    away[0] = False
    assert wait_for(lambda: not logger.unpublished, 30)
    logger.close(5)
    assert told(ingestion.on_topic()) == attempts


def test_a_broker_that_came_back_empty_gets_everything_again(
    ingestion: Ingestion, logger: AgentExecutionLogger, tmp_path: Path
) -> None:
    before = AgentExecutionLogger("gone", data_dir=tmp_path, servers=ingestion.servers, options=OPTIONS)
    attempts = [str(before.start("go"))]
    before.complete("error")
    assert wait_for(lambda: not before.unpublished)
    before.close(5)
    assert before._writer.spool is not None
    before._writer.spool.close()
    for _ in range(5):
        attempts.append(str(logger.start("go")))
        assert logger.complete("error").acknowledged
    assert wait_for(lambda: not logger.unpublished)
    ingestion.kafka.close()
    empty_execution_topics(ingestion.servers)
    assert wait_for(lambda: ingestion.kafka.topic_id(EXECUTIONS) is not None, 30)  # the logger made it anew
    assert wait_for(lambda: set(told(ingestion.on_topic())) == set(attempts), 30)
    consume_partition(ingestion.context, ingestion.consumer)
    assert in_inbox(ingestion) == set(attempts)


def test_a_relay_that_died_before_it_noted_what_was_confirmed_doubles_nothing_in_the_inbox(
    ingestion: Ingestion, tmp_path: Path
) -> None:
    event = attempt("one", "task", minutes=1, failed=True)
    spool = Spool.create(tmp_path, OPTIONS)
    spool.append([Record(str(event.correlation_id), event.model_dump_json().encode())])
    relay = Relay(lambda: ingestion.servers)
    relay.drain(spool)
    spool.rewind()
    relay.drain(spool)
    messages = told(ingestion.on_topic())  # twice at least: where an answer is late, the relay asks again
    assert (set(messages), len(messages) >= 2) == ({str(event.attempt_id)}, True)
    consume_partition(ingestion.context, ingestion.consumer)
    rows = fetch_rows(ingestion.context.database, "select count(*) as n from execution_inbox")
    assert rows == [{"n": 1}]


def test_relays_of_many_processes_leave_each_others_spools_alone(ingestion: Ingestion, tmp_path: Path) -> None:
    loggers = [
        AgentExecutionLogger(f"a{n}", data_dir=tmp_path, servers=ingestion.servers, options=OPTIONS) for n in range(4)
    ]
    attempts: list[str] = []

    def work(logger: AgentExecutionLogger) -> None:
        for _ in range(10):
            attempts.append(str(logger.start("go")))
            assert logger.complete("error").acknowledged

    threads = [threading.Thread(target=work, args=(logger,)) for logger in loggers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wait_for(lambda: not any(logger.unpublished for logger in loggers))
    for logger in loggers:
        logger.close(5)
    assert sorted(told(ingestion.on_topic())) == sorted(attempts)


@pytest.fixture
def store_of_process(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Settings]:
    """Settings of this process that name the test's store."""
    url = ingestion.context.database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", url)
    monkeypatch.setenv("DEBUG_LOOP_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


@pytest.mark.parametrize("served", [False, True])
def test_complete_learns_from_the_attempt_by_serve_or_here_and_kafka_changes_nothing_after_it(
    ingestion: Ingestion, store_of_process: Settings, short_directory: Path, served: bool
) -> None:
    settings = store_of_process.model_copy(update={"data_dir": short_directory})
    daemon, ready = ServeDaemon(settings), threading.Event()
    thread = threading.Thread(target=daemon.run, args=(lambda _: ready.set(),), daemon=True)
    if served:
        thread.start()
        assert ready.wait(30)
    options = LoggerOptions(block_ms=10_000)
    try:
        with AgentExecutionLogger("t", data_dir=short_directory, servers=ingestion.servers, options=options) as logger:
            failing, passing = (
                attempt(name, "learned", minutes=n, failed=not n).model_dump(mode="json", exclude_defaults=True)
                for n, name in enumerate(("learned-1", "learned-2"))
            )
            assert logger.record(failing).acknowledged
            logged = logger.record(passing, wait=True)
            assert logged.loop is not None
            assert logged.loop["complete"], logged.loop
            assert {step["status"] for step in logged.loop["steps"]} == {"done"}

            def learned() -> bool:
                query = "select count(*) as n from debug_execution_attempts"
                return bool(fetch_rows(ingestion.context.database, query)[0]["n"] == 2)

            assert wait_for(learned, 30)
            assert wait_for(lambda: not logger.unpublished)
        report = consume_partition(ingestion.context, ingestion.consumer)
        assert (report.events, report.changed_attempts) == (2, 0)
    finally:
        daemon.stop()
        if served:
            thread.join(20)


def test_a_debug_loop_that_cannot_run_costs_the_agent_nothing(
    ingestion: Ingestion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUG_LOOP_DATA_DIR", str(tmp_path / "nothing-here"))
    get_settings.cache_clear()
    options = LoggerOptions(block_ms=10_000)
    with AgentExecutionLogger("t", data_dir=tmp_path / "other", servers=ingestion.servers, options=options) as logger:
        logger.start("go")
        logged = logger.complete("error", wait=True)
        assert (logged.acknowledged, logged.loop) == (True, None)
        assert logger.counts.not_learned == 1
    get_settings.cache_clear()
