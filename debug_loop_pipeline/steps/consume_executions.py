"""From the topic of executions into the inbox, the offset in the same transaction (ARCHITECTURE section 3).

Here: what one batch of messages becomes, and `consume_partition`, which reads what is there and ends (the asset `execution_events`,
tests). Not here: the service that never ends (`execution_service`), what an event is checked for (`ingestion`).

Any number of drivers may run at once: a batch that does not begin at the stored offset is left to the one that was quicker.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from debug_loop_pipeline.effects.execution_consumer import ExecutionConsumer, ExecutionLog
from debug_loop_pipeline.effects.execution_store import Reject
from debug_loop_pipeline.effects.kafka import EXECUTIONS, PARTITIONS, Batch, Message
from debug_loop_pipeline.steps.dead_letters import dead_letter, position_of
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ingestion import (
    POISON,
    IngestionReport,
    RawEvent,
    is_poison,
    prepare_raw,
    write_each,
    write_prepared,
)

SOURCE = EXECUTIONS.name
_MESSAGES = 500


@dataclass(slots=True)
class ConsumeReport:
    """What was taken in."""

    messages: int = 0
    events: int = 0
    changed_attempts: int = 0
    forgotten: int = 0
    """Events that were left out because they were forgotten before."""
    rejects: int = 0
    untold_rejects: int = 0
    """Kept in the table, and not taken by the topic of dead letters."""
    per_partition: dict[int, int] = field(default_factory=dict)
    """Partition -> messages."""
    seconds: float = 0.0

    def add(self, other: ConsumeReport) -> None:
        """Adds what one batch did."""
        self.messages += other.messages
        self.events += other.events
        self.changed_attempts += other.changed_attempts
        self.forgotten += other.forgotten
        self.rejects += other.rejects
        self.untold_rejects += other.untold_rejects
        for partition, messages in other.per_partition.items():
            self.per_partition[partition] = self.per_partition.get(partition, 0) + messages


class ExecutionLoop:
    """Reads some partitions of one log and takes in what comes; one `turn` at a time, one thread.

    Args:
        context: the store.
        consumer: the broker.
        log: as followed.
        partitions: which ones.
    """

    def __init__(
        self,
        context: StepContext,
        consumer: ExecutionConsumer,
        log: ExecutionLog,
        partitions: Sequence[int] = range(PARTITIONS),
    ) -> None:
        self._context = context
        self._consumer = consumer
        self._log = log
        self._reader = consumer.reader(log, partitions)

    def turn(self, wait_s: float) -> ConsumeReport:
        """Wait at most `wait_s` for messages and take them in."""
        return self._take(self._reader.poll(wait_s, _MESSAGES))

    def to_the_end(self, ends: Mapping[int, int]) -> Iterator[ConsumeReport]:
        """Take in what is there, then no more (`PartitionReader.to_the_end`)."""
        for batches in self._reader.to_the_end(ends, _MESSAGES):
            yield self._take(batches)

    def _take(self, batches: Sequence[Batch]) -> ConsumeReport:
        if not batches:
            return ConsumeReport()
        report, stale = take_batches(self._context, self._consumer, batches, self._log.topic_id)
        for partition, offset in stale.items():
            self._reader.seek(partition, offset)
        return report

    def close(self) -> None:
        """Let the broker go."""
        self._reader.close()


def consume_partition(
    context: StepContext, consumer: ExecutionConsumer, partitions: Sequence[int] = range(PARTITIONS)
) -> ConsumeReport:
    """Takes in what is there of some partitions, then ends."""
    started = time.perf_counter()
    report = ConsumeReport()
    log = consumer.follow()
    loop = ExecutionLoop(context, consumer, log, partitions)
    try:
        for taken in loop.to_the_end(consumer.ends()):
            report.add(taken)
            context.log(f"{SOURCE}: {report.events} events, {report.rejects} refused")
    finally:
        loop.close()
    report.seconds = time.perf_counter() - started
    return report


def take_batches(
    context: StepContext, consumer: ExecutionConsumer, batches: Sequence[Batch], topic_id: str
) -> tuple[ConsumeReport, dict[int, int]]:
    """Takes batches in, at most one per partition, each message once in effect. May be called again after any error.

    A message that the store refuses for what it holds is found by trying one after the other; it becomes a dead letter as those do
    that are no events, and nothing waits behind it.

    Returns:
        (what was done, partition -> where to read on for those where another driver was quicker).

    Raises:
        EffectError: the broker or the database is away; nothing of these batches is taken.
    """

    def together(connection: Connection, current: list[Batch]) -> ConsumeReport:
        messages = [message for batch in current for message in batch.messages]
        prepared = prepare_raw(context, map(_raw, messages), SOURCE)
        untold = _tell(consumer, messages, prepared.rejects)
        return _report(current, write_prepared(context, connection, prepared), untold)

    def one_by_one(connection: Connection, current: list[Batch]) -> ConsumeReport:
        messages = [message for batch in current for message in batch.messages]
        total = write_each(context, connection, map(_raw, messages), SOURCE)
        return _report(current, total, _tell(consumer, messages, total.rejects))

    try:
        return consumer.take(batches, topic_id, together, ConsumeReport())
    except (DBAPIError, *POISON) as error:
        if not is_poison(error):
            raise
        return consumer.take(batches, topic_id, one_by_one, ConsumeReport())


def _raw(message: Message) -> RawEvent:
    return RawEvent(message.value or b"", position_of(message))


def _tell(consumer: ExecutionConsumer, messages: Sequence[Message], rejects: Sequence[Reject]) -> int:
    """Publishes dead letters, before the commit: a crash in between tells the same again, never not at all. How many were not taken."""
    if not rejects:
        return 0
    reasons = {r.position: r.reason for r in rejects}
    letters = [dead_letter(m, reasons[position_of(m)]) for m in messages if position_of(m) in reasons]
    return 0 if consumer.tell_rejects(letters) else len(letters)


def _report(batches: Sequence[Batch], ingested: IngestionReport, untold: int) -> ConsumeReport:
    per_partition = {batch.partition: len(batch.messages) for batch in batches}
    return ConsumeReport(
        sum(per_partition.values()),
        ingested.events,
        ingested.changed_attempts,
        ingested.forgotten,
        len(ingested.rejects),
        untold,
        per_partition,
    )
