"""A ledger for tests, on real servers, with short patience; the transactions they decide on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

from kafka.admin import KafkaAdminClient

from debug_loop_pipeline.compute.economy.transaction_id import make_transaction
from debug_loop_pipeline.effects.kafka import LEDGER_TOPICS, TRANSACTIONS, Kafka, Message
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.resilience import CircuitBreaker, RetryPolicy
from debug_loop_pipeline.effects.valkey import Valkey
from debug_loop_pipeline.models.token import Reason, TokenTransaction, TransactionType
from debug_loop_pipeline.steps.ledger import Ledger

SCALE = float(os.environ.get("LEDGER_TEST_SCALE", "1"))
"""Larger runs of the stateful test and of the kills."""
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PATIENT = RetryPolicy(attempts=200, timeout_s=60.0, wait_initial_s=0.05, wait_max_s=0.3, wait_jitter_s=0.05)


@contextmanager
def ledger_on(
    postgres_url: str, kafka_servers: str, valkey_url: str | None, *, kafka_timeout_s: float = 5.0, pool_size: int = 5
) -> Iterator[Ledger]:
    """A ledger that keeps trying where a server is restarted."""
    database = Database(postgres_url, pool_size, policy=PATIENT)
    kafka = Kafka(kafka_servers, timeout_s=kafka_timeout_s, policy=PATIENT, breaker=CircuitBreaker(cooldown_s=0.5))
    valkey = None
    if valkey_url is not None:
        valkey = Valkey(valkey_url, breaker=CircuitBreaker(cooldown_s=0.5))
    try:
        yield Ledger.of(database, kafka, valkey)
    finally:
        kafka.close()
        if valkey is not None:
            valkey.close()
        database.close()


def empty_topics(kafka_servers: str) -> None:
    """Delete the ledger's topics: what another test's database decided is none of this one's business."""
    admin = KafkaAdminClient(bootstrap_servers=kafka_servers)
    try:
        there = {entry["name"] for entry in admin.describe_topics() if entry["error_code"] == 0}
        mine = [topic.name for topic in LEDGER_TOPICS if topic.name in there]
        if mine:
            admin.delete_topics(mine)
    finally:
        admin.close()


def grant(peer: str, amount: int, cause: str | None = None, at: datetime = NOW) -> TokenTransaction:
    """A bonus."""
    return make_transaction(
        transaction_type=TransactionType.BONUS,
        reason=Reason.GRANT,
        peer_id=peer,
        amount=amount,
        cause_id=cause or uuid4().hex,
        timestamp=at,
    )


def spend(peer: str, amount: int, cause: str | None = None, at: datetime = NOW) -> TokenTransaction:
    """A spend; `amount` is positive."""
    return make_transaction(
        transaction_type=TransactionType.SPENT,
        reason=Reason.LLM_QUERY,
        peer_id=peer,
        amount=-amount,
        cause_id=cause or uuid4().hex,
        timestamp=at,
    )


def put(ledger: Ledger, partition: int, value: bytes | None, key: bytes = b"forged") -> None:
    """A message straight onto the topic, past the ledger."""
    ledger.kafka.publish(TRANSACTIONS, [Message(partition, key, value)])


def wait_for(condition: Callable[[], bool], seconds: float = 20.0, every: float = 0.01) -> bool:
    """Whether the condition came true in time."""
    import time

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(every)
    return condition()
