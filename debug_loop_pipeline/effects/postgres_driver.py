"""psycopg2 connections that give up by themselves when the server falls silent.

Here: the connection and cursor classes that `postgres` hands to SQLAlchemy. Not here: pools, transactions, retries
(`postgres`, `resilience`).

`statement_timeout` is kept by the server, `tcp_user_timeout` and keepalives by the two kernels; none of them ends the
wait of a client whose server, or the proxy before it, accepts bytes and never answers. libpq waits for ever then, and
psycopg2's own wait hook is global and excludes COPY. So a watching thread shuts the socket down when a round trip is
overdue, and libpq reports a lost connection.
"""

from __future__ import annotations

import heapq
import itertools
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions


class ServerSilentError(psycopg2.OperationalError):
    """No answer from the server in time; the connection was cut by the client."""


class DeadlineWatch:
    """Runs an action when something takes too long: one sleeping thread for all that is watched, started at the first
    use.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._ended: set[int] = set()
        self._numbers = itertools.count()
        self._wakes_at = math.inf
        self._thread: threading.Thread | None = None
        self._process = os.getpid()

    @contextmanager
    def watching(self, seconds: float, action: Callable[[], None]) -> Iterator[None]:
        """`action()` in another thread if the body has not ended after `seconds`."""
        number = self._start(time.monotonic() + seconds, action)
        try:
            yield
        finally:
            with self._condition:
                self._ended.add(number)
                self._drop_ended()

    def _start(self, due: float, action: Callable[[], None]) -> int:
        with self._condition:
            if self._thread is None or not self._thread.is_alive() or self._process != os.getpid():
                self._due.clear()  # after a fork the parent's entries are not ours to act on
                self._ended.clear()
                self._wakes_at = math.inf
                self._process = os.getpid()
                self._thread = threading.Thread(target=self._watch, name="debug-loop-deadlines", daemon=True)
                self._thread.start()
            number = next(self._numbers)
            heapq.heappush(self._due, (due, number, action))
            if (
                due < self._wakes_at
            ):  # else it looks in time by itself; to wake it at each statement costs a switch of threads
                self._wakes_at = due
                self._condition.notify()
            return number

    def _drop_ended(self) -> None:
        while self._due and self._due[0][1] in self._ended:
            self._ended.discard(heapq.heappop(self._due)[1])

    def _watch(self) -> None:
        with self._condition:
            while True:
                self._drop_ended()
                now = time.monotonic()
                if self._due and self._due[0][0] <= now:
                    _, number, action = heapq.heappop(self._due)
                    # Inside the lock: the body cannot end, and its socket number be used anew, while the action runs.
                    action()
                    self._ended.discard(number)
                    continue
                if self._due:
                    self._wakes_at = self._due[0][0]
                elif self._wakes_at <= now:
                    self._wakes_at = math.inf
                # With nothing due it stays in the wait it was in, so that the next body that is watched need not wake it.
                self._condition.wait(None if self._wakes_at == math.inf else self._wakes_at - now)


WATCH = DeadlineWatch()


class DeadlineConnection(psycopg2.extensions.connection):
    """A connection whose every round trip ends within `deadline_s` seconds. 0 waits for ever."""

    deadline_s: float = 0.0

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """Make a `DeadlineCursor`, where nothing else is asked for."""
        kwargs.setdefault("cursor_factory", DeadlineCursor)
        return super().cursor(*args, **kwargs)

    def commit(self) -> None:
        """Commit, in time."""
        with self.limited():
            super().commit()

    def rollback(self) -> None:
        """Roll back, in time."""
        with self.limited():
            super().rollback()

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Cuts the connection when the body takes longer than `deadline_s`.

        Raises:
            ServerSilentError: in place of the error that the cut caused.
        """
        seconds = self.deadline_s
        if seconds <= 0 or self.closed:
            yield
            return
        cut = False

        def cut_it() -> None:
            nonlocal cut
            cut = True
            _shut_down(self)

        try:
            with WATCH.watching(seconds, cut_it):
                yield
        except psycopg2.Error as error:
            if not cut:
                raise
            raise ServerSilentError(f"no answer from the server in {seconds:g} s, the connection was cut") from error


class DeadlineCursor(psycopg2.extensions.cursor):
    """A cursor of a `DeadlineConnection`."""

    connection: DeadlineConnection

    def execute(self, query: Any, vars: Any = None) -> None:
        """Execute, in time."""
        with self.connection.limited():
            super().execute(query, vars)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        """COPY, the whole of it in time."""
        with self.connection.limited():
            super().copy_expert(sql, file, size)


def _shut_down(connection: psycopg2.extensions.connection) -> None:
    try:
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
    except (psycopg2.Error, OSError):  # closed meanwhile
        return
    with duplicate:
        try:
            duplicate.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
