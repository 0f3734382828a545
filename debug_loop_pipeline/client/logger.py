"""AgentExecutionLogger: what an agent calls to tell its attempts, live (DOMAIN 3.1).

Here: the calls and the thread that writes. Not here: the disk (`spool`), the broker (`relay`), what an event consists of
(`event_draft`), what is learned from it (`serving/attempt_loop`). Importing this module loads the standard library only.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import queue
import socket
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from debug_loop_pipeline.client.event_draft import FORMAT, Draft, encoded, moment, own_attempt_id, plain, task_id
from debug_loop_pipeline.client.options import data_directory, options_from_environment
from debug_loop_pipeline.client.relay import RelayThread, configured_servers
from debug_loop_pipeline.client.spool import SPOOL, Record, Spool
from debug_loop_pipeline.models import identity
from debug_loop_pipeline.models.logger_options import LoggerOptions

_LEARN = "debug_loop_pipeline.serving.attempt_loop:learn_from"
"""Called by name: it needs the store's libraries, which an agent must not load to log."""
_OPEN_ATTEMPTS = 1_000
_BATCH = 200
_WARN_EVERY_S = 60.0
_LEARNING = 64
_WAIT_S = 30.0
_NO_KEY = UUID(int=0)
"""Of an event that names no task: ingestion refuses it, and says so."""
_log = logging.getLogger("debug_loop_pipeline.client")
_loggers: weakref.WeakSet[AgentExecutionLogger] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Logged:
    """What became of one `complete`.

    Attributes:
        attempt_id: of the attempt; None where nothing could be made of the call.
        acknowledged: the event is on disk, synced. From then on it reaches the inbox, also where this process is killed at once, the
            broker is away or comes back empty within 24 h, as long as the disk lives and some logger or `debug-loop consume`
            runs on the same data directory again.
        problem: why it is not acknowledged. After "not yet on disk" it still may get there.
        loop: what the debug loop did, with `wait=True`.
    """

    attempt_id: UUID | None
    acknowledged: bool
    problem: str | None = None
    loop: dict[str, Any] | None = None


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
class _Job:
    event: dict[str, Any]
    wait: bool
    """The caller runs the debug loop itself and waits for it."""
    written: Future[bytes]


