"""A Kafka cluster as it is: topics brought into being, offsets, a producer and a consumer of ours. No retries.

Here: what the logger in an agent's process and the effects of the pipeline both need. Not here: retries, breaker and spans
(`effects/kafka`), what a message means.

Nothing here waits on a broker that does not listen: a port is tried before a client is made, because the library's
clients block for 30 s on a dead one. Partitions are assigned by hand (a consumer group took 23 s to start on one of the
brokers).
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from kafka.errors import (
    IncompatibleBrokerVersion,
    MessageSizeTooLargeError,
    OffsetOutOfRangeError,
    RecordListTooLargeError,
    TopicAlreadyExistsError,
    UnsupportedVersionError,
)
from kafka.partitioner import murmur2

from debug_loop_pipeline.models.topics import IN_MEMORY_CLUSTER, MAX_EVENT_BYTES, PARTITIONS, Topic

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
"""What a message meets that no further try will get onto its topic."""

_CONNECT_S = 1.0
_LOOK_S = 2.0
_SETTLE_S = 3.0
_FETCH_BYTES = 4 << 20
_BATCH_BYTES = 256 << 10
_ENVELOPE_BYTES = 32 << 10


class TopicMismatchError(RuntimeError):
    """A topic exists with another number of partitions: keys would be in other partitions. Nothing is written to it."""


@lru_cache(maxsize=200_000)
def partition_of(key: str) -> int:
    """The partition of a key: Kafka's own default (murmur2 of its UTF-8), so that every producer in any language agrees."""
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS)


