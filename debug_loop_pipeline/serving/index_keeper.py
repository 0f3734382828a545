"""The matcher's index in memory, followed by a thread, so that no question waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from debug_loop_pipeline.effects.match_epoch_store import CurrentIndex

_EVERY_S = 2.0
_IDLE_SHARE = 20
"""Reading a large registry takes its time: the pause after it is at least so many times as long."""

_log = structlog.get_logger(__name__)


class IndexKeeper:
    """Holds what `read` gives and reads again every `every_s` seconds or, where reading takes long, less often; or when told to."""

    def __init__(self, read: Callable[[], CurrentIndex], every_s: float = _EVERY_S) -> None:
        self._read = read
        self._every_s = every_s
        self._current: CurrentIndex | None = None
        self._wake = threading.Event()
        self._closing = False
        self._tried = threading.Event()
        self._thread = threading.Thread(target=self._run, name="matcher-index", daemon=True)
        self._thread.start()

    @property
    def current(self) -> CurrentIndex | None:
        """The index as it was read last; None until it was."""
        return self._current

    def wait_loaded(self, timeout_s: float) -> CurrentIndex | None:
        """The index as soon as the first read is done, at the latest after `timeout_s`; None where it is not there then."""
        self._tried.wait(timeout_s)
        return self._current

    def refresh(self) -> None:
        """Asks for a read now; returns at once."""
        self._wake.set()

    def close(self) -> None:
        """Ends the thread, after the read it is in."""
        self._closing = True
        self._wake.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._closing:
            self._wake.clear()
            began = time.monotonic()
            try:
                self._current = self._read()
            except Exception as error:  # a thread that ended would leave the index as it is for ever
                _log.warning("the matcher's index is not read anew", error=str(error)[:500])
            self._tried.set()
            self._wake.wait(max(self._every_s, _IDLE_SHARE * (time.monotonic() - began)))