class AgentExecutionLogger:
    """Tells the attempts of one agent process. Make one per process; thread-safe; usable from asyncio.

        logger = AgentExecutionLogger("my-agent", session_id=session)
        attempt = logger.start("make the tests pass", task="issue-12", context={"repository": "me/mine"})
        logger.progress(attempt, edits=[{"path": "a.py", "before": old, "after": new}])
        logger.complete("success", attempt, verifications=[{"command": "pytest", "goal": "pytest", "verdict": "pass"}])

    Nothing here raises into the agent, and no call keeps it waiting longer than `options.block_ms` (50), apart from
    `complete(wait=True)`. `start` and `progress` only note in memory: an attempt that was not completed ends with its process. What is
    told is redacted before it is written anywhere. `acomplete` and `aclose` are the same for asyncio; `start` and `progress` need
    no such twin.

    Args:
        agent_name: who it is.
        data_dir: where the spool lies and `serve` listens. Default: `DEBUG_LOOP_DATA_DIR`, as for every command.
        servers: the broker. Default: `DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS`, else the embedded one of the data directory.
        options: bounds and switches. Default: the environment's (`DEBUG_LOOP_LOGGER__...`).
        **fields: of every event: session_id, peer_id, agent_type, model_used, provider, context, ...
    """

    def __init__(
        self,
        agent_name: str,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        servers: str | None = None,
        options: LoggerOptions | None = None,
        **fields: Any,
    ) -> None:
        self._warned: dict[str, float] = {}
        self.options = options or options_from_environment(_log.warning)
        self._data_dir = data_directory(data_dir)
        self._given_servers = servers
        self._fields = {"agent_name": str(agent_name)[:200] or "unknown", "source": {"importer": FORMAT}} | fields
        self._begin()
        _loggers.add(self)
        if self.options.enabled:
            with contextlib.suppress(RuntimeError):  # the interpreter is ending
                threading.Thread(target=_warm_up, name="debug-loop-warm-up", daemon=True).start()

    def _begin(self) -> None:
        """What belongs to one process: none of it survives a fork."""
        self.counts = LoggerCounts()
        self._lock = threading.Lock()
        self._run = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"
        self._step = 0
        self._number = 0
        self._drafts: OrderedDict[UUID, Draft] = OrderedDict()
        self._last: OrderedDict[str, UUID] = OrderedDict()
        self._jobs: queue.Queue[_Job | None] = queue.Queue(self.options.queue_events)
        self._lessons: queue.Queue[bytes] = queue.Queue(_LEARNING)
        self._spool: Spool | None = None
        self._relay: RelayThread | None = None
        self._closed = False
        self._threads: list[threading.Thread] = []

    # -- telling -------------------------------------------------------------------------------------------------

    def start(
        self,
        user_request: str,
        *,
        task: UUID | str | None = None,
        attempt_id: UUID | None = None,
        source_format: str = FORMAT,
        first_id: str | None = None,
        parent_attempt_id: UUID | None = None,
        **fields: Any,
    ) -> UUID | None:
        """Begin an attempt.

        Args:
            user_request: what the human, issue or benchmark asked for.
            task: the correlation id, or any name of the task that stays the same over its attempts. Default: one of its own.
            attempt_id: where the caller has one.
            source_format: with `first_id`: the format in which an importer may read the same work from a transcript.
            first_id: id of the attempt's first tool call or message: the attempt then has the id that the importer gives it.
            parent_attempt_id: of which this is a retry. Default: the last attempt of the same task in this process.
            **fields: of the event.

        Returns:
            The attempt's id; None where the logger is off or something went wrong.
        """
        try:
            with self._lock:
                return self._start(user_request, task, attempt_id, source_format, first_id, parent_attempt_id, fields)
        except Exception as error:
            self._failed("start", error)
            return None

    def _start(
        self,
        user_request: str,
        task: UUID | str | None,
        attempt_id: UUID | None,
        source_format: str,
        first_id: str | None,
        parent: UUID | None,
        fields: dict[str, Any],
    ) -> UUID | None:
        if not self._usable():
            return None
        self._number += 1
        started_at = moment(datetime.now(UTC))
        if attempt_id is None:
            attempt_id = (
                identity.attempt_id(source_format, first_id)
                if first_id is not None
                else own_attempt_id(self._run, started_at, self._number)
            )
        correlation = str(task_id(source_format, str(attempt_id) if task is None else task))
        event = {
            "execution_id": self._fields.get("session_id") or self._run,
            **self._fields,
            "attempt_id": str(attempt_id),
            "correlation_id": correlation,
            "user_request": user_request,
            "started_at": started_at,
            "parent_attempt_id": parent or self._last.get(correlation),
            **fields,
        }
        self._drafts[attempt_id] = Draft(event, self._step)
        _bound(self._drafts)
        return attempt_id

    def progress(self, attempt_id: UUID | None = None, **fields: Any) -> bool:
        """Add to an attempt: lists (edits, commands, verifications, errors, tools_used, ...) are continued, token buckets added up.

        Args:
            attempt_id: as `start` gave it. Default: the attempt that was started last.
            **fields: of the event.

        Returns:
            False where no such attempt is open.
        """
        try:
            with self._lock:
                draft = self._draft(attempt_id)
                if draft is None:
                    return False
                draft.add(fields)
                self._step = max(self._step, draft.step)
                return True
        except Exception as error:
            self._failed("progress", error)
            return False

    def complete(
        self, status: str, attempt_id: UUID | None = None, *, wait: bool = False, wait_s: float = _WAIT_S, **fields: Any
    ) -> Logged:
        """End an attempt: its event goes to the spool, from there to the broker; and the debug loop begins to learn from it.

        Args:
            status: success, error, timeout, cancelled or partial.
            attempt_id: as for `progress`.
            wait: return what the debug loop made of it, and wait for that as long as `wait_s`.
            wait_s: seconds.
            **fields: as for `progress`.

        Returns:
            Whether the event is acknowledged, and what that means: see `Logged`.
        """
        try:
            job = self._complete(status, attempt_id, fields, wait)
            return self._settle(job, wait_s) if isinstance(job, _Job) else job
        except Exception as error:
            return self._failed("complete", error)

    def record(self, event: dict[str, Any], *, wait: bool = False, wait_s: float = _WAIT_S) -> Logged:
        """Tell a finished attempt whole, as an execution event; like `complete` otherwise."""
        try:
            job = self._submit(plain(event), wait)
            return self._settle(job, wait_s) if isinstance(job, _Job) else job
        except Exception as error:
            return self._failed("record", error)

    async def acomplete(
        self, status: str, attempt_id: UUID | None = None, *, wait: bool = False, wait_s: float = _WAIT_S, **fields: Any
    ) -> Logged:
        """`complete` that lets the event loop go on meanwhile."""
        import asyncio

        try:
            job = self._complete(status, attempt_id, fields, wait)
            if not isinstance(job, _Job):
                return job
            if wait:
                return await asyncio.to_thread(self._settle, job, wait_s)
            with contextlib.suppress(Exception):
                written = asyncio.shield(asyncio.wrap_future(job.written))
                await asyncio.wait_for(written, self.options.block_ms / 1000)
            return self._settle(job, 0.0, patience_s=0.0)
        except Exception as error:
            return self._failed("complete", error)

    # -- ending --------------------------------------------------------------------------------------------------

    def close(self, wait_s: float | None = None) -> None:
        """End the threads. What is in the spool and not published is published by the next logger, or by `debug-loop consume`.

        Args:
            wait_s: how long to wait for the disk and the broker. Default: as long as any call.
        """
        with contextlib.suppress(Exception):
            if self._closed:
                return
            self._closed = True
            until = time.monotonic() + (self.options.block_ms / 1000 if wait_s is None else wait_s)
            if self._threads:
                with contextlib.suppress(queue.Full):
                    self._jobs.put(None, timeout=max(0.0, until - time.monotonic()))
                self._threads[0].join(max(0.0, until - time.monotonic()))
            spool, relay = self._spool, self._relay
            if spool is not None and wait_s is not None:
                while spool.unpublished() and time.monotonic() < until:
                    time.sleep(0.01)
            if relay is not None:
                relay.close(max(0.0, until - time.monotonic()))

    async def aclose(self, wait_s: float | None = None) -> None:
        """`close` that lets the event loop go on meanwhile."""
        import asyncio

        await asyncio.to_thread(self.close, wait_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def unpublished(self) -> bool:
        """Whether something in the spool of this process waits for the broker."""
        spool = self._spool
        return spool is not None and spool.unpublished()

    # -- from the call to the disk -------------------------------------------------------------------------------

    def _usable(self) -> bool:
        return self.options.enabled and not self._closed

    def _draft(self, attempt_id: UUID | None) -> Draft | None:
        if not self._usable() or not self._drafts:
            return None
        return self._drafts.get(next(reversed(self._drafts)) if attempt_id is None else attempt_id)

    def _complete(self, status: str, attempt_id: UUID | None, fields: dict[str, Any], wait: bool) -> _Job | Logged:
        now = datetime.now(UTC)
        with self._lock:
            draft = self._draft(attempt_id)
            if draft is None:
                return Logged(
                    attempt_id, False, "the logger is off" if not self.options.enabled else "no attempt is open"
                )
            draft.add({"status": status, "completed_at": moment(now)} | fields)
            self._step = max(self._step, draft.step)
            event = draft.event
            started = datetime.fromisoformat(event["started_at"])
            event.setdefault("duration_ms", max(0, round((now - started).total_seconds() * 1000)))
            done = next(known for known, open_draft in self._drafts.items() if open_draft is draft)
            del self._drafts[done]
            self._last[event["correlation_id"]] = done
            _bound(self._last)
        return self._submit(event, wait)

    def _submit(self, event: dict[str, Any], wait: bool) -> _Job | Logged:
        with self._lock:
            if not self._usable():
                return Logged(_uuid(event.get("attempt_id")), False, "the logger is off or closed")
            self._run_threads()
        job = _Job(event, wait, Future())
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            problem = "too many events wait for the disk"
            self._count("refused", f"an event is not taken: {problem}")
            return Logged(_uuid(event.get("attempt_id")), False, problem)
        return job

    def _settle(self, job: _Job, wait_s: float, patience_s: float | None = None) -> Logged:
        """Waits for the disk as long as a call may take, and for the debug loop where that is asked for."""
        attempt = _uuid(job.event.get("attempt_id"))
        patience_s = self.options.block_ms / 1000 if patience_s is None else patience_s
        try:
            body = job.written.result(max(patience_s, wait_s) if job.wait else patience_s)
        except FutureTimeoutError:
            self.counts.late += 1
            return Logged(attempt, False, "not yet on disk")
        except OSError as error:
            return Logged(attempt, False, str(error))
        return Logged(attempt, True, loop=self._learn(body, wait_s) if job.wait else None)

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
                self._count("refused", f"{len(ready)} events are not taken: {error}", len(ready))
                for job, _ in ready:
                    job.written.set_exception(error)
            else:
                for job, record in ready:
                    self._on_disk(job, record)

    def _redacted(self, job: _Job) -> Record | None:
        try:
            from debug_loop_pipeline.client.redaction import redact_event  # 50 ms that the agent need not wait for

            event = redact_event(job.event)
            key = _uuid(event.get("correlation_id")) or _uuid(event.get("attempt_id")) or _NO_KEY
            return Record(str(key), encoded(event))
        except Exception as error:
            problem = f"no event can be made of it: {type(error).__name__}: {error}"
            self._count("failed", problem)
            job.written.set_exception(OSError(problem))
            return None

    def _on_disk(self, job: _Job, record: Record) -> None:
        self.counts.written += 1
        job.written.set_result(record.body)
        if self._relay is not None:
            self._relay.wake()
        if self.options.learn and not job.wait:
            try:
                self._lessons.put_nowait(record.body)
            except queue.Full:
                self.counts.not_learned += 1

    def _open_spool(self) -> Spool:
        if self._spool is None:
            root = self._data_dir / SPOOL
            self._spool = Spool.create(root, self.options)
            self._relay = RelayThread(root, self._servers, self.options, lambda: self._spool)
        return self._spool

    def _servers(self) -> str | None:
        return self._given_servers or configured_servers(self._data_dir)

    # -- learning ------------------------------------------------------------------------------------------------

    def _learn_all(self) -> None:
        while True:
            self._learn(self._lessons.get(), None)

    def _learn(self, body: bytes, wait_s: float | None) -> dict[str, Any] | None:
        """Has the debug loop run for an event: by `serve` where it runs, else here. None where it could not be."""
        import pkgutil

        try:
            learn: Callable[..., dict[str, Any] | None] = pkgutil.resolve_name(_LEARN)
            result = learn(body, self._data_dir, wait_s)
        except Exception as error:
            self._count("not_learned", f"the debug loop was not run: {type(error).__name__}: {error}")
            return None
        if result is None:
            self.counts.not_learned += 1
        return result

    # -- trouble -------------------------------------------------------------------------------------------------

    def _failed(self, call: str, error: Exception) -> Logged:
        problem = f"{type(error).__name__}: {error}"
        self._count("failed", f"{call}: {problem}")
        return Logged(None, False, problem)

    def _count(self, what: str, message: str, events: int = 1) -> None:
        """Counts events that went wrong, and warns of the same kind at most once a minute."""
        with contextlib.suppress(Exception):
            setattr(self.counts, what, getattr(self.counts, what) + events)
            now = time.monotonic()
            if now - self._warned.get(what, -_WARN_EVERY_S) >= _WARN_EVERY_S:
                self._warned[what] = now
                _log.warning(message)


def _warm_up() -> None:
    """Loads what the threads behind need, so that the first `complete` does not share the interpreter with it."""
    with contextlib.suppress(Exception):
        from debug_loop_pipeline.client import broker, redaction

        redaction.redact(broker.__name__)


def _leave_to_parent() -> None:
    """In a forked child: the parent's threads are not here, and its spool is its own."""
    for logger in list(_loggers):
        logger._begin()


def _close_all() -> None:
    for logger in list(_loggers):
        logger.close()


os.register_at_fork(after_in_child=_leave_to_parent)
atexit.register(_close_all)


def _bound(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > _OPEN_ATTEMPTS:
        kept.popitem(last=False)


def _uuid(value: object) -> UUID | None:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        return None
