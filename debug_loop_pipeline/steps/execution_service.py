"""The ingestion service: a logged attempt is in the inbox within milliseconds, for as long as the process lives.

Here: the thread behind `debug-loop consume` and what it does when a server goes away. Not here: what one batch becomes
(`consume_executions`). The thread loops over passes that can be cut off anywhere and begun again.
"""

from __future__ import annotations

import threading
import time

import structlog

from debug_loop_pipeline.effects.execution_consumer import ExecutionConsumer
from debug_loop_pipeline.effects.kafka import OffsetLostError
from debug_loop_pipeline.effects.resilience import EffectError
from debug_loop_pipeline.steps.consume_executions import ConsumeReport, ExecutionLoop
from debug_loop_pipeline.steps.framework import StepContext

_POLL_S = 0.25
_LOOK_S = 2.0
_PAUSE_S = (0.2, 2.0)
_WELL_S = 20.0
_ENDING_S = 10.0

_log = structlog.get_logger("executions")


class ExecutionService:
    """Takes executions in until told to stop; several processes may do the same.

    Args:
        context: the store.
        consumer: the broker.
    """

    def __init__(self, context: StepContext, consumer: ExecutionConsumer) -> None:
        self._context = context
        self._consumer = consumer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._forever, name="executions", daemon=True)
        self.report = ConsumeReport()
        self.failures = 0
        self.last_error = ""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end after its pass, and wait."""
        self._stop.set()
        self._thread.join(_ENDING_S)

    def _forever(self) -> None:
        pause = _PAUSE_S[0]
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                self._pass()
            except (EffectError, OffsetLostError) as error:
                self._failed(error)
            except Exception as error:
                # A thread that ended would stop ingestion in silence; this one says so and goes on.
                self._failed(error)
                _log.exception("executions.unexpected")
            if time.monotonic() - started > _WELL_S:
                pause = _PAUSE_S[0]
            self._stop.wait(pause)
            pause = min(_PAUSE_S[1], pause * 2)

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self.last_error = str(error)
        _log.warning("executions.pass_failed", error=str(error).splitlines()[0][:300] if str(error) else repr(error))

    def _pass(self) -> None:
        """Follows the log there is, until it is another one."""
        log = self._consumer.follow()
        loop = ExecutionLoop(self._context, self._consumer, log)
        looked = time.monotonic()
        try:
            while not self._stop.is_set():
                some, taken = loop.turn(_POLL_S)
                self.report.add(taken)
                now = time.monotonic()
                if not some and now - looked >= _LOOK_S:
                    looked = now
                    if self._consumer.is_another(log):
                        return
        finally:
            loop.close()
