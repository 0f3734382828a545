"""Processes of a live ingestion that are killed: agents that log, consumers that take in."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from debug_loop_pipeline.cli.consume import executions_consumed
from debug_loop_pipeline.client import AgentExecutionLogger
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.logger_options import LoggerOptions
from debug_loop_pipeline.settings import Settings
from tests.support.events import attempt
from tests.support.failpoints import arm
from tests.support.ledger_workers import Count, Servers, Worker, die_with_parent

Worker.context.set_forkserver_preload(["tests.support.ledger_workers", "tests.support.ingestion_workers"])

OPTIONS = LoggerOptions(look_seconds=0.3, segment_bytes=32_768, learn=False, block_ms=2_000)
_AGENT_OPTIONS = replace(OPTIONS, look_seconds=3.0)
"""Orphans are found by the consumer first, most of the time."""
_DAYS = 5
_PACE_S = 0.004


def told(agent: int, number: int) -> ExecutionEvent:
    """The attempt that an agent tells at a place of its plan; the same whenever it is asked for. Every eighth one wrote code."""
    place = agent * 1_000_000 + number
    minutes = (number % _DAYS) * 1_440 + number // _DAYS % 800
    task = f"agent-{agent}-task-{number // 4}"
    passed = number % 4 == 3
    made = attempt(f"live-{place}", task, minutes=minutes, failed=not passed)
    return made if number % 8 == 3 else made.model_copy(update={"code_written": ()})


def log(servers: Servers, data_dir: Path, agent: int, done: Count, allowed: Count, failpoint: str, call: int) -> None:
    """Tell what was not acknowledged yet, as far as is allowed; what was is never told again, so what is lost stays lost."""
    die_with_parent()
    if failpoint:
        arm(failpoint, call)
    logger = AgentExecutionLogger("agent", data_dir=data_dir, servers=servers.kafka, options=_AGENT_OPTIONS)
    number = done.read()
    while True:
        if number >= allowed.read():
            time.sleep(0.05)
            continue
        logged = logger.record(told(agent, number).model_dump(mode="json", exclude_defaults=True))
        if logged.acknowledged:
            number += 1
            done.write(number)
        time.sleep(_PACE_S)


def consume(servers: Servers, data_dir: Path, failpoint: str, call: int) -> None:
    """What `debug-loop consume` does, until killed."""
    die_with_parent()
    if failpoint:
        arm(failpoint, call)
    settings = Settings(
        postgres_url=servers.postgres,
        kafka_bootstrap_servers=servers.kafka,
        valkey_url=servers.valkey,
        data_dir=data_dir,
        logger=OPTIONS,
    )
    with executions_consumed(settings):
        while True:
            time.sleep(1)
