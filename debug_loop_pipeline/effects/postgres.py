"""PostgreSQL as the stores use it: one pooled engine, transactions, locks.

Here: how a connection is made and a transaction is run. Not here: bulk writes (`bulk_write`), SQL of the domain (one
store per effect unit), the schema (`schema`, Alembic).

Retries are the `EffectCaller`'s alone: neither libpq (one address, no multi-host URL needed) nor SQLAlchemy repeats a
statement. A pooled connection is asked for a sign of life before it is handed out (`pool_pre_ping`, 0.1 ms): without
it the first call after a server restart fails even where it may not be repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson
from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from debug_loop_pipeline.effects.bulk_write import WriteCounts, copy_rows, encode_json, stage_and_upsert
from debug_loop_pipeline.effects.faults import Fault, classify
from debug_loop_pipeline.effects.postgres_driver import DeadlineConnection
from debug_loop_pipeline.effects.resilience import (
    CircuitBreaker,
    EffectCaller,
    OutcomeUnknownError,
    Retry,
    RetryPolicy,
)

__all__ = [
    "Database",
    "JoinedDatabase",
    "WriteCounts",
    "advisory_lock",
    "copy_rows",
    "shared_lock",
    "stage_and_upsert",
    "try_advisory_lock",
]

T = TypeVar("T")
_CLIENT_GRACE_S = 5.0  # the client waits this much longer than the server was told to work
_POOL_WAIT_S = 10.0
_SAVEPOINT = "piece"
_SAVE = f"savepoint {_SAVEPOINT}"


class Database:
    """One PostgreSQL database. Thread-safe; make one per process and share it.

    Args:
        url: `postgresql://user:password@host:port/database` (any SQLAlchemy PostgreSQL URL; psycopg2 is used).
        pool_size: connections kept; as many again may be opened in a rush.
        statement_timeout_ms: the server gives up a statement after this; 0 never. The client gives up 5 s later.
        application_name: shown in pg_stat_activity.
        connect_timeout_s: whole seconds, at least 2 (libpq's minimum).
        policy: of retries.
        breaker: of calls; by default one of its own.
    """

    def __init__(
        self,
        url: str,
        pool_size: int = 5,
        statement_timeout_ms: int = 60_000,
        application_name: str = "debug-loop",
        *,
        connect_timeout_s: int = 5,
        policy: RetryPolicy | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        try:
            parsed = make_url(url)
        except Exception as error:
            raise ValueError(
                "the PostgreSQL URL cannot be read; expected postgresql://user:password@host:port/database"
            ) from error
        if parsed.get_backend_name() not in ("postgresql", "postgres"):
            raise ValueError(f"not a PostgreSQL URL: scheme {parsed.drivername!r}, expected postgresql://")
        parsed = parsed.set(drivername="postgresql+psycopg2")
        self._statement_timeout_ms = statement_timeout_ms
        connect_args: dict[str, Any] = {
            "connection_factory": DeadlineConnection,
            "application_name": application_name,
            "connect_timeout": max(2, connect_timeout_s),
            "keepalives": 1,
            "keepalives_idle": 30,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            "options": _options(parsed.query.get("options"), statement_timeout_ms),
        }
        self.engine = create_engine(
            parsed.difference_update_query(["options"]),
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=_POOL_WAIT_S,
            pool_pre_ping=True,
            connect_args=connect_args,
            use_native_hstore=False,
            json_serializer=lambda value: encode_json(value).decode(),
            json_deserializer=orjson.loads,
            hide_parameters=True,
        )
        self.caller = EffectCaller(
            "postgres",
            URL.create(
                "postgresql", parsed.username, None, parsed.host, parsed.port, parsed.database
            ).render_as_string(),
            "Check that PostgreSQL runs there and that DEBUG_LOOP_POSTGRES_URL names it (`debug-loop up` starts one).",
            policy=policy,
            breaker=breaker,
        )

    @contextmanager
    def transaction(
        self,
        operation: str = "transaction",
        *,
        statement_timeout_ms: int | None = None,
        lock_timeout_ms: int | None = None,
        durable: bool = True,
    ) -> Iterator[Connection]:
        """A connection in a transaction that commits at the end of the body and rolls back on an error. Never repeated.

        Args:
            operation: its name in spans and errors.
            statement_timeout_ms: for this transaction, in place of the database's.
            lock_timeout_ms: a statement that waits longer for a row or a lock is an error; by default as the server says.
            durable: False does not wait for the disk: a crash of the server may take the whole transaction back. For what is
                made again from what is durable.

        Raises:
            EffectUnavailableError: the server was lost before the commit; nothing was changed.
            OutcomeUnknownError: the server was lost during the commit.
        """
        attempt = _Attempt(self, operation, statement_timeout_ms, lock_timeout_ms=lock_timeout_ms, durable=durable)
        with self.caller.once(operation), attempt.transaction() as connection:
            yield connection

    def run(
        self,
        operation: str,
        work: Callable[[Connection], T],
        *,
        retry: Retry = Retry.NEVER,
        statement_timeout_ms: int | None = None,
    ) -> T:
        """`work(connection)` in one transaction, the whole of it tried again as `retry` allows.

        Args:
            operation: its name in spans and errors.
            work: statements; run anew on a fresh connection at each attempt, so it must not keep state between them.
            retry: ALWAYS where committing twice is committing once; IF_UNDONE where it is not, but `work` does
                nothing outside the database; else NEVER.
            statement_timeout_ms: for this transaction, in place of the database's.

        Raises:
            EffectUnavailableError, CircuitOpenError: as `EffectCaller.call`.
            OutcomeUnknownError: the server was lost during the commit, and `retry` is not ALWAYS.
        """
        attempt = _Attempt(self, operation, statement_timeout_ms, commit_again=retry is Retry.ALWAYS)

        def once() -> T:
            with attempt.transaction() as connection:
                return work(connection)

        return self.caller.call(operation, once, retry=retry, undone=lambda: not attempt.committing)

    def stable(self, key: Hashable, read: Callable[[], T]) -> T:
        """`read()`, of rows that nothing changes in between: a transaction that asks for them again may get them as they were.

        Here they are read each time; see `JoinedDatabase`.
        """
        return read()

    def close(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()


class JoinedDatabase(Database):
    """A database as it is seen from inside one open transaction: every transaction that is asked for is part of that one.

    So several pieces of work that each know how to run alone share a transaction. Nothing is committed before the outer one
    is; `savepoint` keeps what was done before a piece that fails.

    Args:
        outer: the database that the transaction is of.
        connection: in that transaction.
    """

    def __init__(self, outer: Database, connection: Connection) -> None:
        self.engine = outer.engine
        self.caller = outer.caller
        self._statement_timeout_ms = outer._statement_timeout_ms
        self._connection = connection
        self._saved = False
        self._stable: dict[Hashable, Any] = {}

    @contextmanager
    def transaction(
        self,
        operation: str = "transaction",
        *,
        statement_timeout_ms: int | None = None,
        lock_timeout_ms: int | None = None,
        durable: bool = True,
    ) -> Iterator[Connection]:
        """The connection of the outer transaction, whose time-outs and durability hold. An error of the body leaves it to the
        savepoint around it.
        """
        yield self._connection

    def run(
        self,
        operation: str,
        work: Callable[[Connection], T],
        *,
        retry: Retry = Retry.NEVER,
        statement_timeout_ms: int | None = None,
    ) -> T:
        """`work(connection)` in the outer transaction, once: what fails in the middle of a transaction cannot be repeated alone."""
        return work(self._connection)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undoes what the body wrote where it ends in an error, and nothing before it. One at a time, not nested."""
        self._connection.exec_driver_sql(f"release savepoint {_SAVEPOINT}; {_SAVE}" if self._saved else _SAVE)
        self._saved = True
        try:
            yield
        except Exception:
            self._connection.exec_driver_sql(f"rollback to savepoint {_SAVEPOINT}")
            raise

    def stable(self, key: Hashable, read: Callable[[], T]) -> T:
        """As `read()` answered when it was asked for under this key first."""
        if key not in self._stable:
            self._stable[key] = read()
        found: T = self._stable[key]
        return found

    def close(self) -> None:
        """Nothing: the connection is the outer transaction's."""


class _Attempt:
    """The transactions of one call, one after the other, and whether the last one had got as far as its COMMIT."""

    def __init__(
        self,
        database: Database,
        operation: str,
        statement_timeout_ms: int | None,
        *,
        lock_timeout_ms: int | None = None,
        durable: bool = True,
        commit_again: bool = False,
    ) -> None:
        self._database = database
        self._operation = operation
        self._statement_timeout_ms = statement_timeout_ms
        self._commit_again = commit_again
        self.committing = False
        settings = (
            [] if statement_timeout_ms is None else [f"set local statement_timeout = {int(statement_timeout_ms)}"]
        )
        if lock_timeout_ms is not None:
            settings.append(f"set local lock_timeout = {int(lock_timeout_ms)}")
        if not durable:
            settings.append("set local synchronous_commit = off")
        self._settings = "; ".join(settings)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self.committing = False
        timeout_ms = (
            self._database._statement_timeout_ms if self._statement_timeout_ms is None else self._statement_timeout_ms
        )
        with self._database.engine.connect() as connection:
            driver = _driver_connection(connection)
            driver.deadline_s = timeout_ms / 1000 + _CLIENT_GRACE_S if timeout_ms else 0.0
            with connection.begin() as transaction:
                if self._settings:
                    connection.exec_driver_sql(self._settings)
                yield connection
                self.committing = True
                try:
                    transaction.commit()
                except DBAPIError as error:
                    if self._commit_again or classify(error) is not Fault.TRANSIENT:
                        raise
                    caller = self._database.caller
                    raise OutcomeUnknownError(
                        f"postgres at {caller.target}: the connection was lost while {self._operation} was being "
                        "committed, so it is not known whether it happened. Look at the rows it writes before doing "
                        f"it again. {caller.advice}",
                        system="postgres",
                        operation=self._operation,
                    ) from error


def advisory_lock(connection: Connection, name: str, wait_s: float | None = 300.0, *, shared: bool = False) -> None:
    """Wait for the lock `name`, held until the transaction ends, so that one transaction at a time does what it guards.

    Args:
        connection: in a transaction.
        name: any text; its hash is the lock's number, the same in every process and version.
        wait_s: longer than this is an error (`lock_not_available`, which counts as contention). Not bound by the
            statement time-out. None: as long as the transaction's own time-outs allow.
        shared: with others that ask for it shared; only one that asks for it alone has to wait, or to be waited for.
    """
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    if wait_s is None:
        connection.exec_driver_sql(f"select {function}({_lock_number(name)})")
        return
    driver = _driver_connection(connection)
    lock_timeout_ms = max(1, int(wait_s * 1000))
    deadline_s, driver.deadline_s = driver.deadline_s, wait_s + _CLIENT_GRACE_S
    try:
        # One round trip: libpq sends it as one simple query, whose statements each start their own time-out.
        connection.exec_driver_sql(
            "select set_config('debug_loop.statement_timeout', current_setting('statement_timeout'), true), "
            "set_config('debug_loop.lock_timeout', current_setting('lock_timeout'), true), "
            f"set_config('statement_timeout', '0', true), set_config('lock_timeout', '{lock_timeout_ms}', true); "
            f"select {function}({_lock_number(name)}); "
            "select set_config('statement_timeout', current_setting('debug_loop.statement_timeout'), true), "
            "set_config('lock_timeout', current_setting('debug_loop.lock_timeout'), true)"
        )
    finally:
        driver.deadline_s = deadline_s


def shared_lock(name: str) -> str:
    """SQL that takes the lock `name` shared, to go in one round trip with a statement that then sees what it waited for."""
    return f"select pg_advisory_xact_lock_shared({_lock_number(name)})"


def try_advisory_lock(connection: Connection, name: str) -> bool:
    """Take the lock `name` until the transaction ends, or answer False at once where another holds it."""
    return bool(
        connection.execute(text("select pg_try_advisory_xact_lock(:key)"), {"key": _lock_number(name)}).scalar_one()
    )


def _lock_number(name: str) -> int:
    return int.from_bytes(
        hashlib.blake2b(name.encode(), digest_size=8, person=b"debug-loop-lock").digest(), "big", signed=True
    )


def _driver_connection(connection: Connection) -> DeadlineConnection:
    driver = connection.connection.driver_connection
    if not isinstance(driver, DeadlineConnection):
        raise TypeError(
            "this connection does not come from a Database: make it with Database.transaction or Database.run"
        )
    return driver


def _options(given: str | tuple[str, ...] | None, statement_timeout_ms: int) -> str:
    """The `options` of libpq: the URL's own first, so that ours hold."""
    own = [given] if isinstance(given, str) else list(given or ())
    return " ".join([*own, f"-c statement_timeout={int(statement_timeout_ms)}", "-c timezone=UTC"])
