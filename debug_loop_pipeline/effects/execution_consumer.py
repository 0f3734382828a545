"""The topic of executions as the pipeline reads it: which log, from where, how far behind; and its dead letters.

Here: Kafka and the offsets in PostgreSQL. Not here: what a message becomes (`steps/consume_executions`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kafka.errors import KafkaError
from sqlalchemy import Connection

from debug_loop_pipeline.effects.consumer_offsets import ConsumerOffsets, PartitionLag
from debug_loop_pipeline.effects.kafka import (
    EXECUTION_REJECTS,
    EXECUTIONS,
    PARTITIONS,
    Batch,
    Kafka,
    Message,
    PartitionReader,
    TopicMismatchError,
)
from debug_loop_pipeline.effects.postgres import Database, advisory_lock
from debug_loop_pipeline.effects.resilience import EffectError, Retry

T = TypeVar("T")
OFFSETS = ConsumerOffsets("execution_inbox", EXECUTIONS)


@dataclass(frozen=True, slots=True)
class ExecutionLog:
    """The log that is followed: the broker's id of the topic, and the next offset of each partition."""

    topic_id: str
    offsets: Mapping[int, int]


class ExecutionConsumer:
    """Reads executions on one broker into one database. Make one per process; readers are one thread's each."""

    def __init__(self, database: Database, kafka: Kafka) -> None:
        self._database = database
        self._kafka = kafka

    def follow(self) -> ExecutionLog:
        """The log to read and where, the topic made where it is missing.

        Another log than was read (a new topic id, or one that ends before what was read) is read from its beginning: the spools
        send what they hold again, and what is known already changes nothing.
        """
        topic_id = self._kafka.ensure_topics([EXECUTIONS])[EXECUTIONS.name]
        lost = self._kafka.lost(EXECUTIONS, self.offsets(topic_id))
        beginnings = self._kafka.beginning_offsets(EXECUTIONS)

        def work(connection: Connection) -> dict[int, int]:
            advisory_lock(connection, "execution-log")
            return OFFSETS.follow(connection, topic_id, beginnings, lost)

        return ExecutionLog(topic_id, self._database.run("follow_executions", work, retry=Retry.ALWAYS))

    def is_another(self, log: ExecutionLog) -> bool:
        """Whether the broker has another log now."""
        return self._kafka.topic_id(EXECUTIONS) != log.topic_id or bool(
            self._kafka.lost(EXECUTIONS, self.offsets(log.topic_id))
        )

    def offsets(self, topic_id: str) -> dict[int, int]:
        """Partition -> next offset, as committed for that log."""
        return self._database.run(
            "read_offsets", lambda connection: OFFSETS.of_log(connection, topic_id), retry=Retry.ALWAYS
        )

    def ends(self) -> dict[int, int]:
        """Partition -> the broker's end, a lower bound (`Kafka.end_offsets`)."""
        return self._kafka.end_offsets(EXECUTIONS)

    def lags(self) -> list[PartitionLag]:
        """How far behind each partition is; nothing is behind where there is no topic."""
        topic_id = self._kafka.topic_id(EXECUTIONS)
        ends = {} if topic_id is None else self.ends()
        return self._database.run(
            "execution_lags", lambda connection: OFFSETS.lags(connection, topic_id, ends), retry=Retry.ALWAYS
        )

    def reader(self, log: ExecutionLog, partitions: Sequence[int] = range(PARTITIONS)) -> PartitionReader:
        """A reader of some partitions, from where they were read to."""
        return self._kafka.reader(EXECUTIONS, {partition: log.offsets[partition] for partition in partitions})

    def take(
        self, batches: Sequence[Batch], topic_id: str, work: Callable[[Connection, list[Batch]], T], nothing: T
    ) -> tuple[T, dict[int, int]]:
        """`work` on the batches that begin where their partition was read to, and their offsets, in one transaction.

        Args:
            batches: at most one per partition.
            topic_id: of the log they were read from.
            work: run anew at each try, so it keeps no state between them.
            nothing: its result where no batch is left.

        Returns:
            (its result, partition -> where to read on for those where another driver was quicker).
        """

        def once(connection: Connection) -> tuple[T, dict[int, int]]:
            current, stale = OFFSETS.current(connection, batches, topic_id)
            if not current:
                return nothing, stale
            result = work(connection, current)
            OFFSETS.commit(connection, current)
            return result, stale

        return self._database.run("consume_executions", once, retry=Retry.ALWAYS)

    def tell_rejects(self, letters: Sequence[Message]) -> bool:
        """Publish dead letters. False where the topic does not take them: the table has them, and nothing waits for it.

        Raises:
            EffectError: the broker is away.
        """
        try:
            self._kafka.publish(EXECUTION_REJECTS, letters)
        except EffectError:
            raise
        except (TopicMismatchError, KafkaError):
            return False
        return True
