"""Publish and fold over real brokers: order, repeats, forgeries, two drivers at once, a broker that comes back empty."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from debug_loop_pipeline.compute.economy.transaction_id import encode_transaction
from debug_loop_pipeline.effects.kafka import (
    PARTITIONS,
    TRANSACTIONS,
    Kafka,
    Message,
    Topic,
    TopicMismatchError,
    partition_of,
)
from debug_loop_pipeline.models.servers import ServerAddresses
from debug_loop_pipeline.steps.ledger import Ledger, catch_up
from debug_loop_pipeline.steps.ledger_service import LedgerService
from debug_loop_pipeline.steps.reconcile import reconcile
from tests.conftest import _create, _drop
from tests.support.ledger import empty_topics, grant, ledger_on, put, spend, wait_for


@pytest.fixture
def database_url(postgres_server_url: str, migrated: str) -> Iterator[str]:
    """A database of each test's own: what one decided is unknown to the next."""
    name = f"ledger_{uuid4().hex[:12]}"
    yield _create(postgres_server_url, name, migrated)
    _drop(postgres_server_url, name)


@pytest.fixture
def ledger(database_url: str, kafka: ServerAddresses, valkey_url: str) -> Iterator[Ledger]:
    servers = kafka.kafka_bootstrap_servers
    assert servers is not None
    empty_topics(servers)
    with ledger_on(database_url, servers, valkey_url) as ledger:
        assert ledger.cache is not None
        ledger.cache.begin_epoch("a copy of a template shares its epoch")
        yield ledger


def count(ledger: Ledger, query: str) -> Any:
    with ledger.database.transaction() as connection:
        return connection.execute(text(query)).scalar_one()


def quarantined(ledger: Ledger) -> int:
    return int(count(ledger, "select count(*) from token_quarantine"))


def assert_clean(ledger: Ledger) -> None:
    result = reconcile(ledger)
    assert result.differences == []
    assert result.clean
    assert result.in_flight == 0


def test_decided_published_folded_and_equal(ledger: Ledger) -> None:
    peers = [uuid4().hex for _ in range(30)]
    ledger.ledger.decide([grant(peer, 1_000) for peer in peers])
    for peer in peers:
        ledger.ledger.decide([spend(peer, 300), grant(peer, 5)])
    report = catch_up(ledger)
    assert report.folded >= 90
    assert report.quarantined == 0
    assert ledger.ledger.unpublished() == 0
    assert {peer: b.balance for peer, b in ledger.fold.balances(peers).items()} == dict.fromkeys(peers, 705)
    assert catch_up(ledger).folded == 0
    assert_clean(ledger)


def test_the_topic_is_in_order_for_each_peer(ledger: Ledger) -> None:
    peer = uuid4().hex
    decided = [grant(peer, n + 1) for n in range(200)]
    for start in range(0, 200, 7):
        ledger.ledger.decide(decided[start : start + 7])
    catch_up(ledger)
    with ledger.database.transaction() as connection:
        rows = connection.execute(
            text("select amount, partition from token_transactions where peer_id = :p order by message_offset"),
            {"p": peer},
        ).all()
    assert [row.amount for row in rows] == [n + 1 for n in range(200)]
    assert {row.partition for row in rows} == {partition_of(peer)}


def test_a_relay_that_died_before_it_noted_what_it_sent_doubles_nothing(ledger: Ledger) -> None:
    peer = uuid4().hex
    ledger.ledger.decide([grant(peer, 10), grant(peer, 20)])
    with ledger.database.transaction() as connection:
        rows = connection.execute(text("select partition, outbox_id from token_unpublished")).all()
    catch_up(ledger)
    with ledger.database.transaction() as connection:
        for row in rows:
            connection.execute(
                text("insert into token_unpublished values (:p, :i)"), {"p": row.partition, "i": row.outbox_id}
            )
    report = catch_up(ledger)
    assert (report.folded, report.repeated) == (0, 2)
    assert ledger.fold.balances([peer])[peer].balance == 30
    assert_clean(ledger)


