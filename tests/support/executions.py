"""Executions through Kafka for tests: a consumer with short patience, topics emptied, events by the hundred."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from kafka.admin import KafkaAdminClient

from debug_loop_pipeline.effects.execution_consumer import ExecutionConsumer
from debug_loop_pipeline.effects.kafka import (
    EXECUTION_REJECTS,
    EXECUTION_TOPICS,
    EXECUTIONS,
    Kafka,
    Message,
    Topic,
    partition_of,
)
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.resilience import CircuitBreaker
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import StepContext
from tests.support.events import attempt
from tests.support.ledger import PATIENT


class Ingestion:
    """A store and a broker, and what reads from one into the other."""

    def __init__(self, context: StepContext, kafka: Kafka, servers: str) -> None:
        self.context = context
        self.kafka = kafka
        self.servers = servers
        self.consumer = ExecutionConsumer(context.database, kafka)

    def tell(self, events: Sequence[ExecutionEvent]) -> None:
        """Events straight onto the topic."""
        self.put([(str(e.correlation_id), e.model_dump_json(exclude_defaults=True).encode()) for e in events])

    def put(self, messages: Sequence[tuple[str, bytes | None]]) -> None:
        """Messages straight onto the topic: (key, value)."""
        self.kafka.publish(EXECUTIONS, [Message(partition_of(key), key.encode(), value) for key, value in messages])

    def on_topic(self, topic: Topic = EXECUTIONS) -> list[Message]:
        """Everything on a topic now."""
        reader = self.kafka.reader(topic, self.kafka.beginning_offsets(topic))
        found: list[Message] = []
        with closing(reader):
            empty = 0
            while empty < 3:
                batches = reader.poll(0.2)
                empty = 0 if batches else empty + 1
                found += [message for batch in batches for message in batch.messages]
        return found

    def dead_letters(self) -> list[Message]:
        """The topic of dead letters."""
        return self.on_topic(EXECUTION_REJECTS)


@contextmanager
def ingestion_on(postgres_url: str, servers: str, data_dir: Path) -> Iterator[Ingestion]:
    """An ingestion that keeps trying where a server is restarted."""
    database = Database(postgres_url, 5, policy=PATIENT)
    kafka = Kafka(servers, timeout_s=5.0, policy=PATIENT, breaker=CircuitBreaker(cooldown_s=0.5))
    try:
        yield Ingestion(StepContext(database, Settings(data_dir=data_dir)), kafka, servers)
    finally:
        kafka.close()
        database.close()


def empty_execution_topics(servers: str) -> None:
    """Delete the topics: what another test told is none of this one's business."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        there = {entry["name"] for entry in admin.describe_topics() if entry["error_code"] == 0}
        mine = [topic.name for topic in EXECUTION_TOPICS if topic.name in there]
        if mine:
            admin.delete_topics(mine)
    finally:
        admin.close()


def events(count: int, tasks: int = 7) -> list[ExecutionEvent]:
    """Attempts of a few tasks, every third one successful."""
    return [attempt(f"told-{n}", f"told-task-{n % tasks}", minutes=n % 1_000, failed=n % 3 != 0) for n in range(count)]
