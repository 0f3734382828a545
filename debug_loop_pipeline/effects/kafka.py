"""Kafka as the pipeline uses it: every call retried where that is safe, with a breaker and a span.

Here: publishing and reading with retries. Not here: how a broker is asked (`client/broker`, which the logger uses too), which
topics there are (`models/topics`), what a message means (one store per effect unit). Offsets are kept in PostgreSQL, where they
commit with what was made of the messages.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import OffsetOutOfRangeError

from debug_loop_pipeline.client.broker import Broker, TopicMismatchError, partition_of
from debug_loop_pipeline.effects.resilience import CircuitBreaker, EffectCaller, Retry, RetryPolicy
from debug_loop_pipeline.models.topics import (
    CONTRIBUTION_REJECTS,
    CONTRIBUTIONS,
    EXECUTION_REJECTS,
    EXECUTION_TOPICS,
    EXECUTIONS,
    LEDGER_TOPICS,
    PARTITIONS,
    TRANSACTIONS,
    Topic,
)

_POLICY = RetryPolicy(attempts=8, timeout_s=30.0, wait_initial_s=0.1, wait_max_s=2.0, wait_jitter_s=0.1)
_CLOSE_S = 5.0
_IDLE_POLL_S = 0.2
_EMPTY_POLLS = 2


@dataclass(frozen=True, slots=True)
class Message:
    """One message to publish or as read. `offset` is set on what was read."""

    partition: int
    key: bytes | None
    value: bytes | None
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read of one partition from `start` on; `end` is where to read on (offsets may have gaps)."""

    partition: int
    start: int
    end: int
    messages: Sequence[Message] = field(repr=False)


class OffsetLostError(RuntimeError):
    """The broker no longer has (or does not have yet) the offset that was asked for: it is not the log we read."""


class Kafka:
    """One Kafka cluster. Thread-safe apart from the readers; make one per process and share it.

    Args:
        bootstrap_servers: `host:port[,host:port]`.
        timeout_s: longest request, delivery included.
        policy: of retries.
        breaker: of calls; by default one of its own.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        timeout_s: float = 30.0,
        policy: RetryPolicy = _POLICY,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self._broker = Broker(bootstrap_servers, timeout_s)
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None
        self._ensured: set[Topic] = set()
        self.caller = EffectCaller(
            "kafka",
            ",".join(self._broker.servers),
            "Check that the broker runs there and that DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS names it (`debug-loop up` "
            "starts one).",
            policy=policy,
            breaker=breaker,
        )

    # -- topics --------------------------------------------------------------------------------------------------

    def ensure_topics(self, topics: Sequence[Topic] = LEDGER_TOPICS) -> dict[str, str]:
        """Create the topics that are missing and bring the policies of the others in line; name -> topic id.

        Raises:
            TopicMismatchError: one exists with another number of partitions.
            EffectUnavailableError, CircuitOpenError: the broker is not reached.
        """
        return self.caller.call("ensure_topics", lambda: self._broker.ensure(topics), retry=Retry.ALWAYS)

    def topic_id(self, topic: Topic) -> str | None:
        """The broker's id of a topic: another one when it was deleted and made again. None where it does not exist."""
        return self.caller.call("topic_id", lambda: self._broker.topic_id(topic), retry=Retry.ALWAYS)

    def end_offsets(self, topic: Topic) -> dict[int, int]:
        """Partition -> the offset that the next message gets, a lower bound (`Broker.offsets`). `lost` decides."""
        return self._offsets("end_offsets", topic)

    def beginning_offsets(self, topic: Topic) -> dict[int, int]:
        """Partition -> the oldest offset that is kept."""
        return self._offsets("beginning_offsets", topic)

    def lost(self, topic: Topic, positions: Mapping[int, int]) -> set[int]:
        """The partitions whose log ends before the position that was read to: the broker came back with less."""
        return self.caller.call("lost", lambda: self._broker.lost(topic, positions), retry=Retry.ALWAYS)

    def _offsets(self, which: str, topic: Topic) -> dict[int, int]:
        return self.caller.call(which, lambda: self._broker.offsets(which, topic), retry=Retry.ALWAYS)

    # -- writing -------------------------------------------------------------------------------------------------

    def publish(self, topic: Topic, messages: Iterable[Message]) -> int:
        """Write messages, in order per partition, and wait until the broker has all of them; how many there were.

        Not repeated here: the producer repeats what it sent under the same sequence numbers, which is what keeps order
        and doubles nothing; a whole failed call may have written some of the messages. After a failure the next call
        begins with a new producer.

        Raises:
            EffectUnavailableError, CircuitOpenError: not all messages were confirmed.
        """
        return self.caller.call("publish", lambda: self._publish(topic, messages))

    def _publish(self, topic: Topic, messages: Iterable[Message]) -> int:
        with self._lock:
            producer = self._producer
            if producer is None:
                producer = self._producer = self._broker.producer("debug-loop-relay")
                self._ensured.clear()
            if topic not in self._ensured:
                # a send to a topic that is not there waits in vain, or makes it as it should not be
                self._broker.ensure([topic])
                self._ensured.add(topic)
            try:
                send = producer.send
                name = topic.name
                sent = [send(name, value=m.value, key=m.key, partition=m.partition) for m in messages]
                producer.flush(timeout=self._timeout_s)
                for future in sent:
                    if not future.is_done:
                        raise TimeoutError(f"{topic.name}: not confirmed in {self._timeout_s:g} s")
                    if future.exception is not None:
                        raise future.exception
                return len(sent)
            except BaseException:
                self._producer = None
                producer.close(timeout=0)
                raise

    # -- reading -------------------------------------------------------------------------------------------------

    def reader(self, topic: Topic, positions: Mapping[int, int]) -> PartitionReader:
        """A reader of the partitions that `positions` names, each from its offset on.

        Raises:
            EffectUnavailableError, CircuitOpenError: the broker is not reached.
        """
        return self.caller.call(
            "open_reader", lambda: PartitionReader(self, topic, self._broker.consumer(), positions), retry=Retry.ALWAYS
        )

    def close(self) -> None:
        """Let the producer's connections go."""
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=_CLOSE_S)


