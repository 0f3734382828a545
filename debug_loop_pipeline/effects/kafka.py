"""Kafka as the pipeline uses it: topics of its own, an idempotent producer, a reader of assigned partitions.

Here: how the broker is called, and which topics there are. Not here: what a message means (one store per effect unit).

Nothing here waits on a broker that does not listen: a port is tried before a client is made, because the library's
clients block for 30 s on a dead one. Partitions are assigned by hand and offsets kept in PostgreSQL (a consumer group
took 23 s to start on one of the brokers, and could not commit with the database).
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from kafka.errors import (
    IncompatibleBrokerVersion,
    OffsetOutOfRangeError,
    TopicAlreadyExistsError,
    UnsupportedVersionError,
)
from kafka.partitioner import murmur2

from debug_loop_pipeline.effects.resilience import CircuitBreaker, EffectCaller, Retry, RetryPolicy

PARTITIONS = 10
"""Of every topic of ours. Fixed: the number decides which partition a peer is in."""

_POLICY = RetryPolicy(attempts=8, timeout_s=30.0, wait_initial_s=0.1, wait_max_s=2.0, wait_jitter_s=0.1)
_CONNECT_S = 1.0
_CLOSE_S = 5.0
_LOOK_S = 2.0
_SETTLE_S = 3.0
_FETCH_BYTES = 4 << 20
_NEVER_MS = "-1"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it has to be."""

    name: str
    retention_ms: str = _NEVER_MS
    cleanup_policy: str = "delete"
    partitions: int = PARTITIONS
    rebuilt: bool = False
    """Its whole content is in PostgreSQL, and is published again when the topic is another one."""

    @property
    def configs(self) -> dict[str, str]:
        """Its settings on the broker."""
        return {
            "cleanup.policy": self.cleanup_policy,
            "retention.ms": self.retention_ms,
            "retention.bytes": "-1",
            "min.insync.replicas": "1",
        }


_MONTH_MS = str(30 * 24 * 3_600 * 1_000)
TRANSACTIONS = Topic("token.transactions.v1", rebuilt=True)
CONTRIBUTIONS = Topic("contributions.v1", retention_ms=_MONTH_MS)
CONTRIBUTION_REJECTS = Topic("contributions.dlq.v1", retention_ms=_MONTH_MS)
LEDGER_TOPICS = (TRANSACTIONS, CONTRIBUTIONS, CONTRIBUTION_REJECTS)


@lru_cache(maxsize=200_000)
def partition_of(key: str) -> int:
    """The partition of a key: Kafka's own default (murmur2 of its UTF-8), so that every producer in any language agrees."""
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS)


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


