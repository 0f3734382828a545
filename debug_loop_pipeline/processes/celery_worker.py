"""A worker whose processes have everything loaded before the first run: `python -m debug_loop_pipeline.processes.celery_worker [PROCESSES]`.

It reads `DEBUG_LOOP_VALKEY_URL` and `DAGSTER_HOME` as every process here does. For more runs at once, or more machines, start more.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from uuid import uuid4

from celery import Celery
from celery.signals import worker_process_init
from dagster_celery.tasks import create_execute_job_task

from debug_loop_pipeline.processes import warm
from debug_loop_pipeline.processes.celery_launcher import QUEUE, ValkeyRunLauncher
from debug_loop_pipeline.settings import get_settings

PROCESSES = 2
_PR_SET_PDEATHSIG = 1


def worker_app(valkey_url: str) -> Celery:
    """The application with the one task: a run."""
    app = ValkeyRunLauncher(valkey_url).celery
    create_execute_job_task(app)
    return app


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _end_with_the_worker(**_: object) -> None:
    """A run whose worker was killed is found dead and done again, so it must not go on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(processes: int = PROCESSES) -> None:
    """Works until SIGTERM; what runs then is finished first."""
    warm.warm()
    name = f"debug-loop-{uuid4().hex[:8]}@%h"  # never the name of a worker that died
    worker_app(get_settings().require_valkey_url()).worker_main(
        [
            "worker",
            "-P",
            "prefork",
            "-c",
            str(processes),
            "-Q",
            QUEUE,
            "-n",
            name,
            "--without-gossip",
            "--without-mingle",
        ]
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
