"""Our PostgreSQL and Valkey under omnibase-core's protocols for databases and caches (extra `onex`).

`OnexDatabase` is a `ProtocolDatabaseConnection`, `OnexCache` a `ProtocolCacheBackend`: by shape, so this module imports neither.
Both call through our clients, so retries, breaker, time-outs and spans are the same as everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, TypeVar

import orjson
import redis
from sqlalchemy import Connection

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.resilience import CircuitOpenError, EffectUnavailableError, Retry
from debug_loop_pipeline.effects.valkey import Valkey

T = TypeVar("T")
_QUOTED_OR_PLACEHOLDER = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\$(?P<number>\d+)|%")
_SCAN = 1_000


class _RolledBackError(Exception):
    """Ends a transaction without committing it."""


class OnexDatabase:
    """One connection's worth of a database: calls in order, each in a transaction of its own or in the one that was begun.

    Placeholders are `$1`, `$2`, ... A statement outside of a transaction is repeated where the server certainly undid it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # One thread: a transaction, its span and its breaker belong to the thread that began them.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="onex-database")
        self._transaction: ExitStack | None = None
        self._connection: Connection | None = None

    async def connect(self) -> None:
        """See that the database answers.

        Raises:
            EffectUnavailableError, CircuitOpenError: it does not.
        """
        await self.execute("select 1")

    async def disconnect(self) -> None:
        """Undo a transaction that is open; the pool stays with the `Database`, which others may use."""
        if self.in_transaction:
            await self.rollback()

    async def is_connected(self) -> bool:
        """Whether the database answers now."""
        try:
            await self.connect()
        except (EffectUnavailableError, CircuitOpenError):
            return False
        return True

    async def execute(self, query: str, *args: object) -> list[dict[str, Any]]:
        """The rows of a statement; none where it gives none."""

        def work(connection: Connection) -> list[dict[str, Any]]:
            result = connection.exec_driver_sql(_driver_sql(query), _driver_arguments(args))
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

        return await self._do(work)

    async def execute_many(self, query: str, args_list: list[tuple[object, ...]]) -> int:
        """Run a statement with each set of arguments; how many rows were affected."""

        def work(connection: Connection) -> int:
            sql = _driver_sql(query)
            return sum(connection.exec_driver_sql(sql, _driver_arguments(args)).rowcount for args in args_list)

        return await self._do(work)

    async def begin_transaction(self) -> None:
        """Begin a transaction.

        Raises:
            RuntimeError: one is open.
        """
        if self.in_transaction:
            raise RuntimeError("a transaction is open already")

        def begin() -> None:
            stack = ExitStack()
            self._connection = stack.enter_context(self._database.transaction("onex"))
            self._transaction = stack

        await self._in_thread(begin)

    async def commit(self) -> None:
        """Commit the open transaction.

        Raises:
            RuntimeError: none is open.
        """
        stack = self._ending()
        await self._in_thread(stack.close)

    async def rollback(self) -> None:
        """Undo the open transaction.

        Raises:
            RuntimeError: none is open.
        """
        stack = self._ending()

        def undo() -> None:
            with contextlib.suppress(_RolledBackError), stack:
                raise _RolledBackError

        await self._in_thread(undo)

    @property
    def in_transaction(self) -> bool:
        """Whether one is open."""
        return self._transaction is not None

    def _ending(self) -> ExitStack:
        stack, self._transaction, self._connection = self._transaction, None, None
        if stack is None:
            raise RuntimeError("no transaction is open")
        return stack

    async def _do(self, work: Callable[[Connection], T]) -> T:
        connection = self._connection
        if connection is not None:
            return await self._in_thread(lambda: work(connection))
        return await self._in_thread(lambda: self._database.run("onex", work, retry=Retry.IF_UNDONE))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class OnexCache:
    """Values as JSON in Valkey. As the protocol wants it, a cache that is down is a cache that knows nothing.

    Args:
        valkey: the server.
        prefix: of every key, so that `clear` clears this cache alone.
    """

    def __init__(self, valkey: Valkey, prefix: str = "onex:cache:") -> None:
        self._valkey = valkey
        self._prefix = prefix

    async def get(self, key: str) -> Any | None:
        """A value, or None."""
        value = await self._do("onex.get", lambda client: client.get(self._prefix + key))
        return orjson.loads(value) if isinstance(value, bytes) else None

    async def set(self, key: str, value: Any, ttl_seconds: int | None = None) -> None:
        """Keep a value, for some seconds or for good; zero and less keep nothing."""
        if ttl_seconds is not None and ttl_seconds <= 0:
            return
        await self._do("onex.set", lambda client: client.set(self._prefix + key, orjson.dumps(value), ex=ttl_seconds))

    async def delete(self, key: str) -> None:
        """Forget a value."""
        await self._do("onex.delete", lambda client: client.delete(self._prefix + key))

    async def clear(self) -> None:
        """Forget every value of this cache."""

        def work(client: redis.Redis) -> None:
            for key in client.scan_iter(match=f"{self._prefix}*", count=_SCAN):
                client.unlink(key)

        await self._do("onex.clear", work)

    async def exists(self, key: str) -> bool:
        """Whether there is a value."""
        return bool(await self._do("onex.exists", lambda client: client.exists(self._prefix + key)))

    async def _do(self, operation: str, work: Callable[[redis.Redis], Any]) -> Any:
        try:
            return await asyncio.to_thread(self._valkey.run, operation, work, retry=Retry.ALWAYS)
        except (EffectUnavailableError, CircuitOpenError):
            return None


def _driver_sql(query: str) -> str:
    """`$1` as psycopg2 writes it; what is quoted stays."""

    def one(match: re.Match[str]) -> str:
        if match["number"] is not None:
            return f"%(p{match['number']})s"
        return match[0].replace("%", "%%")

    return _QUOTED_OR_PLACEHOLDER.sub(one, query)


def _driver_arguments(args: tuple[object, ...]) -> dict[str, object]:
    return {f"p{number}": value for number, value in enumerate(args, 1)}
