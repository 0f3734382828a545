"""The topic of executions on the resources' servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from debug_loop_pipeline.effects.resilience import RetryPolicy, breaker_under
from debug_loop_pipeline.resources.servers import KafkaResource, PostgresResource

if TYPE_CHECKING:
    from debug_loop_pipeline.effects.execution_consumer import ExecutionConsumer


@contextmanager
def consumer_on(
    postgres: PostgresResource, kafka: KafkaResource, *, timeout_s: float | None = None
) -> Iterator[ExecutionConsumer]:
    """A consumer of executions, its broker let go at the end.

    Args:
        postgres: the store.
        kafka: the broker.
        timeout_s: of a request, and of all tries together. Default: the setting, and patience.

    Raises:
        MissingServerError: PostgreSQL or the broker is neither configured nor running.
    """
    # 0.3 s, and definitions are loaded by processes that never ask a broker
    from debug_loop_pipeline.effects.execution_consumer import ExecutionConsumer
    from debug_loop_pipeline.effects.kafka import Kafka

    limits = postgres.settings().resilience
    breaker = breaker_under(limits)
    if timeout_s is None:
        broker = Kafka(kafka.address(), timeout_s=limits.kafka_timeout_seconds, breaker=breaker)
    else:
        policy = RetryPolicy(attempts=2, timeout_s=timeout_s)
        broker = Kafka(kafka.address(), timeout_s=timeout_s, policy=policy, breaker=breaker)
    try:
        yield ExecutionConsumer(postgres.database(), broker)
    finally:
        broker.close()
