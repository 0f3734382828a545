"""Dagster's daemon, whose sensors and queue are looked at in fractions of a second: `python -m debug_loop_pipeline.processes.daemon WORKSPACE`.

The stock daemon (`dagster-daemon run`) sleeps 5 s between two looks at its sensors, whatever interval they name, at least 1 s
between two looks at the queue, and 30 s between two at backfills: one from the UI took up to half a minute to begin and as long to be
called done. A look costs a few milliseconds. All other daemons are the stock ones.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

from dagster import DagsterInstance
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon import controller as daemons
from dagster._daemon import sensor
from dagster._daemon.controller import create_daemons_from_instance, daemon_controller_from_instance
from dagster._daemon.daemon import DaemonIterator, DagsterDaemon, SpanMarker
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._daemon.utils import DaemonErrorCapture
from dagster._utils.interrupts import capture_interrupts, setup_interrupt_handlers

SENSORS_EVERY_S = 0.25
QUEUE_EVERY_S = 0.25
BACKFILLS_EVERY_S = 2
_AFTER_TROUBLE_S = 5.0


class PromptQueueDaemon(QueuedRunCoordinatorDaemon):
    """Launches queued runs, without the half seconds that the stock one sleeps at least."""

    def core_loop(
        self, workspace_process_context: IWorkspaceProcessContext[Any], shutdown_event: threading.Event
    ) -> DaemonIterator:
        """Looks at the queue for ever; the caller ends it."""
        while True:
            pause = QUEUE_EVERY_S
            yield SpanMarker.START_SPAN
            try:
                yield from self.run_iteration(workspace_process_context)
            except Exception:
                pause = _AFTER_TROUBLE_S
                yield DaemonErrorCapture.process_exception(
                    exc_info=sys.exc_info(), logger=self._logger, log_message="the queue could not be looked at"
                )
            yield SpanMarker.END_SPAN
            shutdown_event.wait(pause)
            yield None


def daemons_of(instance: DagsterInstance) -> Sequence[DagsterDaemon[Any]]:
    """The daemons that the instance asks for."""
    made = [
        PromptQueueDaemon(QUEUE_EVERY_S) if isinstance(daemon, QueuedRunCoordinatorDaemon) else daemon
        for daemon in create_daemons_from_instance(instance)
    ]
    # Read by the loop of backfills when it begins; those made above have taken theirs.
    daemons.DEFAULT_DAEMON_INTERVAL_SECONDS = BACKFILLS_EVERY_S
    return made


def main(workspace: str) -> None:
    """Runs the daemons of the instance of DAGSTER_HOME until SIGINT or SIGTERM."""
    setup_interrupt_handlers()
    sensor.MIN_INTERVAL_LOOP_TIME = SENSORS_EVERY_S  # type: ignore[assignment]
    try:
        with (
            capture_interrupts(),
            DagsterInstance.get() as instance,
            daemon_controller_from_instance(
                instance, WorkspaceFileTarget(paths=[os.path.abspath(workspace)]), gen_daemons=daemons_of
            ) as controller,
        ):
            controller.check_daemon_loop()
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main(sys.argv[1])
