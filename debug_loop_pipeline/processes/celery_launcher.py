"""Runs as Celery tasks over Valkey, named under `run_launcher` in `dagster.yaml`.

A task that a worker took is never given to another one: a run must not be done by two at once. So a run whose worker died is found
here, by asking the worker, and Dagster's `run_retries` does it again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Self

from celery.result import AsyncResult
from dagster import DagsterRun, StringSource
from dagster._config import UserConfigSchema
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._serdes import ConfigurableClassData
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

QUEUE = "dagster"
_STARTED = "STARTED"
_ASKED = 3
_ANSWER_S = 2.0


class ValkeyRunLauncher(CeleryRunLauncher):
    """Dagster's launcher over Celery, on one Valkey, that notices a worker's death."""

    def __init__(self, valkey_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(QUEUE, valkey_url, valkey_url, config_source=_options(), inst_data=inst_data)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """The part of `dagster.yaml` under `config`."""
        return {"valkey_url": StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Called by Dagster with that part."""
        return cls(config_value["valkey_url"], inst_data)

    @property
    def supports_resume_run(self) -> bool:
        """No: what died is done again from the failed step by `run_retries`."""
        return False

    def terminate(self, run_id: str) -> bool:
        """Interrupts the run in its worker. The run has to know why, else it counts as failed and is done again."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or DAGSTER_CELERY_TASK_ID_TAG not in run.tags:
            return False
        self._instance.report_run_canceling(run)
        return super().terminate(run_id)

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """As the result backend tells; a worker that is gone, or that does not know of the run any more, has failed."""
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task_id is None:
            return CheckRunHealthResult(WorkerStatus.UNKNOWN, "the run was not given to a worker yet")
        told = super().check_run_worker_health(run)
        if told.status is WorkerStatus.RUNNING and self._is_abandoned(task_id):
            return CheckRunHealthResult(WorkerStatus.FAILED, "The worker of this run is gone.")
        return told

    def _is_abandoned(self, task_id: str) -> bool:
        result = AsyncResult(task_id, app=self.celery)
        for _ in range(_ASKED):
            told = result.info
            if result.state != _STARTED or not isinstance(told, dict):
                return False  # it ended meanwhile
            worker = str(told.get("hostname"))
            asked = time.monotonic()
            answers = self.celery.control.inspect(destination=[worker], timeout=_ANSWER_S).active() or {}
            if task_id in {task["id"] for task in answers.get(worker, ())}:
                return False
            time.sleep(max(0.0, _ANSWER_S - (time.monotonic() - asked)))
        return True


def _options() -> dict[str, Any]:
    """Of the Celery application, of launcher and workers alike."""
    prefix = {"global_keyprefix": "debug-loop-runs:"}
    return {
        "broker_transport_options": prefix | {"socket_keepalive": True},
        "result_backend_transport_options": prefix,
        "broker_connection_retry_on_startup": True,
        "result_expires": 86_400,
        "task_acks_late": False,
        "worker_disable_prefetch": True,  # what waits is taken by whoever is free
        "worker_hijack_root_logger": False,
        "worker_max_tasks_per_child": 200,
        "worker_prefetch_multiplier": 1,
    }
