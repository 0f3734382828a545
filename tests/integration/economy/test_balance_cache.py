"""The cache on a real Valkey: no older value over a newer one, whoever is slow; without Valkey everything still answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import text

from debug_loop_pipeline.effects.balance_cache import BalanceCacheEffect, pack, read_epoch, unpack, value_key
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.token_ledger import BALANCE_COLUMNS, BALANCE_ROWS, balance_arrays
from debug_loop_pipeline.effects.valkey import Valkey
from debug_loop_pipeline.models.token import Balance
from tests.support.fault_proxy import FaultProxy
from tests.support.ledger import NOW


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    with closing(Database(postgres_url)) as database:
        yield database


@pytest.fixture
def valkey(valkey_url: str) -> Iterator[Valkey]:
    with closing(Valkey(valkey_url)) as valkey:
        yield valkey


@pytest.fixture
def cache(valkey: Valkey, database: Database) -> BalanceCacheEffect:
    return BalanceCacheEffect(valkey, database)


def balance(peer: str, version: int) -> Balance:
    return Balance(
        peer_id=peer,
        balance=version * 100,
        held=version,
        lifetime_earned=version * 100,
        last_transaction_id=uuid4(),
        version=version,
        last_updated=NOW,
    )


def store(database: Database, value: Balance) -> Balance:
    """Make it the folded balance, as the fold does."""
    columns = ", ".join(BALANCE_COLUMNS)
    with database.transaction() as connection:
        connection.execute(text("delete from token_balances where peer_id = :peer"), {"peer": value.peer_id})
        connection.execute(
            text(f"insert into token_balances ({columns}) select {columns} from {BALANCE_ROWS}"),
            balance_arrays([value]),
        )
    return value


def evict(valkey: Valkey, cache: BalanceCacheEffect, peer: str) -> None:
    valkey.client.delete(value_key(cache.epoch(), peer))


def cached(cache: BalanceCacheEffect, peer: str) -> Balance | None:
    return cache.cached_values([peer]).get(peer)


def test_a_miss_reads_the_database_and_fills_a_hit_does_neither(cache: BalanceCacheEffect, database: Database) -> None:
    peer = uuid4().hex
    stored = store(database, balance(peer, 1))
    assert cache.get(peer) == stored
    assert cache.get(peer) == stored
    assert (cache.counts.misses, cache.counts.hits) == (1, 1)
    assert cached(cache, peer) == stored


def test_many_peers_are_read_at_once(cache: BalanceCacheEffect, database: Database) -> None:
    peers = [uuid4().hex for _ in range(20)]
    stored = {peer: store(database, balance(peer, n + 1)) for n, peer in enumerate(peers)}
    unknown = uuid4().hex
    assert cache.get(peers[3]) == stored[peers[3]]
    found = cache.get_many([*peers, unknown, peers[0]])
    assert found == {**stored, unknown: Balance(peer_id=unknown)}
    assert cache.get_many([*peers, unknown]) == found
    assert cache.counts.misses == 21


def test_the_fold_renews_what_is_there_and_makes_nothing(cache: BalanceCacheEffect, database: Database) -> None:
    peer = uuid4().hex
    store(database, balance(peer, 1))
    assert cache.renew({peer: balance(peer, 1)}) == 0
    assert cached(cache, peer) is None
    cache.get(peer)
    newer = balance(peer, 2)
    assert cache.renew({peer: newer}) == 1
    assert cached(cache, peer) == newer


def test_an_older_renewal_changes_nothing(cache: BalanceCacheEffect, database: Database) -> None:
    peer = uuid4().hex
    newer = store(database, balance(peer, 10))
    cache.get(peer)
    assert cache.renew({peer: balance(peer, 9)}) == 0
    assert cached(cache, peer) == newer


def test_a_slow_reader_fills_nothing_that_was_renewed_meanwhile(
    cache: BalanceCacheEffect, database: Database, valkey: Valkey
) -> None:
    peer = uuid4().hex
    old = store(database, balance(peer, 1))
    lease = cache.draw_lease(cache.epoch(), [peer])  # it missed, read the old value, and stalls
    newer = store(database, balance(peer, 2))
    cache.renew({peer: newer})  # finds no value to renew
    assert cache.fill(cache.epoch(), lease, {peer: old}) == 0
    assert cached(cache, peer) is None
    assert cache.get(peer) == newer


def test_a_slow_reader_does_not_fill_after_an_eviction(
    cache: BalanceCacheEffect, database: Database, valkey: Valkey
) -> None:
    peer = uuid4().hex
    old = store(database, balance(peer, 1))
    lease = cache.draw_lease(cache.epoch(), [peer])
    newer = store(database, balance(peer, 2))
    cache.get(peer)  # another reader has filled the newer one
    evict(valkey, cache, peer)
    assert cache.fill(cache.epoch(), lease, {peer: old}) == 0
    assert cached(cache, peer) is None
    assert cache.get(peer) == newer


def test_a_slow_fold_does_not_bring_an_old_value_back_after_an_eviction(
    cache: BalanceCacheEffect, database: Database, valkey: Valkey
) -> None:
    peer = uuid4().hex
    store(database, balance(peer, 2))
    cache.get(peer)
    evict(valkey, cache, peer)
    assert cache.renew({peer: balance(peer, 1)}) == 0
    assert cached(cache, peer) is None


def test_a_lease_ends_with_the_next_one(cache: BalanceCacheEffect, database: Database) -> None:
    peer = uuid4().hex
    stored = store(database, balance(peer, 1))
    first = cache.draw_lease(cache.epoch(), [peer])
    second = cache.draw_lease(cache.epoch(), [peer])
    assert cache.fill(cache.epoch(), first, {peer: stored}) == 0
    assert cache.fill(cache.epoch(), second, {peer: stored}) == 1


def test_another_epoch_makes_every_value_invalid(cache: BalanceCacheEffect, database: Database) -> None:
    cache.begin_epoch("what other tests left behind")
    peer = uuid4().hex
    store(database, balance(peer, 50))
    cache.get(peer)
    restored = store(database, balance(peer, 3))  # a backup is older
    assert cache.ahead_of_database() == [peer]
    before = cache.epoch()
    assert cache.begin_epoch("test") != before
    assert read_epoch(database) == cache.epoch()
    assert cache.get(peer) == restored
    assert cache.ahead_of_database() == []


def test_another_process_learns_of_the_epoch_within_seconds(valkey: Valkey, database: Database) -> None:
    now = [0.0]
    reader = BalanceCacheEffect(valkey, database, clock=lambda: now[0])
    before = reader.epoch()
    after = BalanceCacheEffect(valkey, database).begin_epoch("test")
    assert reader.epoch() == before
    now[0] = 6.0
    assert reader.epoch() == after


def test_what_a_dead_driver_left_behind_is_refreshed(cache: BalanceCacheEffect, database: Database) -> None:
    peer = uuid4().hex
    store(database, balance(peer, 1))
    cache.get(peer)
    newer = store(database, balance(peer, 2))  # committed, and the driver died before it renewed the cache
    assert cached(cache, peer) != newer
    with database.transaction() as connection:
        now = connection.execute(text("select now() - interval '1 minute'")).scalar_one()
    assert cache.refresh_since(now) >= 1
    assert cached(cache, peer) == newer


def test_without_valkey_reads_go_to_the_database(valkey_url: str, database: Database) -> None:
    peer = uuid4().hex
    stored = store(database, balance(peer, 1))
    parts = urlsplit(valkey_url)
    with FaultProxy(parts.hostname or "", parts.port or 0) as proxy:
        address = parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{proxy.port}").geturl()
        with closing(Valkey(address, socket_timeout_s=0.2)) as broken:
            cache = BalanceCacheEffect(broken, database)
            assert cache.get(peer) == stored
            proxy.cut()
            proxy.refuse(10_000)
            for _ in range(8):
                assert cache.get(peer) == stored
            assert cache.get_many([peer]) == {peer: stored}
            assert cache.counts.unavailable == 9


def test_a_packed_balance_is_the_same_unpacked() -> None:
    for value in (balance("p", 7), Balance(peer_id="p"), balance("p", 10**18)):
        if value.version < 10**17:
            assert unpack("p", pack(value)) == value
    with pytest.raises(ValueError, match="cached balance of p is not one"):
        unpack("p", b"junk")


def test_versions_compare_as_numbers_in_the_cache(cache: BalanceCacheEffect, database: Database) -> None:
    peer = uuid4().hex
    store(database, balance(peer, 9))
    cache.get(peer)
    assert cache.renew({peer: balance(peer, 10)}) == 1
    assert cache.renew({peer: balance(peer, 99)}) == 1
    assert cache.renew({peer: balance(peer, 100)}) == 1