class Broker:
    """One Kafka cluster, asked directly.

    Args:
        bootstrap_servers: `host:port[,host:port]`.
        timeout_s: longest request, delivery included.

    Raises:
        ValueError: no broker is named.
    """

    def __init__(self, bootstrap_servers: str, timeout_s: float = 30.0) -> None:
        self.servers = [address.strip() for address in bootstrap_servers.split(",") if address.strip()]
        if not self.servers:
            raise ValueError("no Kafka broker is named; expected host:port[,host:port]")
        self.timeout_ms = int(timeout_s * 1000)

    def knock(self) -> None:
        """See that one of the brokers listens.

        Raises:
            OSError: none does.
        """
        refused: OSError | None = None
        for address in self.servers:
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
        raise ConnectionError(f"no broker listens at {', '.join(self.servers)} ({refused})") from refused

    # -- topics --------------------------------------------------------------------------------------------------

    def ensure(self, topics: Sequence[Topic]) -> dict[str, str]:
        """Create the topics that are missing and bring the policies of the others in line; name -> topic id.

        Raises:
            TopicMismatchError: one exists with another number of partitions.
            ConnectionError: one that was asked for is not there after some seconds (a broker under load): ask again.
        """
        with self._admin() as admin:
            found = _described(admin, topics)
            for topic in topics:
                if topic.name not in found:
                    self._create(admin, topic)
                elif found[topic.name].partitions < topic.partitions:
                    self._widen(admin, topic, found[topic.name].partitions)
                else:
                    _align(admin, topic)
            deadline = time.monotonic() + _SETTLE_S
            while True:
                found = _described(admin, topics)
                odd = [t for t in topics if t.name not in found or found[t.name].partitions != t.partitions]
                if not odd:
                    return {topic.name: found[topic.name].topic_id for topic in topics}
                if time.monotonic() > deadline:  # before, another process may be at it
                    if odd[0].name not in found:
                        raise ConnectionError(f"the broker has not made the topic {odd[0].name} yet")
                    raise TopicMismatchError(
                        f"topic {odd[0].name} has {found[odd[0].name].partitions} partitions, {odd[0].partitions} are needed. Move it away: it "
                        "is made anew, the ledger's with all its content."
                    )
                time.sleep(0.1)

    def topic_id(self, topic: Topic) -> str | None:
        """The broker's id of a topic: another one when it was deleted and made again. None where it does not exist."""
        with self._admin() as admin:
            found = _described(admin, [topic]).get(topic.name)
            return None if found is None else found.topic_id

    def _create(self, admin: KafkaAdminClient, topic: Topic) -> None:
        with contextlib.suppress(TopicAlreadyExistsError):  # another process was quicker
            admin.create_topics(
                [NewTopic(topic.name, topic.partitions, 1, topic_configs=topic.configs)], timeout_ms=self.timeout_ms
            )

    def _widen(self, admin: KafkaAdminClient, topic: Topic, partitions: int) -> None:
        """Give a topic the partitions it lacks: some brokers make it by themselves when a client asks for it too early.

        Where the broker cannot (one that keeps everything in memory), it is made anew if nothing is lost by that.
        """
        try:
            admin.create_partitions({topic.name: NewPartitions(topic.partitions)}, timeout_ms=self.timeout_ms)
        except (IncompatibleBrokerVersion, UnsupportedVersionError):
            if self._loses_nothing(admin, topic, partitions):
                admin.delete_topics([topic.name])
                self._create(admin, topic)

    def _loses_nothing(self, admin: KafkaAdminClient, topic: Topic, partitions: int) -> bool:
        """Whether a topic with so many partitions may be made anew. A broker that keeps nothing has only what came since it started, and loggers tell that again."""
        if topic.rebuilt or not any(self.offsets("end_offsets", topic, range(partitions)).values()):
            return True
        return topic.resent and admin.describe_cluster().get("cluster_id") == IN_MEMORY_CLUSTER

    @contextmanager
    def _admin(self) -> Iterator[KafkaAdminClient]:
        self.knock()
        client = KafkaAdminClient(
            bootstrap_servers=self.servers,
            client_id="debug-loop-admin",
            request_timeout_ms=self.timeout_ms,
            bootstrap_timeout_ms=self.timeout_ms,
        )
        try:
            yield client
        finally:
            client.close()

    # -- offsets -------------------------------------------------------------------------------------------------

    def offsets(self, which: str, topic: Topic, numbers: Iterable[int] | None = None) -> dict[int, int]:
        """Partition -> `beginning_offsets` or `end_offsets`, as `which` says.

        An end is a lower bound only: one of the brokers answers with the second message of its last batch. `lost` decides.
        """
        consumer = self.consumer()
        try:
            partitions = [TopicPartition(topic.name, number) for number in numbers or range(topic.partitions)]
            return {tp.partition: offset for tp, offset in getattr(consumer, which)(partitions).items()}
        except KeyError as error:  # the client's: it has heard of the topic, and not yet of this partition
            raise ConnectionError(f"{topic.name}: the broker does not yet say where {error} is") from error
        finally:
            consumer.close(autocommit=False)

    def lost(self, topic: Topic, positions: Mapping[int, int]) -> set[int]:
        """The partitions whose log ends before the position that was read or written to: the broker came back with less."""
        ends = self.offsets("end_offsets", topic)
        suspects = {p: offset - 1 for p, offset in positions.items() if offset > ends[p]}
        if not suspects:
            return set()
        try:
            return suspects.keys() - self._with_messages(topic, suspects)
        except OffsetOutOfRangeError:  # which of them, it does not say
            return {p for p, offset in suspects.items() if not self._has(topic, p, offset)}

    def _has(self, topic: Topic, partition: int, offset: int) -> bool:
        try:
            return bool(self._with_messages(topic, {partition: offset}))
        except OffsetOutOfRangeError:
            return False

    def _with_messages(self, topic: Topic, offsets: Mapping[int, int]) -> set[int]:
        """The partitions that have a message at, or after, the offset."""
        consumer = self.consumer()
        found: set[int] = set()
        deadline = time.monotonic() + _LOOK_S
        try:
            consumer.assign([TopicPartition(topic.name, partition) for partition in sorted(offsets)])
            for partition, offset in offsets.items():
                consumer.seek(TopicPartition(topic.name, partition), offset)
            while found != offsets.keys() and (left := deadline - time.monotonic()) > 0:
                found.update(tp.partition for tp in consumer.poll(timeout_ms=int(left * 1000)))
        finally:
            consumer.close(autocommit=False)
        return found

    # -- clients -------------------------------------------------------------------------------------------------

    def producer(self, client_id: str) -> KafkaProducer:
        """An idempotent producer that waits for all replicas, and repeats what it sent under the same sequence numbers."""
        self.knock()
        producer = KafkaProducer(
            bootstrap_servers=self.servers,
            client_id=client_id,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            batch_size=_BATCH_BYTES,
            max_request_size=MAX_EVENT_BYTES + _ENVELOPE_BYTES,
            max_block_ms=self.timeout_ms,
            request_timeout_ms=max(1_000, self.timeout_ms // 2),
            delivery_timeout_ms=self.timeout_ms,
            bootstrap_timeout_ms=self.timeout_ms,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        # At its exit an agent neither waits for a broker that is gone nor says so: what is not confirmed is in the spool.
        producer._unregister_cleanup()
        return producer

    def consumer(self) -> KafkaConsumer:
        """A consumer without a group, its offsets its caller's."""
        self.knock()
        return KafkaConsumer(
            bootstrap_servers=self.servers,
            client_id="debug-loop-reader",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=_FETCH_BYTES,
            max_poll_records=10_000,
            request_timeout_ms=self.timeout_ms,
            bootstrap_timeout_ms=self.timeout_ms,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )


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
