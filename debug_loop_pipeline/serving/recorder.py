"""Recommendations into the store without making an agent wait: a bounded queue and one thread that writes."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

import structlog

from debug_loop_pipeline.effects.resilience import EffectError
from debug_loop_pipeline.models.recommendation import Recommendation

_BATCH = 500
_RETRY_S = 1.0

_log = structlog.get_logger(__name__)


class Recorder:
    """Call it with what was served. `close` writes what is left.

    While the store is away up to `capacity` records wait; what comes on top is lost, counted and logged.
    """

    def __init__(self, write: Callable[[list[Recommendation]], None], capacity: int = 10_000) -> None:
        self._write = write
        self._waiting: queue.Queue[Recommendation] = queue.Queue(capacity)
        self._closing = threading.Event()
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="recommendations", daemon=True)
        self._thread.start()

    def __call__(self, recommendation: Recommendation) -> None:
        """Takes a record; returns at once."""
        try:
            self._waiting.put_nowait(recommendation)
        except queue.Full:
            self.lost += 1
            _log.warning("a recommendation is not recorded: the store is away too long", lost=self.lost)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Waits until everything taken so far is written. Returns False where that took too long."""
        until = time.monotonic() + timeout_s
        while self._waiting.unfinished_tasks and time.monotonic() < until:
            time.sleep(0.005)
        return not self._waiting.unfinished_tasks

    def close(self, timeout_s: float = 5.0) -> None:
        """Writes what is left, as far as that goes in the time, and ends the thread."""
        self.flush(timeout_s)
        self._closing.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                batch = [self._waiting.get(timeout=0.2)]
            except queue.Empty:
                continue
            while len(batch) < _BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            while not self._closing.is_set():
                try:
                    self._write(batch)
                    break
                except EffectError as error:
                    _log.warning("recommendations wait for the store", waiting=self._waiting.qsize(), error=str(error))
                    self._closing.wait(_RETRY_S)
                except Exception as error:  # trying again would not help, and those behind it are not to be lost
                    self.lost += len(batch)
                    _log.error("recommendations are not recorded", lost=self.lost, error=str(error)[:500])
                    break
            for _ in batch:
                self._waiting.task_done()
