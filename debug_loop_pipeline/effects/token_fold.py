"""The fold of what Kafka delivers into `token_balances`, with its offset in the same transaction (DOMAIN 4.2, 4.5).

Here: which log is followed from where, and `apply`. Not here: who reads the broker and when (`steps/ledger`), what a
transaction does to a balance (`reducers/token_balance`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError
from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.economy.transaction_id import content_digest
from debug_loop_pipeline.effects.bulk_write import copy_rows, stage_and_upsert
from debug_loop_pipeline.effects.consumer_offsets import ConsumerOffsets, PartitionLag
from debug_loop_pipeline.effects.kafka import TRANSACTIONS, Batch, Message
from debug_loop_pipeline.effects.postgres import Database, advisory_lock
from debug_loop_pipeline.effects.resilience import Retry
from debug_loop_pipeline.effects.token_ledger import (
    BALANCE_COLUMNS,
    BALANCE_ROWS,
    TokenLedgerEffect,
    balance_arrays,
    read_balances,
)
from debug_loop_pipeline.models.token import Balance, TokenTransaction
from debug_loop_pipeline.reducers.token_balance import apply_delta, deltas_of

CONSUMER = "token_balances"
OFFSETS = ConsumerOffsets(CONSUMER, TRANSACTIONS, durable=False)
_KEPT_BYTES = 65_536
_TRANSACTION_COLUMNS = (
    "transaction_id",
    "group_id",
    "peer_id",
    "transaction_type",
    "amount",
    "reason",
    "subject_hash",
    "cause_id",
    "quality_score",
    "novelty_score",
    "counterparty_peer_id",
    "metadata",
    "occurred_at",
    "partition",
    "message_offset",
)
_QUARANTINE_KEY = ("topic", "topic_id", "partition", "message_offset")
_QUARANTINE_COLUMNS = (
    *_QUARANTINE_KEY,
    "reason",
    "transaction_id",
    "message_key",
    "payload_sha256",
    "payload",
    "payload_bytes",
)


@dataclass(frozen=True, slots=True)
class Log:
    """The log that is followed: the broker's id of the topic, and the next offset of each partition."""

    topic_id: str
    offsets: Mapping[int, int]
    requeued: int = 0
    """Transactions that have to be published again, because the broker came back without them."""


@dataclass(slots=True)
class Applied:
    """What folding some batches did."""

    balances: dict[str, Balance] = field(default_factory=dict)
    """Of the peers that changed, as they are now."""
    folded: int = 0
    repeated: int = 0
    quarantined: int = 0
    stale: dict[int, int] = field(default_factory=dict)
    """Partition -> stored offset, where the batch did not begin there: another driver was quicker. Read on from it."""


@dataclass(frozen=True, slots=True)
class _Entry:
    message: Message
    digest: str
    transaction: TokenTransaction | None
    problem: str = ""


