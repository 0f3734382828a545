"""The ingestion service: a logged attempt is in the inbox within milliseconds, for as long as the process lives.

Here: the thread behind `debug-loop consume` and what it does when a server goes away. Not here: what one batch becomes
(`consume_executions`).
"""

from __future__ import annotations

import time

from debug_loop_pipeline.effects.execution_consumer import ExecutionConsumer
from debug_loop_pipeline.steps.consume_executions import ConsumeReport, ExecutionLoop
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.passes import Passes

_POLL_S = 0.25
_LOOK_S = 2.0


class ExecutionService:
    """Takes executions in until told to stop; several processes may do the same.

    Args:
        context: the store.
        consumer: the broker.
    """

    def __init__(self, context: StepContext, consumer: ExecutionConsumer) -> None:
        self._context = context
        self._consumer = consumer
        self.passes = Passes("executions")
        self.report = ConsumeReport()

    def start(self) -> None:
        """Start the thread."""
        self.passes.start("consume", self._consume)

    def stop(self) -> None:
        """Ask the thread to end after its pass, and wait."""
        self.passes.stop()

    def _consume(self) -> None:
        """Follows the log there is, until it is another one."""
        log = self._consumer.follow()
        loop = ExecutionLoop(self._context, self._consumer, log)
        looked = time.monotonic()
        try:
            while not self.passes.stopping.is_set():
                taken = loop.turn(_POLL_S)
                self.report.add(taken)
                now = time.monotonic()
                if not taken.messages and now - looked >= _LOOK_S:
                    looked = now
                    if self._consumer.is_another(log):
                        return
        finally:
            loop.close()
