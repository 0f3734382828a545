"""What makes runs begin in moments: the seams in Dagster that it hangs on, and its decisions."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._daemon import backfill, controller, sensor
from dagster._grpc.server import DagsterApiServer

from debug_loop_pipeline.checks.debug_intelligence import ALL_CHECKS
from debug_loop_pipeline.cli.dagster_home import write_dagster_home
from debug_loop_pipeline.processes import code_server, daemon
from debug_loop_pipeline.sensors.dirty_days import WHOLE_EVERY, EndedRun, span_to_check
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import Span

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = Span(date(2026, 3, 1), date(2026, 3, 1))


def live_run(ago: timedelta) -> EndedRun:
    return EndedRun(DAY, False, NOW - ago)


def test_a_quiet_day_is_looked_at_whole_once_after_live_runs() -> None:
    long_ago = live_run(WHOLE_EVERY + timedelta(seconds=1))
    assert span_to_check(None, long_ago, NOW) == DAY
    assert span_to_check(None, live_run(timedelta(minutes=1)), NOW) is None
    assert span_to_check(NOW - timedelta(minutes=1), long_ago, NOW) is None
    assert span_to_check(None, None, NOW) is None


def test_the_seams_in_dagster_are_where_they_were() -> None:
    assert isinstance(sensor.MIN_INTERVAL_LOOP_TIME, (int, float))
    assert "MIN_INTERVAL_LOOP_TIME" in sensor.execute_sensor_iteration_loop.__code__.co_names
    assert isinstance(controller.DEFAULT_DAEMON_INTERVAL_SECONDS, int)
    assert "DEFAULT_DAEMON_INTERVAL_SECONDS" in backfill.execute_backfill_iteration_loop.__code__.co_names
    assert "_mp_ctx" in DagsterApiServer.__init__.__code__.co_names
    assert "_mp_ctx" in DagsterApiServer.StartRun.__code__.co_names
    assert "DagsterApiServer" in code_server.grpc_command.callback.__code__.co_varnames


def test_runs_are_forked_from_a_process_that_has_everything() -> None:
    context = code_server.run_context()
    assert context.get_start_method() == "forkserver"


class Queue(daemon.PromptQueueDaemon):
    """Counts its looks; every second one fails."""

    looks = 0

    def run_iteration(self, *_: object, **__: object) -> Any:
        self.looks += 1
        if self.looks % 2 == 0:
            raise RuntimeError("storage is away")
        yield None


class Pauses(threading.Event):
    """Notes how long it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.lengths: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.lengths.append(timeout)
        return False


def test_the_queue_is_looked_at_four_times_a_second_and_less_often_in_trouble() -> None:
    queue, pauses = Queue(daemon.QUEUE_EVERY_S), Pauses()
    loop = queue.core_loop(None, pauses)  # type: ignore[arg-type]
    while len(pauses.lengths) < 3:
        next(loop)
    assert pauses.lengths == [0.25, 5.0, 0.25]


def test_only_checks_that_hold_nothing_back_run_after_the_assets() -> None:
    for step in ALL_CHECKS:
        blocking = {spec.blocking for spec in step.check_specs}
        priority = step.node_def.tags.get("dagster/priority")
        assert (blocking, priority) in (({True}, None), ({False}, "-1")), step.node_def.name


@pytest.mark.parametrize(("celery", "launcher"), [(False, "DefaultRunLauncher"), (True, "ValkeyRunLauncher")])
def test_the_instance_names_who_does_the_runs(tmp_path: Path, celery: bool, launcher: str) -> None:
    settings = Settings(data_dir=tmp_path, postgres_url="postgresql://u@h/d", valkey_url="redis://:p@h:1/0")
    home = write_dagster_home(settings, celery=celery)
    written = yaml.safe_load((home / "dagster.yaml").read_text(encoding="utf-8"))["run_launcher"]
    assert written["class"] == launcher
    assert written.get("config") == ({"valkey_url": "redis://:p@h:1/0"} if celery else None)
