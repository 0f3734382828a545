"""The protocols' methods on real servers: transactions, a cache, an event bus."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from debug_loop_pipeline.effects.kafka import Kafka, Topic
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.resilience import RetryPolicy
from debug_loop_pipeline.effects.valkey import Valkey
from debug_loop_pipeline.models.servers import ServerAddresses
from debug_loop_pipeline.onex.bus import OnexEventBus
from debug_loop_pipeline.onex.stores import OnexCache, OnexDatabase

T = TypeVar("T")
ONCE = RetryPolicy(attempts=1)
NOWHERE = "127.0.0.1:9"


def run(work: Awaitable[T]) -> T:
    async def main() -> T:
        return await work

    return asyncio.run(main())


def test_a_transaction_is_kept_or_undone_as_a_whole(empty_postgres_url: str) -> None:
    database = Database(empty_postgres_url)
    connection = OnexDatabase(database)

    async def work() -> list[list[dict[str, object]]]:
        await connection.connect()
        await connection.execute("create table t (a int, b text)")
        found = []
        for keep in (False, True):
            await connection.begin_transaction()
            assert connection.in_transaction
            assert await connection.execute_many("insert into t values ($1, $2)", [(1, "it's 100%"), (2, "$1")]) == 2
            await (connection.commit() if keep else connection.rollback())
            assert not connection.in_transaction
            found.append(await connection.execute("select a, b, '$1 %' as c from t where a = $1 or b = $2", 1, "$1"))
        return found

    undone, kept = run(work())
    assert undone == []
    assert kept == [{"a": 1, "b": "it's 100%", "c": "$1 %"}, {"a": 2, "b": "$1", "c": "$1 %"}]
    database.close()


def test_transactions_do_not_nest_and_end_once(empty_postgres_url: str) -> None:
    database = Database(empty_postgres_url)
    connection = OnexDatabase(database)

    async def work() -> None:
        with pytest.raises(RuntimeError, match="no transaction"):
            await connection.commit()
        await connection.begin_transaction()
        with pytest.raises(RuntimeError, match="open already"):
            await connection.begin_transaction()
        await connection.disconnect()
        assert not connection.in_transaction
        assert await connection.is_connected()

    run(work())
    database.close()


def test_a_database_that_is_down_is_not_connected() -> None:
    database = Database(f"postgresql://nobody@{NOWHERE}/none", policy=ONCE)
    assert run(OnexDatabase(database).is_connected()) is False


def test_a_cache_keeps_values_under_its_prefix_and_clears_them_alone(valkey_url: str) -> None:
    valkey = Valkey(valkey_url)
    one, other = OnexCache(valkey, "one:"), OnexCache(valkey, "other:")

    async def work() -> None:
        await one.set("k", {"n": [1, None]}, ttl_seconds=60)
        await one.set("gone", 1, ttl_seconds=0)
        await other.set("k", 2)
        assert await one.get("k") == {"n": [1, None]}
        assert await one.exists("k")
        assert not await one.exists("gone")
        await one.clear()
        assert await one.get("k") is None
        assert await other.get("k") == 2
        await other.delete("k")
        assert await other.get("k") is None

    run(work())
    valkey.close()


def test_a_cache_that_is_down_knows_nothing() -> None:
    cache = OnexCache(Valkey(f"valkey://{NOWHERE}/0", policy=ONCE))

    async def work() -> None:
        await cache.set("k", 1)
        assert await cache.get("k") is None
        assert not await cache.exists("k")

    run(work())


def test_the_bus_publishes_what_is_read_again(kafka: ServerAddresses) -> None:
    assert kafka.kafka_bootstrap_servers is not None
    client = Kafka(kafka.kafka_bootstrap_servers)
    bus = OnexEventBus(client, environment="test")

    async def work() -> dict[str, object]:
        await bus.publish("onex.things.v1", b"key", b'{"n": 1}')
        await bus.broadcast_to_environment("stop", {"why": "done"})
        with pytest.raises(ValueError, match="no headers"):
            await bus.publish("onex.things.v1", None, b"{}", headers=object())
        return await bus.health_check()

    assert run(work())["healthy"]
    topic = Topic("onex.commands.test")
    reader = client.reader(topic, {0: 0})
    values = [m.value for _ in range(50) for batch in reader.poll(0.2) for m in batch.messages][:1]
    assert values == [b'{"command":"stop","payload":{"why":"done"}}']
    reader.close()
    run(bus.close())


def test_a_bus_without_a_broker_is_not_healthy() -> None:
    health = run(OnexEventBus(Kafka(NOWHERE, policy=ONCE)).health_check())
    assert (health["healthy"], health["connected"]) == (False, False)
