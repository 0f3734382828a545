"""AgentExecutionLogger: what an agent calls to tell its attempts, live (DOMAIN 3.1).

Here: the calls. Not here: what an event consists of (`event_draft`), the threads behind (`event_writer`). Importing this module
loads the standard library only.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import socket
import threading
import time
import weakref
from collections import OrderedDict
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from debug_loop_pipeline.client.event_draft import FORMAT, Draft, moment, own_attempt_id, plain, task_id
from debug_loop_pipeline.client.event_writer import EventWriter, Job, LoggerCounts, as_uuid, warm_up
from debug_loop_pipeline.client.options import data_directory, options_from_environment
from debug_loop_pipeline.client.relay import configured_servers
from debug_loop_pipeline.models import identity
from debug_loop_pipeline.models.logger_options import LoggerOptions

_OPEN_ATTEMPTS = 1_000
_WAIT_S = 30.0
_WAITED_SHARE = 0.8
"""Of `block_ms`. The rest is for what a call does besides, and for getting the interpreter back from other threads."""
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
        self.options = options or options_from_environment(_log.warning)
        self._data_dir = data_directory(data_dir)
        self._given_servers = servers
        self._fields = {"agent_name": str(agent_name)[:200] or "unknown", "source": {"importer": FORMAT}} | fields
        self._begin()
        _loggers.add(self)
        if self.options.enabled:
            with contextlib.suppress(RuntimeError):  # the interpreter is ending
                threading.Thread(target=warm_up, name="debug-loop-warm-up", daemon=True).start()

    def _begin(self) -> None:
        """What belongs to one process: none of it survives a fork."""
        self._writer = EventWriter(self.options, self._data_dir, self._servers)
        self._lock = threading.Lock()
        self._run = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"
        self._step = 0
        self._number = 0
        self._drafts: OrderedDict[UUID, Draft] = OrderedDict()
        self._last: OrderedDict[str, UUID] = OrderedDict()
        self._closed = False

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
            first_id: id of the attempt's first tool call or message: the attempt then has the id that the importer gives it. An id that
                is numbered anew in each conversation (`Bash_0`) needs `session_id` for that, as the transcript names it.
            parent_attempt_id: of which this is a retry. Default: the last attempt of the same task in this process.
            **fields: of the event.

        Returns:
            The attempt's id; None where the logger is off or something went wrong.
        """
        try:
            told = plain({"user_request": user_request, "parent_attempt_id": parent_attempt_id} | fields)
            with self._lock:
                return self._start(told, task, attempt_id, source_format, first_id)
        except Exception as error:
            self._failed("start", error)
            return None

    def _start(
        self,
        told: dict[str, Any],
        task: UUID | str | None,
        attempt_id: UUID | None,
        source_format: str,
        first_id: str | None,
    ) -> UUID | None:
        if not self._usable():
            return None
        self._number += 1
        started_at = moment(datetime.now(UTC))
        if attempt_id is None:
            attempt_id = (
                identity.attempt_id(source_format, identity.in_session(first_id, self._session(told)))
                if first_id is not None
                else own_attempt_id(self._run, started_at, self._number)
            )
        correlation = str(task_id(source_format, str(attempt_id) if task is None else task))
        event = {
            "execution_id": self._fields.get("session_id") or self._run,
            **plain(self._fields),
            "attempt_id": str(attempt_id),
            "correlation_id": correlation,
            "started_at": started_at,
            **told,
            "parent_attempt_id": told["parent_attempt_id"] or plain(self._last.get(correlation)),
        }
        self._drafts[attempt_id] = Draft(event, self._step)
        _bound(self._drafts)
        return attempt_id

    def _session(self, told: dict[str, Any]) -> str:
        """What an id that is numbered anew in each conversation is taken with."""
        return str(told.get("session_id") or self._fields.get("session_id") or self._run)

    def progress(self, attempt_id: UUID | None = None, **fields: Any) -> bool:
        """Add to an attempt: lists (edits, commands, verifications, errors, tools_used, ...) are continued, token buckets added up.

        Args:
            attempt_id: as `start` gave it. Default: the attempt that was started last.
            **fields: of the event.

        Returns:
            False where no such attempt is open.
        """
        try:
            told = plain(fields)  # before the lock: a caller with little to tell need not wait for one with much
            with self._lock:
                draft = self._draft(attempt_id)
                if draft is None:
                    return False
                draft.add(told)
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
        until = self._until()
        try:
            job = self._complete(status, attempt_id, fields, wait)
            return self._settle(job, wait_s, until) if isinstance(job, Job) else job
        except Exception as error:
            return self._failed("complete", error)

    def record(self, event: dict[str, Any], *, wait: bool = False, wait_s: float = _WAIT_S) -> Logged:
        """Tell a finished attempt whole, as an execution event; like `complete` otherwise."""
        until = self._until()
        try:
            job = self._submit(plain(event), wait)
            return self._settle(job, wait_s, until) if isinstance(job, Job) else job
        except Exception as error:
            return self._failed("record", error)

    async def acomplete(
        self, status: str, attempt_id: UUID | None = None, *, wait: bool = False, wait_s: float = _WAIT_S, **fields: Any
    ) -> Logged:
        """`complete` that lets the event loop go on meanwhile."""
        import asyncio

        try:
            job = self._complete(status, attempt_id, fields, wait)
            if not isinstance(job, Job):
                return job
            if wait:
                return await asyncio.to_thread(self._settle, job, wait_s, self._until())
            with contextlib.suppress(Exception):
                written = asyncio.shield(asyncio.wrap_future(job.written))
                await asyncio.wait_for(written, self.options.block_ms / 1000)
            return self._settle(job, 0.0, time.monotonic())
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
            longest = self.options.block_ms / 1000 if wait_s is None else wait_s
            self._writer.close(longest, for_broker=wait_s is not None)

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
        return self._writer.unpublished

    @property
    def counts(self) -> LoggerCounts:
        """What this logger did so far."""
        return self._writer.counts

    def _servers(self) -> str | None:
        return self._given_servers or configured_servers(self._data_dir)

    # -- from the call to the disk -------------------------------------------------------------------------------

    def _usable(self) -> bool:
        return self.options.enabled and not self._closed

    def _draft(self, attempt_id: UUID | None) -> Draft | None:
        if not self._usable() or not self._drafts:
            return None
        return self._drafts.get(next(reversed(self._drafts)) if attempt_id is None else attempt_id)

    def _complete(self, status: str, attempt_id: UUID | None, fields: dict[str, Any], wait: bool) -> Job | Logged:
        now = datetime.now(UTC)
        told = plain({"status": status, "completed_at": now} | fields)
        with self._lock:
            draft = self._draft(attempt_id)
            if draft is None:
                return Logged(
                    attempt_id, False, "the logger is off" if not self.options.enabled else "no attempt is open"
                )
            draft.add(told)
            self._step = max(self._step, draft.step)
            event = draft.event
            started = datetime.fromisoformat(event["started_at"])
            event.setdefault("duration_ms", max(0, round((now - started).total_seconds() * 1000)))
            done = next(known for known, open_draft in self._drafts.items() if open_draft is draft)
            del self._drafts[done]
            self._last[event["correlation_id"]] = done
            _bound(self._last)
        return self._submit(event, wait)

    def _submit(self, event: dict[str, Any], wait: bool) -> Job | Logged:
        attempt = as_uuid(event.get("attempt_id"))
        if not self._usable():
            return Logged(attempt, False, "the logger is off or closed")
        return self._writer.submit(event, wait) or Logged(attempt, False, "too many events wait for the disk")

    def _until(self) -> float:
        """When a call that begins now has to stop waiting for the disk."""
        return time.monotonic() + _WAITED_SHARE * self.options.block_ms / 1000

    def _settle(self, job: Job, wait_s: float, until: float) -> Logged:
        """Waits for the disk until then, and for the debug loop where that is asked for."""
        attempt = as_uuid(job.event.get("attempt_id"))
        began = time.monotonic()
        patience_s = max(0.0, until - began)
        try:
            body = job.written.result(max(patience_s, wait_s) if job.wait else patience_s)
        except FutureTimeoutError:
            self._writer.counts.late += 1
            return Logged(attempt, False, "not yet on disk")
        except OSError as error:
            return Logged(attempt, False, str(error))
        if not job.wait:
            return Logged(attempt, True)
        return Logged(attempt, True, loop=self._writer.learn(body, max(0.0, began + wait_s - time.monotonic())))

    # -- trouble -------------------------------------------------------------------------------------------------

    def _failed(self, call: str, error: Exception) -> Logged:
        problem = f"{type(error).__name__}: {error}"
        self._writer.count("failed", f"{call}: {problem}")
        return Logged(None, False, problem)


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
