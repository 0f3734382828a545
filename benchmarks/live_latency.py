"""How long from `complete()` to the assets materialised, through everything that `debug-loop dev` runs. As JSON.

    python -m benchmarks.live_latency             everything, 20 attempts in each profile
    python -m benchmarks.live_latency --attempts N --only orchestrator|sensor_tick|dev|celery

An agent's process tells attempts through `AgentExecutionLogger`: spool, Kafka, consumer service, inbox, sensor, run. An attempt counts as
materialised when the run that took it in has taken the day's mark away, which its last asset does. The next attempt comes when no run
is in flight. `queued`, `launched`, `running` are the run's own times in Dagster's event log, from `complete()` on. Beside it: one attempt
through `DebugLoopOrchestrator` in process, and a tick of the day sensor over a million executions and a year of dirty days.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.event import listen

from benchmarks.common import Server, machine, postgres, scratch_directory, show, store
from benchmarks.graph import Attempts, functions
from debug_loop_pipeline.client.logger import AgentExecutionLogger
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.models.logger_options import LoggerOptions
from debug_loop_pipeline.orchestrators.debug_loop_orchestrator import DebugLoopOrchestrator
from debug_loop_pipeline.settings import get_settings
from debug_loop_pipeline.steps.framework import StepContext
from tests.support.dev_process import Dev, running_dev, wait_for

PROFILES: dict[str, tuple[str, ...]] = {"dev": (), "celery": ("--celery",)}
PARTS = ("orchestrator", "sensor_tick", *PROFILES)
TARGET_S = {"dev": 8.0, "celery": 3.0}
DAYS = 365
_JOBS = ("debug_intelligence_job", "debug_intelligence_gated_job")
_INBOX = """
insert into execution_inbox (attempt_id, digest, day, correlation_id, started_at, evidence_rank, source_rank, steps, event, holds)
select gen_random_uuid(), md5(n::text) || md5(n::text), cast(:first as date) + n % :days, gen_random_uuid(),
       cast(:first as date) + n % :days * interval '1 day', 1, 0, 0, '{}', true
from generate_series(cast(:begin as int), cast(:end as int)) n
"""
_CHUNK = 50_000
_WARM = 20
_STAGES = {
    "PIPELINE_ENQUEUED": "queued",
    "PIPELINE_STARTING": "launched",
    "PIPELINE_START": "running",
}


def percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50_s": round(ordered[len(ordered) // 2], 3),
        "p95_s": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))], 3),
        "max_s": round(ordered[-1], 3),
    }


class Dagster:
    """What Dagster's own storage says about runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def in_flight(self) -> int:
        with self._engine.connect() as connection:
            running = "select count(*) from runs where status not in ('SUCCESS', 'FAILURE', 'CANCELED')"
            return int(connection.execute(text(running)).scalar_one())

    def stages(self, since: float) -> dict[str, float]:
        """Seconds from `since` to each stage of the last daily run."""
        query = (
            "select e.dagster_event_type as kind, cast(e.event as json) ->> 'timestamp' as at from event_logs e join"
            " (select run_id from runs where pipeline_name = any(:jobs) order by id desc limit 1) r using (run_id)"
            " where e.dagster_event_type = any(:kinds)"
        )
        with self._engine.connect() as connection:
            rows = connection.execute(text(query), {"jobs": list(_JOBS), "kinds": list(_STAGES)}).all()
        return {_STAGES[row.kind]: float(row.at) - since for row in rows}


def tell(logger: AgentExecutionLogger, number: int) -> float:
    """One attempt of an agent, every second one a fix of the one before; when it was complete (Unix time)."""
    failed = number % 2 == 0
    goal = {"command": "pytest -q tests/test_names.py", "goal": "pytest tests/test_names.py", "goal_tool": "pytest"}
    attempt = logger.start("Fix the reader of names, it fails on a missing name", task=f"task-{number // 2}")
    told: dict[str, Any] = {"verifications": [goal | {"verdict": "fail" if failed else "pass"}]}
    if failed:
        told["errors"] = [{"message": "KeyError: 'name'", "type": "KeyError", "verification": 0}]
    else:
        edit = {"path": "names.py", "language": "python", "before": 'return r["name"]', "after": 'return r.get("name")'}
        told["edits"] = [edit]
    logger.progress(attempt, **told)
    logged = logger.complete("error" if failed else "success", attempt)
    at = time.time()
    assert logged.acknowledged or logged.problem == "not yet on disk", logged.problem
    return at


def materialised(dev: Dev, dagster: Dagster, logger: AgentExecutionLogger, number: int) -> dict[str, float]:
    """Seconds from `complete()` to each stage."""

    def known() -> int:
        return int(fetch_rows(dev.context.database, "select count(*) as n from debug_execution_attempts")[0]["n"])

    def settled() -> bool:
        return known() > before and not dev.context.executions.dirty_days()

    before = known()
    began = tell(logger, number)
    wait_for("the assets", settled, 300, every=0.05)
    spent = time.time() - began
    wait_for("the run's end", lambda: dagster.in_flight() == 0, 300, every=0.1)
    return {"materialised": spent} | dagster.stages(began)


