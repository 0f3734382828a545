"""What stands behind the logger's calls in an agent's process: the thread that puts events on disk, and the one that learns.

Here: from an event to the spool, the relay and the debug loop. Not here: how an event comes about (`logger`, `event_draft`), files
(`spool`), the broker (`relay`), what is learned (`serving/attempt_loop`). Importing this module loads the standard library only.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from debug_loop_pipeline.client.event_draft import encoded
from debug_loop_pipeline.client.relay import RelayThread
from debug_loop_pipeline.client.spool import SPOOL, Record, Spool
from debug_loop_pipeline.models.logger_options import LoggerOptions

_LEARN = "debug_loop_pipeline.serving.attempt_loop:learn_from"
"""Called by name: it needs the store's libraries, which an agent must not load to log."""
_BATCH = 200
_WARN_EVERY_S = 60.0
_LEARNING = 64
_NO_KEY = UUID(int=0)
"""Of an event that names no task: ingestion refuses it, and says so."""
_log = logging.getLogger("debug_loop_pipeline.client")


@dataclass(slots=True)
class LoggerCounts:
    """What this logger did so far."""

    written: int = 0
    """Events on disk."""
    late: int = 0
    """Calls that returned before the disk had the event."""
    refused: int = 0
    """Not taken: the spool is full of unpublished events, cannot be written, or too many events wait for the disk."""
    failed: int = 0
    """Calls from which no event could be made."""
    not_learned: int = 0
    """Attempts for which the debug loop was not run here; the sensor gets to them."""


@dataclass(slots=True)
class Job:
    """An event on its way to the disk."""

    event: dict[str, Any]
    wait: bool
    """The caller runs the debug loop itself and waits for it."""
    written: Future[bytes]


class EventWriter:
    """Takes events without waiting. Belongs to one process: after a fork the child makes another.

    Args:
        options: bounds and switches.
        data_dir: of the spool, and of `serve`.
        servers: tells where the broker is now.
    """

    def __init__(self, options: LoggerOptions, data_dir: Path, servers: Callable[[], str | None]) -> None:
        self.options = options
        self.counts = LoggerCounts()
        self.spool: Spool | None = None
        self.relay: RelayThread | None = None
        self._data_dir = data_dir
        self._servers = servers
        self._jobs: queue.Queue[Job | None] = queue.Queue(options.queue_events)
        self._lessons: queue.Queue[bytes] = queue.Queue(_LEARNING)
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()
        self._warned: dict[str, float] = {}

    def submit(self, event: dict[str, Any], wait: bool) -> Job | None:
        """Take an event; None where too many wait for the disk."""
        with self._starting:
            self._run_threads()
        job = Job(event, wait, Future())
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            self.count("refused", "an event is not taken: too many events wait for the disk")
            return None
        return job

    @property
    def unpublished(self) -> bool:
        """Whether something in the spool waits for the broker."""
        return self.spool is not None and self.spool.unpublished()

    def close(self, wait_s: float, *, for_broker: bool) -> None:
        """End the threads.

        Args:
            wait_s: at most.
            for_broker: wait for it too, not only for the disk.
        """
        until = time.monotonic() + wait_s
        if self._threads:
            with contextlib.suppress(queue.Full):
                self._jobs.put(None, timeout=max(0.0, until - time.monotonic()))
            self._threads[0].join(max(0.0, until - time.monotonic()))
        while for_broker and self.unpublished and time.monotonic() < until:
            time.sleep(0.01)
        if self.relay is not None:
            self.relay.close(max(0.0, until - time.monotonic()))

    def _run_threads(self) -> None:
        if not self._threads:
            for name, body in (("writer", self._write), ("learner", self._learn_all)):
                if name == "learner" and not self.options.learn:
                    continue
                thread = threading.Thread(target=body, name=f"debug-loop-{name}", daemon=True)
                thread.start()
                self._threads.append(thread)

    def _write(self) -> None:
        """The one thread that puts events on disk: all that wait at once, with one sync."""
        ended = False
        while not ended:
            jobs = [self._jobs.get()]
            with contextlib.suppress(queue.Empty):
                while len(jobs) < _BATCH:
                    jobs.append(self._jobs.get_nowait())
            ended = None in jobs
            ready = [(job, record) for job in jobs if job is not None and (record := self._redacted(job)) is not None]
            try:
                if ready:
                    self._open_spool().append([record for _, record in ready])
            except OSError as error:
                self.count("refused", f"{len(ready)} events are not taken: {error}", len(ready))
                for job, _ in ready:
                    job.written.set_exception(error)
            else:
                for job, record in ready:
                    self._on_disk(job, record)

    def _redacted(self, job: Job) -> Record | None:
        try:
            from debug_loop_pipeline.client.redaction import redact_event  # 50 ms that the agent need not wait for

            event = redact_event(job.event)
            key = as_uuid(event.get("correlation_id")) or as_uuid(event.get("attempt_id")) or _NO_KEY
            return Record(str(key), encoded(event))
        except Exception as error:
            problem = f"no event can be made of it: {type(error).__name__}: {error}"
            self.count("failed", problem)
            job.written.set_exception(OSError(problem))
            return None

    def _on_disk(self, job: Job, record: Record) -> None:
        self.counts.written += 1
        job.written.set_result(record.body)
        if self.relay is not None:
            self.relay.wake()
        if self.options.learn and not job.wait:
            try:
                self._lessons.put_nowait(record.body)
            except queue.Full:
                self.counts.not_learned += 1

    def _open_spool(self) -> Spool:
        if self.spool is None:
            root = self._data_dir / SPOOL
            self.spool = Spool.create(root, self.options)
            self.relay = RelayThread(root, self._servers, self.options, lambda: self.spool)
        return self.spool

    # -- learning ------------------------------------------------------------------------------------------------

    def _learn_all(self) -> None:
        while True:
            self.learn(self._lessons.get(), None)

    def learn(self, body: bytes, wait_s: float | None) -> dict[str, Any] | None:
        """Has the debug loop run for an event: by `serve` where it runs, else here. None where it could not be."""
        import pkgutil

        try:
            learn: Callable[..., dict[str, Any] | None] = pkgutil.resolve_name(_LEARN)
            result = learn(body, self._data_dir, wait_s)
        except Exception as error:
            self.count("not_learned", f"the debug loop was not run: {type(error).__name__}: {error}")
            return None
        if result is None:
            self.counts.not_learned += 1
        return result

    def count(self, what: str, message: str, events: int = 1) -> None:
        """Counts events that went wrong, and warns of the same kind at most once a minute."""
        with contextlib.suppress(Exception):
            setattr(self.counts, what, getattr(self.counts, what) + events)
            now = time.monotonic()
            if now - self._warned.get(what, -_WARN_EVERY_S) >= _WARN_EVERY_S:
                self._warned[what] = now
                _log.warning(message)


def warm_up() -> None:
    """Loads what the threads behind need, so that the first `complete` does not share the interpreter with it."""
    with contextlib.suppress(Exception):
        from debug_loop_pipeline.client import broker, redaction

        redaction.redact(broker.__name__)


def as_uuid(value: object) -> UUID | None:
    """A UUID, or None where it is none."""
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        return None
