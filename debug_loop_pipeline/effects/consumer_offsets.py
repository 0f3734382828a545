"""Where a consumer is in a topic: kept in PostgreSQL, committed in the transaction that made something of the messages.

Here: the one rule of every consumer of ours (ARCHITECTURE section 3): a batch counts when it begins at the stored offset of the log
that is followed; a log that is not the one that was read is read from its beginning. Not here: what is made of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from debug_loop_pipeline.effects.kafka import PARTITIONS, Batch, Topic


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """How far behind a consumer is in one partition."""

    partition: int
    unread: int
    """On the broker and not dealt with; at least, see `Kafka.end_offsets`."""
    moved_at: datetime | None
    """When its offset last moved; None before it ever did."""


class ConsumerOffsets:
    """The offsets of one consumer of one topic. Every method runs inside the caller's transaction.

    Args:
        consumer: its name.
        topic: what it reads.
        durable: whether its commits wait for the disk. False where a crash of the server may take one back: with its offset, so that
            it is done again as long as Kafka has the messages.
    """

    def __init__(self, consumer: str, topic: Topic, *, durable: bool = True) -> None:
        self._key = {"consumer": consumer, "topic": topic.name}
        self._lock = text(_LOCK if durable else f"set local synchronous_commit = off; {_LOCK}")

    def read(self, connection: Connection) -> dict[int, tuple[str | None, int]]:
        """Partition -> (topic id, next offset), as committed."""
        return {row.partition: (row.topic_id, row.next_offset) for row in connection.execute(_READ, self._key)}

    def of_log(self, connection: Connection, topic_id: str) -> dict[int, int]:
        """Partition -> next offset, where the log `topic_id` was read."""
        return {partition: offset for partition, (known, offset) in self.read(connection).items() if known == topic_id}

    def lags(self, connection: Connection, topic_id: str | None, ends: Mapping[int, int]) -> list[PartitionLag]:
        """How far behind each partition is.

        Args:
            connection: in a transaction.
            topic_id: the broker's id of the topic; what was read of another one does not count.
            ends: the broker's end of each partition; those left out have none.
        """
        moved = {row.partition: row for row in connection.execute(_READ, self._key) if row.topic_id == topic_id}
        return [
            PartitionLag(p, max(0, ends.get(p, 0) - (row.next_offset if row else 0)), row.updated_at if row else None)
            for p in range(PARTITIONS)
            for row in (moved.get(p),)
        ]

    def follow(
        self,
        connection: Connection,
        topic_id: str,
        beginnings: Mapping[int, int],
        lost: Collection[int],
        on_another: Callable[[int], None] = lambda _partition: None,
    ) -> dict[int, int]:
        """Where to read on. The caller sees to it that one process at a time does this.

        Args:
            connection: in a transaction.
            topic_id: the broker's id of the topic.
            beginnings: oldest offset kept, by partition.
            lost: partitions whose log ends before what was read (`Kafka.lost`).
            on_another: called with each partition whose log is another one than was read.
        """
        stored = self.read(connection)
        offsets = {}
        for partition in range(PARTITIONS):
            known, offset = stored.get(partition, (None, 0))
            if known != topic_id or partition in lost or offset < beginnings[partition]:
                on_another(partition)
                offset = beginnings[partition]
                begin = {"partition": partition, "topic_id": topic_id, "offset": offset}
                connection.execute(_BEGIN, self._key | begin)
            offsets[partition] = offset
        return offsets

    def current(
        self, connection: Connection, batches: Sequence[Batch], topic_id: str
    ) -> tuple[list[Batch], dict[int, int]]:
        """The batches that begin where their partition was read to, and for the others where to read on: another driver was quicker.

        The partitions stay locked until the transaction ends.
        """
        partitions = sorted(batch.partition for batch in batches)
        rows = connection.execute(self._lock, self._key | {"partitions": partitions})
        stored = {row.partition: (row.topic_id, row.next_offset) for row in rows}
        current = [batch for batch in batches if stored.get(batch.partition) == (topic_id, batch.start)]
        stale = {p: stored.get(p, (None, 0))[1] for p in set(partitions) - {batch.partition for batch in current}}
        return current, stale

    def commit(self, connection: Connection, batches: Sequence[Batch]) -> None:
        """Note that these batches are dealt with."""
        ends = {"partitions": [b.partition for b in batches], "offsets": [b.end for b in batches]}
        connection.execute(_COMMIT, self._key | ends)


_READ = text(
    "select partition, topic_id, next_offset, updated_at from consumer_offsets"
    " where consumer = :consumer and topic = :topic"
)

_LOCK = (
    "select partition, topic_id, next_offset from consumer_offsets where consumer = :consumer and topic = :topic"
    " and partition = any(cast(:partitions as smallint[])) order by partition for update"
)

_BEGIN = text(
    "insert into consumer_offsets (consumer, topic, partition, topic_id, next_offset)"
    " values (:consumer, :topic, :partition, :topic_id, :offset) on conflict (consumer, topic, partition)"
    " do update set topic_id = excluded.topic_id, next_offset = excluded.next_offset, updated_at = now()"
)

_COMMIT = text(
    "update consumer_offsets c set next_offset = v.next_offset, updated_at = now()"
    " from unnest(cast(:partitions as smallint[]), cast(:offsets as bigint[])) as v(partition, next_offset)"
    " where c.consumer = :consumer and c.topic = :topic and c.partition = v.partition"
)
