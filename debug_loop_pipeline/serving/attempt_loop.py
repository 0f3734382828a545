"""The debug loop for an attempt that an agent has just told, by `serve` where it runs, else by a process beside the agent.

Here: who runs it and when. Not here: what it does (`DebugLoopOrchestrator`), how the attempt reaches the store for certain (the
logger's spool and Kafka): whatever fails here is done by the sensor's next run.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debug_loop_pipeline.serving.address import socket_path
from debug_loop_pipeline.serving.learner_process import LearnerProcess
from debug_loop_pipeline.serving.socket_client import MAX_LINE, ServeBusyError, ServeUnavailableError, ask

if TYPE_CHECKING:
    from debug_loop_pipeline.models.execution import ExecutionEvent
    from debug_loop_pipeline.settings import Settings

_TAKEN_S = 2.0
"""`serve` says within this time that it has taken the attempt."""
_ENVELOPE_BYTES = 256
_WAITING = 200
_POOL = 2
_STATEMENT_TIMEOUT_MS = 30_000

_beside: dict[tuple[int, Path], LearnerProcess] = {}
_beside_lock = threading.Lock()


def learn_from(body: bytes, data_dir: Path, wait_s: float | None) -> dict[str, Any] | None:
    """Has the debug loop run for an event.

    Args:
        body: the event as JSON, redacted.
        data_dir: whose `serve` is asked, and else whose store a process beside this one opens.
        wait_s: for the result; None: it is enough that `serve` has taken the event.

    Returns:
        What the loop did (`AttemptLearner.learn`), {} where `serve` does it later, None where it has no room for it or does not answer
        in time: where it does not do it after all, the sensor's next run does, and nobody does it twice at once.

    Raises:
        LearnerUnavailableError: it could not be done; the message says why.
    """
    until = None if wait_s is None else time.monotonic() + wait_s
    if len(body) + _ENVELOPE_BYTES < MAX_LINE:
        try:
            wait = b"false" if wait_s is None else b"true"
            message = b'{"op":"complete","wait":%s,"event":%s}' % (wait, body)
            answer = ask(socket_path(data_dir), message, _TAKEN_S if wait_s is None else wait_s)
            return answer.get("loop", {}) if answer.get("ok") else None
        except ServeBusyError:
            return None
        except ServeUnavailableError:
            pass
    return _process_of(data_dir).learn(body, None if until is None else max(0.0, until - time.monotonic()))


def _process_of(data_dir: Path) -> LearnerProcess:
    key = (os.getpid(), data_dir)  # a forked agent has its own
    with _beside_lock:
        if key not in _beside:
            _beside[key] = LearnerProcess(data_dir)
        return _beside[key]


class AttemptLearner:
    """Runs the debug loop for single attempts on the configured store. Thread-safe.

    Raises:
        MissingServerError: no store is known.
    """

    def __init__(self, settings: Settings) -> None:
        from debug_loop_pipeline.effects.postgres import Database
        from debug_loop_pipeline.effects.resilience import breaker_under
        from debug_loop_pipeline.orchestrators.debug_loop_orchestrator import DebugLoopOrchestrator
        from debug_loop_pipeline.steps.framework import StepContext

        self._database = Database(
            settings.require_postgres_url(),
            _POOL,
            _STATEMENT_TIMEOUT_MS,
            "debug-loop-attempts",
            breaker=breaker_under(settings.resilience),
        )
        self._orchestrator = DebugLoopOrchestrator(StepContext(self._database, settings))
        self._pool = ThreadPoolExecutor(1, "attempts")
        self._room = threading.BoundedSemaphore(_WAITING)

    def learn(self, event: ExecutionEvent) -> dict[str, Any]:
        """Runs the loop now: {attempt_id, complete, milliseconds, steps: [{step, status, milliseconds, error}]}."""
        result = self._orchestrator.process(event)
        return {
            "attempt_id": str(result.attempt_id),
            "complete": result.complete,
            "milliseconds": round(result.milliseconds, 3),
            "steps": [
                {"step": o.step, "status": o.status, "milliseconds": round(o.milliseconds, 3), "error": o.error}
                for o in result.outcomes
            ],
        }

    def learn_json(self, body: bytes) -> dict[str, Any]:
        """`learn` of an event in JSON."""
        from debug_loop_pipeline.models.execution import ExecutionEvent

        return self.learn(ExecutionEvent.model_validate_json(body))

    def learn_later(self, event: ExecutionEvent) -> bool:
        """Runs the loop in the background, one attempt after the other. False where too many wait already."""
        if not self._room.acquire(blocking=False):
            return False
        self._pool.submit(self.learn, event).add_done_callback(lambda _: self._room.release())
        return True

    def close(self) -> None:
        """Leaves what waits to the sensor."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._database.close()