class PartitionReader:
    """Reads assigned partitions of one topic from given offsets. One thread at a time."""

    def __init__(self, kafka: Kafka, topic: Topic, consumer: KafkaConsumer, positions: Mapping[int, int]) -> None:
        self._kafka = kafka
        self._topic = topic
        self._consumer = consumer
        self._positions: dict[int, int] = {}
        consumer.assign([TopicPartition(topic.name, partition) for partition in sorted(positions)])
        for partition, offset in positions.items():
            self.seek(partition, offset)

    @property
    def positions(self) -> dict[int, int]:
        """Partition -> the offset that is read next."""
        return dict(self._positions)

    def seek(self, partition: int, offset: int) -> None:
        """Read a partition from `offset` on."""
        self._consumer.seek(TopicPartition(self._topic.name, partition), offset)
        self._positions[partition] = offset

    def poll(self, wait_s: float, max_messages: int = 5_000) -> list[Batch]:
        """What has come, at most `max_messages`, after waiting at most `wait_s` for the first of them.

        Raises:
            OffsetLostError: a position is outside of the log.
            EffectUnavailableError: the broker is gone.
        """
        with self._kafka.caller.once("poll"):
            try:
                records = self._consumer.poll(timeout_ms=int(wait_s * 1000), max_records=max_messages)
            except OffsetOutOfRangeError as error:
                raise OffsetLostError(f"{self._topic.name}: {error}") from error
        batches = []
        for tp, found in records.items():
            start = self._positions[tp.partition]
            end = max(found[-1].offset + 1, self._consumer.position(tp) or 0)
            self._positions[tp.partition] = end
            messages = [Message(tp.partition, r.key, r.value, r.offset) for r in found]
            batches.append(Batch(tp.partition, start, end, messages))
        return batches

    def to_the_end(self, ends: Mapping[int, int], max_messages: int = 5_000) -> Iterator[list[Batch]]:
        """What is there, then no more: two looks in a row brought nothing, and the broker names no later end.

        Args:
            ends: the broker's end of each partition, a lower bound.
            max_messages: at a time.
        """
        empty = 0
        while empty < _EMPTY_POLLS or any(offset < ends[p] for p, offset in self._positions.items()):
            batches = self.poll(_IDLE_POLL_S, max_messages)
            empty = 0 if batches else empty + 1
            if batches:
                yield batches

    def close(self) -> None:
        """Let the connections go."""
        self._consumer.close(autocommit=False)


__all__ = [
    "CONTRIBUTIONS",
    "CONTRIBUTION_REJECTS",
    "EXECUTIONS",
    "EXECUTION_REJECTS",
    "EXECUTION_TOPICS",
    "LEDGER_TOPICS",
    "PARTITIONS",
    "TRANSACTIONS",
    "Batch",
    "Kafka",
    "Message",
    "OffsetLostError",
    "PartitionReader",
    "Topic",
    "TopicMismatchError",
    "partition_of",
]