def profile(name: str, attempts: int) -> dict[str, Any]:
    """One profile from its start to its end."""
    with scratch_directory() as directory:
        started = time.perf_counter()
        with running_dev(directory, *PROFILES[name]) as dev:
            ready = time.perf_counter() - started
            engine = create_engine(dev.dagster_postgres_url)
            dagster = Dagster(engine)
            # without the loop in process: what is measured is the way through Kafka and Dagster
            options = LoggerOptions(learn=False)
            loads: list[float] = []
            told: list[dict[str, float]] = []
            address = dev.context.settings.kafka_bootstrap_servers
            with AgentExecutionLogger("benchmark", data_dir=dev.data_dir, servers=address, options=options) as logger:
                for number in range(attempts + 2):
                    loads.append(os.getloadavg()[0])
                    told.append(materialised(dev, dagster, logger, number))
            engine.dispose()
    warm = told[2:]  # the first two meet price lists, first connections and the first whole run
    report: dict[str, Any] = {
        "attempts": attempts,
        "ready_after_s": round(ready, 1),
        "load_average": [round(min(loads), 1), round(max(loads), 1)],
        "complete_to_materialised": percentiles([row["materialised"] for row in warm]),
        "target_p95_s": TARGET_S[name],
        "first_s": round(told[0]["materialised"], 3),
    }
    for stage in _STAGES.values():
        report[f"complete_to_{stage}"] = percentiles([row[stage] for row in warm if stage in row])
    return report


def orchestrator(context: StepContext, server: Server, attempts: int) -> dict[str, Any]:
    """One attempt at a time, in process."""
    counted: Counter[str] = Counter()
    for event in ("before_cursor_execute", "commit"):
        listen(context.database.engine, event, lambda *_, event=event: counted.update([event]))
    events = list(islice(Attempts(functions(7), 11, 3), attempts + _WARM))
    loop = DebugLoopOrchestrator(context)
    spent: list[float] = []
    cpu = server_cpu = 0.0
    steps: dict[str, list[float]] = {}
    for number, event in enumerate(events):
        if number == _WARM:
            counted.clear()
            cpu, server_cpu = time.process_time(), server.cpu_s()
        result = loop.process(event)
        assert result.complete, result.failed
        if number >= _WARM:
            spent.append(result.milliseconds / 1000)
            for outcome in result.outcomes:
                steps.setdefault(outcome.step, []).append(outcome.milliseconds)
    by_step = {name: round(sorted(values)[len(values) // 2], 2) for name, values in steps.items()}
    return percentiles(spent) | {
        "attempts": attempts,
        "target_p95_s": 2.0,
        "aim_p95_s": 0.05,
        "cpu_ms": round((time.process_time() - cpu) / attempts * 1000, 1),
        "postgres_cpu_ms": round((server.cpu_s() - server_cpu) / attempts * 1000, 1),
        "statements": round(counted["before_cursor_execute"] / attempts, 1),
        "commits": round(counted["commit"] / attempts, 1),
        "load_average": round(os.getloadavg()[0], 1),
        "p50_ms_by_step": by_step,
    }


@contextmanager
def instance_of(url: str, directory: Path) -> Iterator[dg.DagsterInstance]:
    """An instance in files, with the environment that the sensor reads."""
    variables = {"DEBUG_LOOP_POSTGRES_URL": url, "DEBUG_LOOP_DATA_DIR": str(directory)}
    with patch.dict(os.environ, variables), dg.DagsterInstance.ephemeral(tempdir=str(directory)) as instance:
        get_settings.cache_clear()
        yield instance
    get_settings.cache_clear()


def sensor_tick(context: StepContext, url: str, directory: Path, rows: int) -> dict[str, Any]:
    """Ticks of the day sensor over a backlog: with every day dirty, and with none."""
    from debug_loop_pipeline.definitions import defs

    first = date(2025, 1, 1)
    for begin in range(0, rows, _CHUNK):
        with context.database.transaction("fill") as connection:
            end = min(rows, begin + _CHUNK)
            connection.execute(text(_INBOX), {"first": first, "days": DAYS, "begin": begin + 1, "end": end})
    with context.database.transaction("fill") as connection:
        marks = "insert into dirty_days (day) select cast(:first as date) + n % :days from generate_series(1, cast(:marks as int)) n"
        connection.execute(text(marks), {"first": first, "days": DAYS, "marks": rows // 5})
    sensor = defs.resolve_sensor_def("dirty_days")

    def ticks(instance: dg.DagsterInstance) -> dict[str, float]:
        spent = []
        for _ in range(10):
            with dg.build_sensor_context(instance=instance, resources=defs.resources) as tick:
                began = time.perf_counter()
                sensor(tick)
                spent.append(time.perf_counter() - began)
        return percentiles(spent)

    report: dict[str, Any] = {"executions": rows, "marks": rows // 5, "dirty_days": DAYS}
    with instance_of(url, directory) as instance:
        report["with_a_year_of_dirty_days"] = ticks(instance)
        with context.database.transaction("clean") as connection:
            connection.execute(text("delete from dirty_days"))
        report["with_none"] = ticks(instance)
    return report


def run(attempts: int, rows: int, parts: list[str]) -> dict[str, Any]:
    """The parts that are asked for."""
    report: dict[str, Any] = {"benchmark": "live_latency", "machine": machine()}
    for part in parts:
        if part in PROFILES:
            report[part] = profile(part, attempts)
            continue
        with scratch_directory() as directory, postgres(directory) as server, store(server.url, directory) as context:
            if part == "orchestrator":
                report[part] = orchestrator(context, server, 200)
            else:
                report[part] = sensor_tick(context, server.url, directory, rows)
    report["ended"] = {
        "load_average": round(os.getloadavg()[0], 2),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attempts", type=int, default=20)
    parser.add_argument("--rows", type=int, default=1_000_000, help="executions of the sensor's backlog")
    parser.add_argument("--only", choices=PARTS, help="one part; all by default")
    chosen = parser.parse_args()
    show(run(chosen.attempts, chosen.rows, [chosen.only] if chosen.only else list(PARTS)))


if __name__ == "__main__":
    main()
