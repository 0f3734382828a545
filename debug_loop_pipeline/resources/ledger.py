"""The ledger on the resources' servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from debug_loop_pipeline.effects.kafka import Kafka
from debug_loop_pipeline.effects.resilience import breaker_under
from debug_loop_pipeline.effects.valkey import Valkey
from debug_loop_pipeline.resources.servers import KafkaResource, PostgresResource, ValkeyResource
from debug_loop_pipeline.steps.ledger import Ledger


@contextmanager
def broker_on(postgres: PostgresResource, kafka: KafkaResource) -> Iterator[Kafka]:
    """The broker, let go at the end.

    Raises:
        MissingServerError: it is neither configured nor running.
    """
    limits = postgres.settings().resilience
    broker = Kafka(kafka.address(), timeout_s=limits.kafka_timeout_seconds, breaker=breaker_under(limits))
    try:
        yield broker
    finally:
        broker.close()


@contextmanager
def ledger_on(postgres: PostgresResource, kafka: KafkaResource, valkey: ValkeyResource) -> Iterator[Ledger]:
    """A ledger, whose broker and cache are let go at the end. Without an address of Valkey it has no cache.

    Raises:
        MissingServerError: PostgreSQL or the broker is neither configured nor running.
    """
    settings = postgres.settings()
    address = valkey.url or settings.valkey_url
    limits = settings.resilience
    cache = (
        None
        if address is None
        else Valkey(address, socket_timeout_s=limits.valkey_timeout_seconds, breaker=breaker_under(limits))
    )
    with broker_on(postgres, kafka) as broker:
        try:
            yield Ledger.of(postgres.database(), broker, cache, cache_ttl_s=settings.economy.balance_cache_seconds)
        finally:
            if cache is not None:
                cache.close()
