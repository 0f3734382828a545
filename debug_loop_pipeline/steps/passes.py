"""Threads that repeat passes for as long as the process lives: what the consumer services are made of.

A pass can be cut off anywhere and begun again. After an error its thread waits a little, longer each time, and goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from debug_loop_pipeline.effects.kafka import OffsetLostError
from debug_loop_pipeline.effects.resilience import CircuitOpenError, EffectError

_PAUSE_S = (0.2, 2.0)
_WELL_S = 20.0
"""A pass that lasted so long begins anew with the shortest pause."""


class Passes:
    """The threads of one service.

    Args:
        service: its name, in log lines and of its threads.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._log = structlog.get_logger(service)
        self._threads: list[threading.Thread] = []
        self.stopping = threading.Event()
        """A pass looks at it between two pieces of work, and waits on it."""
        self.failures = 0
        self.last_error = ""

    def start(self, name: str, one_pass: Callable[[], None]) -> None:
        """Repeat a pass in a thread of its own."""
        thread = threading.Thread(
            target=self._forever, args=(name, one_pass), name=f"{self._service}-{name}", daemon=True
        )
        thread.start()
        self._threads.append(thread)

    def stop(self, wait_s: float = 10.0) -> None:
        """Ask the threads to end after their pass, and wait."""
        self.stopping.set()
        deadline = time.monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))
        self._threads.clear()

    def _forever(self, name: str, one_pass: Callable[[], None]) -> None:
        pause = _PAUSE_S[0]
        while not self.stopping.is_set():
            started = time.monotonic()
            try:
                one_pass()
            except (EffectError, OffsetLostError) as error:
                self._failed(name, error)
            except Exception as error:
                # A thread that ended would stop the service in silence; this one says so and goes on.
                self._failed(name, error)
                self._log.exception(f"{self._service}.unexpected", thread=name)
            if time.monotonic() - started > _WELL_S:
                pause = _PAUSE_S[0]
            self.stopping.wait(pause)
            pause = min(_PAUSE_S[1], pause * 2)

    def _failed(self, name: str, error: Exception) -> None:
        self.failures += 1
        self.last_error = f"{name}: {error}"
        wait = error.retry_after_s if isinstance(error, CircuitOpenError) else 0.0
        told = (str(error).splitlines() or [repr(error)])[0][:300]
        self._log.warning(f"{self._service}.pass_failed", thread=name, error=told, wait_s=wait)