class TokenFold:
    """The consumer's side of the ledger, on one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # -- which log -----------------------------------------------------------------------------------------------

    def follow(
        self, topic_id: str, beginnings: Mapping[int, int], lost: Collection[int], ledger: TokenLedgerEffect
    ) -> Log:
        """Where to read on; a log that is not the one that was read is read from its beginning and published again.

        It is another log when the topic has another id, or ends before what was read (the broker came back empty, or
        from an older copy).

        Args:
            topic_id: the broker's id of the topic.
            beginnings: oldest offset kept, by partition.
            lost: partitions whose log ends before what was read (`Kafka.lost`).
            ledger: whose outbox is published again.
        """

        def work(connection: Connection) -> Log:
            advisory_lock(connection, "token-log")
            requeued = 0

            def publish_again(partition: int) -> None:
                nonlocal requeued
                requeued += ledger.requeue(connection, partition)

            offsets = OFFSETS.follow(connection, topic_id, beginnings, lost, publish_again)
            return Log(topic_id, offsets, requeued)

        return self.database.run("follow_log", work, retry=Retry.ALWAYS)

    def offsets(self, topic_id: str | None = None) -> dict[int, int]:
        """Partition -> next offset, as committed; only of the log `topic_id` where one is given."""

        def read(connection: Connection) -> dict[int, int]:
            stored = OFFSETS.read(connection)
            return {partition: offset for partition, (known, offset) in stored.items() if topic_id in (None, known)}

        return self.database.run("read_offsets", read, retry=Retry.ALWAYS)

    def lags(self, topic_id: str | None, ends: Mapping[int, int]) -> list[PartitionLag]:
        """How far behind each partition is of the log `topic_id`; `ends` are the broker's, empty where there is no topic."""
        return self.database.run("fold_lags", lambda c: OFFSETS.lags(c, topic_id, ends), retry=Retry.ALWAYS)

    def balances(self, peers: Sequence[str] | None = None) -> dict[str, Balance]:
        """Folded balances, of some peers or of all."""
        return read_balances(self.database, "token_balances", peers)

    # -- apply ---------------------------------------------------------------------------------------------------

    def apply(self, batches: Sequence[Batch], topic_id: str) -> Applied:
        """Fold batches, at most one per partition, and commit their offsets with them.

        A message counts when an outbox row of its partition has its id and digest, and it was not folded before; one that
        no row explains is quarantined. May be called again after any error.

        Args:
            batches: as read.
            topic_id: of the log they were read from.
        """
        entries = {batch.partition: [_entry(message) for message in batch.messages] for batch in batches}
        return self.database.run(
            "apply", lambda connection: self._apply(connection, batches, entries, topic_id), retry=Retry.ALWAYS
        )

    def _apply(
        self, connection: Connection, batches: Sequence[Batch], parsed: Mapping[int, list[_Entry]], topic_id: str
    ) -> Applied:
        current, stale = OFFSETS.current(connection, batches, topic_id)
        applied = Applied(stale=stale)
        if not current:
            return applied
        entries = [entry for batch in current for entry in parsed[batch.partition]]
        new = self._sort_out(connection, entries, topic_id, applied)
        if new:
            copy_rows(connection, "token_transactions", _TRANSACTION_COLUMNS, map(_row, new))
            deltas = deltas_of(entry.transaction for entry in new if entry.transaction is not None)
            rows = connection.execute(_READ_BALANCES, {"peers": list(deltas)}).mappings()
            before = {row["peer_id"]: Balance(**row) for row in rows}
            applied.balances = {
                peer: apply_delta(before.get(peer) or Balance(peer_id=peer), delta) for peer, delta in deltas.items()
            }
            connection.execute(_WRITE_BALANCES, balance_arrays(list(applied.balances.values())))
            applied.folded = len(new)
        OFFSETS.commit(connection, current)
        return applied

    def _sort_out(
        self, connection: Connection, entries: Sequence[_Entry], topic_id: str, applied: Applied
    ) -> list[_Entry]:
        """The entries that are new; the others are counted, and what nothing explains is put aside."""
        readable = [entry for entry in entries if entry.transaction is not None]
        refused = [(entry, entry.problem) for entry in entries if entry.transaction is None]
        unexplained: set[int] = set()
        known: set[int] = set()
        if readable:
            row = connection.execute(
                _MATCH,
                {
                    "ids": [str(_id(entry)) for entry in readable],
                    "digests": [entry.digest for entry in readable],
                    "partitions": [entry.message.partition for entry in readable],
                },
            ).one()
            unexplained, known = set(row.unexplained or ()), set(row.known or ())
        new: dict[UUID, _Entry] = {}
        for place, entry in enumerate(readable, start=1):
            if place in unexplained:
                refused.append((entry, "no decision of this ledger has this id, content and partition"))
            elif place in known or _id(entry) in new:
                applied.repeated += 1
            else:
                new[_id(entry)] = entry
        if refused:
            rows = [_quarantined(entry, why, topic_id) for entry, why in refused]
            stage_and_upsert(
                connection, "token_quarantine", _QUARANTINE_COLUMNS, rows, key=_QUARANTINE_KEY, update=None
            )
            applied.quarantined = len(refused)
        return list(new.values())


def _entry(message: Message) -> _Entry:
    if message.value is None:
        return _Entry(message, content_digest(b""), None, "a message without content")
    digest = content_digest(message.value)
    try:
        return _Entry(message, digest, TokenTransaction.model_validate_json(message.value))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        return _Entry(message, digest, None, f"not a transaction: {where}: {first['msg']}"[:500])


def _id(entry: _Entry) -> UUID:
    assert entry.transaction is not None
    return entry.transaction.transaction_id


def _row(entry: _Entry) -> tuple[Any, ...]:
    t = entry.transaction
    assert t is not None
    return (
        t.transaction_id,
        t.group_id,
        t.peer_id,
        t.transaction_type.value,
        t.amount,
        t.reason.value,
        t.subject_hash,
        t.cause_id,
        t.quality_score,
        t.novelty_score,
        t.counterparty_peer_id,
        orjson.dumps(t.metadata),
        t.timestamp,
        entry.message.partition,
        entry.message.offset,
    )


def _quarantined(entry: _Entry, why: str, topic_id: str) -> tuple[Any, ...]:
    message = entry.message
    payload = message.value or b""
    return (
        TRANSACTIONS.name,
        topic_id,
        message.partition,
        message.offset,
        why,
        None if entry.transaction is None else entry.transaction.transaction_id,
        None if message.key is None else message.key[:1_000].decode("utf-8", "replace"),
        entry.digest,
        payload[:_KEPT_BYTES],
        len(payload),
    )


_MATCH = text(
    "select array_agg(m.place) filter (where o.transaction_id is null) as unexplained,"
    " array_agg(m.place) filter (where o.transaction_id is not null and t.transaction_id is not null) as known"
    " from unnest(cast(:ids as uuid[]), cast(:digests as text[]), cast(:partitions as smallint[])) with ordinality"
    " as m(id, digest, partition, place)"
    " left join token_outbox o on o.transaction_id = m.id and o.digest = m.digest and o.partition = m.partition"
    " left join token_transactions t on t.transaction_id = m.id"
)

_READ_BALANCES = text(f"select {', '.join(BALANCE_COLUMNS)} from token_balances where peer_id = any(:peers)")

_WRITE_BALANCES = text(
    f"insert into token_balances ({', '.join(BALANCE_COLUMNS)}) select {', '.join(BALANCE_COLUMNS)} from {BALANCE_ROWS}"
    " order by peer_id on conflict (peer_id) do update set "
    + ", ".join(f"{column} = excluded.{column}" for column in BALANCE_COLUMNS[1:])
    + ", folded_at = now()"
)