def test_forged_messages_are_put_aside_and_never_folded(ledger: Ledger) -> None:
    peer = uuid4().hex
    ledger.ledger.decide([grant(peer, 100, "real")])
    catch_up(ledger)
    before = quarantined(ledger)
    home = partition_of(peer)
    genuine = encode_transaction(grant(peer, 100, "real"))
    forged = [
        (home, encode_transaction(grant(peer, 1_000_000))),  # well formed, and nobody decided it
        (home, genuine.replace(b'"amount":100', b'"amount":900')),  # another content under a genuine id
        ((home + 1) % PARTITIONS, genuine),  # genuine bytes where they do not belong
        (home, b"{}"),
        (home, b"\x00\xff junk"),
        (home, b""),
        (home, None),
        (home, genuine.replace(b'"amount":100', b'"amount":100.0')),
        (home, genuine.replace(b"2026-03-01T12:00:00Z", b"9999-12-31T23:59:59-12:00")),  # no time there is in UTC
    ]
    for partition, value in forged:
        put(ledger, partition, value)
    put(ledger, home, genuine)  # the very message again: a repeat
    report = catch_up(ledger)
    assert (report.folded, report.repeated, report.quarantined) == (0, 1, len(forged))
    assert quarantined(ledger) - before == len(forged)
    assert ledger.fold.balances([peer])[peer].balance == 100
    result = reconcile(ledger)
    assert result.clean
    assert result.unexplained == len(forged)


def test_what_is_behind_a_forged_message_does_not_wait(ledger: Ledger) -> None:
    peer = uuid4().hex
    ledger.kafka.ensure_topics()
    put(ledger, partition_of(peer), b"junk")
    ledger.ledger.decide([grant(peer, 100)])
    catch_up(ledger)
    assert ledger.fold.balances([peer])[peer].balance == 100


def test_two_services_and_the_asset_at_once_fold_each_transaction_once(
    ledger: Ledger, database_url: str, kafka: ServerAddresses, valkey_url: str
) -> None:
    servers = kafka.kafka_bootstrap_servers or ""
    peers = [uuid4().hex for _ in range(20)]
    with ExitStack() as stack:
        services = [LedgerService(stack.enter_context(ledger_on(database_url, servers, valkey_url))) for _ in range(2)]
        for service in services:
            service.start()
            stack.callback(service.stop)
        for turn in range(30):
            ledger.ledger.decide([grant(peer, turn + 1) for peer in peers])
            if turn % 10 == 5:
                catch_up(ledger)
        wanted = dict.fromkeys(peers, sum(range(1, 31)))
        done = wait_for(lambda: {p: b.balance for p, b in ledger.fold.balances(peers).items()} == wanted)
        assert done, [service.counts for service in services]
    assert_clean(ledger)