class TopicMismatchError(RuntimeError):
    """A topic exists with another number of partitions: keys would be in other partitions. Nothing is written to it."""


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
        self._servers = [address.strip() for address in bootstrap_servers.split(",") if address.strip()]
        if not self._servers:
            raise ValueError("no Kafka broker is named; expected host:port[,host:port]")
        self._timeout_ms = int(timeout_s * 1000)
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None
        self._ensured: set[Topic] = set()
        self.caller = EffectCaller(
            "kafka",
            ",".join(self._servers),
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
        return self.caller.call("ensure_topics", lambda: self._ensure(topics), retry=Retry.ALWAYS)

    def topic_id(self, topic: Topic) -> str | None:
        """The broker's id of a topic: another one when it was deleted and made again. None where it does not exist."""

        def ask() -> str | None:
            with self._admin() as admin:
                found = _described(admin, [topic]).get(topic.name)
                return None if found is None else found.topic_id

        return self.caller.call("topic_id", ask, retry=Retry.ALWAYS)

    def end_offsets(self, topic: Topic) -> dict[int, int]:
        """Partition -> the offset that the next message gets.

        A lower bound only: one of the brokers answers with the second message of its last batch. `lost` decides.
        """
        return self._offsets("end_offsets", topic)

    def lost(self, topic: Topic, positions: Mapping[int, int]) -> set[int]:
        """The partitions whose log ends before the position that was read to: the broker came back with less."""
        ends = self.end_offsets(topic)
        suspects = {p: offset - 1 for p, offset in positions.items() if offset > ends[p]}
        if not suspects:
            return set()
        try:
            return suspects.keys() - self._with_messages(topic, suspects)
        except OffsetLostError:  # which of them, it does not say
            return {p for p, offset in suspects.items() if not self._has(topic, p, offset)}

    def _has(self, topic: Topic, partition: int, offset: int) -> bool:
        try:
            return bool(self._with_messages(topic, {partition: offset}))
        except OffsetLostError:
            return False

    def _with_messages(self, topic: Topic, offsets: Mapping[int, int]) -> set[int]:
        """The partitions that have a message at, or after, the offset."""
        reader = self.reader(topic, offsets)
        found: set[int] = set()
        deadline = time.monotonic() + _LOOK_S
        try:
            while found != offsets.keys() and (left := deadline - time.monotonic()) > 0:
                found.update(batch.partition for batch in reader.poll(left))
        finally:
            reader.close()
        return found

    def beginning_offsets(self, topic: Topic) -> dict[int, int]:
        """Partition -> the oldest offset that is kept."""
        return self._offsets("beginning_offsets", topic)

    def _offsets(self, which: str, topic: Topic, numbers: Iterable[int] | None = None) -> dict[int, int]:
        def read() -> dict[int, int]:
            consumer = self._consumer()
            try:
                partitions = [TopicPartition(topic.name, number) for number in numbers or range(topic.partitions)]
                return {tp.partition: offset for tp, offset in getattr(consumer, which)(partitions).items()}
            finally:
                consumer.close(autocommit=False)

        return self.caller.call(which, read, retry=Retry.ALWAYS)

    def _ensure(self, topics: Sequence[Topic]) -> dict[str, str]:
        with self._admin() as admin:
            found = _described(admin, topics)
            for topic in topics:
                if topic.name not in found:
                    self._create(admin, topic)
                elif found[topic.name].partitions < topic.partitions:
                    self._widen(admin, topic)
                else:
                    _align(admin, topic)
            deadline = time.monotonic() + _SETTLE_S
            while True:
                found = _described(admin, topics)
                odd = [t for t in topics if t.name not in found or found[t.name].partitions != t.partitions]
                if not odd:
                    return {topic.name: found[topic.name].topic_id for topic in topics}
                if time.monotonic() > deadline:  # before, another process may be at it
                    there = found[odd[0].name].partitions if odd[0].name in found else 0
                    raise TopicMismatchError(
                        f"topic {odd[0].name} has {there} partitions, {odd[0].partitions} are needed. Move it away: it "
                        "is made anew, the ledger's with all its content."
                    )
                time.sleep(0.1)

    def _create(self, admin: KafkaAdminClient, topic: Topic) -> None:
        with contextlib.suppress(TopicAlreadyExistsError):  # another process was quicker
            admin.create_topics(
                [NewTopic(topic.name, topic.partitions, 1, topic_configs=topic.configs)], timeout_ms=self._timeout_ms
            )

    def _widen(self, admin: KafkaAdminClient, topic: Topic) -> None:
        """Give a topic the partitions it lacks: some brokers make it by themselves when a client asks for it too early.

        Where the broker cannot (one that keeps everything in memory), it is made anew if nothing is lost by that.
        """
        try:
            admin.create_partitions({topic.name: NewPartitions(topic.partitions)}, timeout_ms=self._timeout_ms)
        except (IncompatibleBrokerVersion, UnsupportedVersionError):
            if topic.rebuilt or not any(self._offsets("end_offsets", topic, range(1)).values()):
                admin.delete_topics([topic.name])
                self._create(admin, topic)

    def _admin(self) -> _Admin:
        self._knock()
        return _Admin(
            bootstrap_servers=self._servers,
            client_id="debug-loop-admin",
            request_timeout_ms=self._timeout_ms,
            bootstrap_timeout_ms=self._timeout_ms,
        )

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
                self._knock()
                producer = self._producer = self._new_producer()
                self._ensured.clear()
            if topic not in self._ensured:
                self._ensure(
                    [topic]
                )  # a send to a topic that is not there waits in vain, or makes it as it should not be
                self._ensured.add(topic)
            try:
                send = producer.send
                name = topic.name
                sent = [send(name, value=m.value, key=m.key, partition=m.partition) for m in messages]
                producer.flush(timeout=self._timeout_ms / 1000)
                for future in sent:
                    if not future.is_done:
                        raise TimeoutError(f"{topic.name}: not confirmed in {self._timeout_ms / 1000:g} s")
                    if future.exception is not None:
                        raise future.exception
                return len(sent)
            except BaseException:
                self._producer = None
                producer.close(timeout=0)
                raise

    def _new_producer(self) -> KafkaProducer:
        return KafkaProducer(
            bootstrap_servers=self._servers,
            client_id="debug-loop-relay",
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            batch_size=256 << 10,
            max_block_ms=self._timeout_ms,
            request_timeout_ms=max(1_000, self._timeout_ms // 2),
            delivery_timeout_ms=self._timeout_ms,
            bootstrap_timeout_ms=self._timeout_ms,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    # -- reading -------------------------------------------------------------------------------------------------

    def reader(self, topic: Topic, positions: Mapping[int, int]) -> PartitionReader:
        """A reader of the partitions that `positions` names, each from its offset on.

        Raises:
            EffectUnavailableError, CircuitOpenError: the broker is not reached.
        """
        return self.caller.call(
            "open_reader", lambda: PartitionReader(self, topic, self._consumer(), positions), retry=Retry.ALWAYS
        )

    def _consumer(self) -> KafkaConsumer:
        self._knock()
        return KafkaConsumer(
            bootstrap_servers=self._servers,
            client_id="debug-loop-reader",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=_FETCH_BYTES,
            max_poll_records=10_000,
            request_timeout_ms=self._timeout_ms,
            bootstrap_timeout_ms=self._timeout_ms,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )

    def close(self) -> None:
        """Let the producer's connections go."""
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=_CLOSE_S)

    def _knock(self) -> None:
        """See that one of the brokers listens.

        Raises:
            OSError: none does.
        """
        refused: OSError | None = None
        for address in self._servers:
            host, _, port = address.rpartition(":")
            try:
                with socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S) as connection:
                    # Where nothing listens on a port that the kernel also gives to clients, one may reach itself.
                    if connection.getsockname() != connection.getpeername():
                        return
                refused = ConnectionRefusedError("only this client itself")
            except OSError as error:
                refused = error
        assert refused is not None
        raise ConnectionError(f"no broker listens at {', '.join(self._servers)} ({refused})") from refused


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

    def close(self) -> None:
        """Let the connections go."""
        self._consumer.close(autocommit=False)


class _Admin:
    """An admin client that is closed at the end of the block."""

    def __init__(self, **config: Any) -> None:
        self._client = KafkaAdminClient(**config)

    def __enter__(self) -> KafkaAdminClient:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()


@dataclass(frozen=True, slots=True)
class _Described:
    topic_id: str
    partitions: int


def _described(admin: KafkaAdminClient, topics: Sequence[Topic]) -> dict[str, _Described]:
    """Of the topics that exist."""
    answers = admin.describe_topics([topic.name for topic in topics])
    return {a["name"]: _Described(str(a["topic_id"]), len(a["partitions"])) for a in answers if a["error_code"] == 0}


def _align(admin: KafkaAdminClient, topic: Topic) -> None:
    """Bring the settings of an existing topic in line. A broker that keeps no settings (in memory only) has none to alter."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic.name)
    answer = admin.describe_configs([resource], config_filter="all").get("topic", {}).get(topic.name, {})
    differing = {
        name: value for name, value in topic.configs.items() if name in answer and str(_value(answer[name])) != value
    }
    if differing:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=differing)])


def _value(entry: Any) -> Any:
    return entry["value"] if isinstance(entry, Mapping) else entry


__all__ = [
    "CONTRIBUTIONS",
    "CONTRIBUTION_REJECTS",
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