def test_a_decision_is_a_visible_balance_within_a_tenth_of_a_second(ledger: Ledger) -> None:
    assert ledger.cache is not None
    peer = uuid4().hex
    service = LedgerService(ledger)
    service.start()
    try:
        ledger.ledger.decide([grant(peer, 1)])
        assert wait_for(lambda: ledger.balance(peer).balance == 1)
        took = []
        for turn in range(2, 42):
            started = time.perf_counter()
            ledger.ledger.decide([grant(peer, 1)])
            while ledger.balance(peer).version < turn:
                time.sleep(0.001)
                assert time.perf_counter() - started < 10, service.counts
            took.append(time.perf_counter() - started)
    finally:
        service.stop()
    # The requirement is 100 ms at the 95th percentile on a machine of its own (benchmarks/ledger.py); this one is shared.
    assert sorted(took)[len(took) // 2] < 0.25, took


def test_a_service_renews_what_an_earlier_one_did_not_live_to_renew(ledger: Ledger) -> None:
    assert ledger.cache is not None
    peer = uuid4().hex
    ledger.ledger.decide([grant(peer, 1)])
    catch_up(ledger)
    assert ledger.balance(peer).balance == 1
    ledger.ledger.decide([grant(peer, 1)])
    followed = ledger.follow()
    ledger.ledger.publish_all()
    from debug_loop_pipeline.steps.ledger import FoldLoop

    loop = FoldLoop(ledger, followed)
    while not loop.turn(0.2)[1].folded:  # and it is killed before the cache
        pass
    loop.close()
    assert ledger.balance(peer).balance == 1
    service = LedgerService(ledger)
    service.start()
    try:
        assert wait_for(lambda: ledger.balance(peer).balance == 2)
    finally:
        service.stop()


def test_a_topic_that_comes_back_empty_is_published_again(ledger: Ledger, kafka: ServerAddresses) -> None:
    peers = [uuid4().hex for _ in range(20)]
    ledger.ledger.decide([grant(peer, 7) for peer in peers])
    first = catch_up(ledger)
    decided = int(count(ledger, "select count(*) from token_outbox"))
    empty_topics(kafka.kafka_bootstrap_servers or "")
    ledger.ledger.decide([grant(peer, 1) for peer in peers])
    report = catch_up(ledger)
    assert report.requeued == decided
    assert (report.folded, report.quarantined) == (20, 0)
    assert {b.balance for b in ledger.fold.balances(peers).values()} == {8}
    assert first.offsets != report.offsets
    assert_clean(ledger)


def test_a_service_notices_that_the_topic_is_another_one(ledger: Ledger, kafka: ServerAddresses) -> None:
    peer = uuid4().hex
    service = LedgerService(ledger)
    service.start()
    try:
        ledger.ledger.decide([grant(peer, 7)])
        assert wait_for(lambda: ledger.balance(peer).balance == 7)
        empty_topics(kafka.kafka_bootstrap_servers or "")
        ledger.ledger.decide([grant(peer, 1)])
        assert wait_for(lambda: ledger.balance(peer).balance == 8, 40), service.counts
        assert wait_for(lambda: ledger.ledger.unpublished() == 0, 40)
    finally:
        service.stop()
    catch_up(ledger)
    assert_clean(ledger)


def test_what_the_broker_confirmed_and_lost_is_published_again(ledger: Ledger) -> None:
    peer = uuid4().hex
    catch_up(ledger)
    ledger.ledger.decide([grant(peer, 7)])
    with ledger.database.transaction() as connection:
        connection.execute(text("delete from token_unpublished"))  # as if confirmed; it is on no broker
    catch_up(ledger)
    assert reconcile(ledger).in_flight == 1
    result = reconcile(ledger, repair=True)
    assert result.clean
    assert result.in_flight == 0
    assert any("never came back" in line for line in result.repaired)
    assert ledger.fold.balances([peer])[peer].balance == 7


def test_reconcile_finds_what_was_tampered_with(ledger: Ledger) -> None:
    peer, other = uuid4().hex, uuid4().hex
    ledger.ledger.decide([grant(peer, 7), grant(other, 9)])
    catch_up(ledger)
    assert ledger.balance(other).balance == 9
    with ledger.database.transaction() as connection:
        connection.execute(text("update token_accounts set balance = balance + 1 where peer_id = :p"), {"p": peer})
        connection.execute(text("update token_balances set balance = balance + 2 where peer_id = :p"), {"p": other})
    result = reconcile(ledger)
    assert {(d.check, d.subject) for d in result.differences} == {
        ("accounts = fold of decisions", peer),
        ("balances = fold of transactions", other),
        ("balances = accounts", peer),
        ("balances = accounts", other),
        ("balances = fold of the replayed stream", other),
        ("cache = balances", other),
    }
    with ledger.database.transaction() as connection:
        connection.execute(text("update token_accounts set balance = balance - 1 where peer_id = :p"), {"p": peer})
        connection.execute(text("update token_balances set balance = balance - 2 where peer_id = :p"), {"p": other})
    assert_clean(ledger)


def test_a_restored_backup_ends_reconciled(
    postgres_server_url: str, migrated: str, kafka: ServerAddresses, valkey_url: str
) -> None:
    """The database goes back in time; the stream and the cache do not."""
    servers = kafka.kafka_bootstrap_servers or ""
    empty_topics(servers)
    live, backup = f"live_{uuid4().hex[:8]}", f"backup_{uuid4().hex[:8]}"

    live_url = _create(postgres_server_url, live, migrated)
    peer, lost = uuid4().hex, uuid4().hex
    with ledger_on(live_url, servers, valkey_url) as before:
        before.ledger.decide([grant(peer, 100)])
        catch_up(before)
        before.ledger.decide([grant(peer, 10)])  # in the backup, not yet published
    backup_url = _create(postgres_server_url, backup, live)
    with ledger_on(live_url, servers, valkey_url) as before:
        before.ledger.decide([grant(peer, 1), grant(lost, 5)])  # after the backup
        catch_up(before)
        assert (before.balance(peer).balance, before.balance(lost).balance) == (111, 5)
    with ledger_on(backup_url, servers, valkey_url) as restored:
        service = LedgerService(restored)
        service.start()
        try:
            assert wait_for(lambda: restored.balance(peer).balance == 110), service.counts
            restored.ledger.decide([grant(peer, 1_000)])
            assert wait_for(lambda: restored.balance(peer).balance == 1_110), service.counts
            assert wait_for(
                lambda: quarantined(restored) == 2
            )  # what was decided after the backup explains itself no more
        finally:
            service.stop()
        assert restored.balance(lost).balance == 0
        assert_clean(restored)
    for name in (live, backup):
        _drop(postgres_server_url, name)


def test_topics_have_their_policies(ledger: Ledger, kafka: ServerAddresses) -> None:
    first = ledger.kafka.ensure_topics()
    assert ledger.kafka.ensure_topics() == first
    if kafka.kafka_kind == "apache":
        from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

        admin = KafkaAdminClient(bootstrap_servers=kafka.kafka_bootstrap_servers)
        resource = ConfigResource(ConfigResourceType.TOPIC, TRANSACTIONS.name)
        wrong = ConfigResource(ConfigResourceType.TOPIC, TRANSACTIONS.name, configs={"retention.ms": "1000"})
        admin.alter_configs([wrong])
        ledger.kafka.ensure_topics()
        answer = str(admin.describe_configs([resource], config_filter="all"))
        admin.close()
        assert "1000" not in answer.split("retention.ms")[1][:60]
    narrow = Topic(f"narrow.{uuid4().hex[:8]}", partitions=3)  # as a broker makes it when a client asks too early
    ledger.kafka.ensure_topics([narrow])
    ledger.kafka.ensure_topics([Topic(narrow.name)])
    assert len(ledger.kafka.end_offsets(Topic(narrow.name))) == PARTITIONS
    wide = Topic(f"wide.{uuid4().hex[:8]}", partitions=12)
    ledger.kafka.ensure_topics([wide])
    with pytest.raises(TopicMismatchError, match="has 12 partitions, 10 are needed"):
        ledger.kafka.ensure_topics([Topic(wide.name)])


@pytest.mark.parametrize(("resent", "partition"), [(True, 0), (False, 0), (False, 2)])
def test_a_narrow_topic_with_content_is_made_anew_only_where_that_is_told_again(
    ledger: Ledger, kafka: ServerAddresses, resent: bool, partition: int
) -> None:
    narrow = Topic(f"narrow.{uuid4().hex[:8]}", partitions=3, resent=resent)
    ledger.kafka.ensure_topics([narrow])
    ledger.kafka.publish(narrow, [Message(partition, b"k", b"v")])
    whole = replace(narrow, partitions=PARTITIONS)
    if kafka.kafka_kind == "tansu" and not resent:
        with pytest.raises(TopicMismatchError, match="has 3 partitions, 10 are needed"):
            ledger.kafka.ensure_topics([whole])
        return
    ledger.kafka.ensure_topics([whole])
    ends = ledger.kafka.end_offsets(whole)
    assert len(ends) == PARTITIONS
    assert ends[partition] == (0 if kafka.kafka_kind == "tansu" else 1)


def test_a_dead_broker_is_an_error_in_words_within_seconds() -> None:
    from debug_loop_pipeline.effects.resilience import EffectUnavailableError, RetryPolicy

    started = time.perf_counter()
    kafka = Kafka("127.0.0.1:9", timeout_s=5.0, policy=RetryPolicy(attempts=2, wait_initial_s=0.01, wait_max_s=0.02))
    with pytest.raises(EffectUnavailableError, match="no broker listens at"):
        kafka.reader(TRANSACTIONS, {0: 0})
    with pytest.raises(EffectUnavailableError, match="DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS"):
        kafka.publish(TRANSACTIONS, [Message(0, b"k", b"v")])
    assert time.perf_counter() - started < 5
