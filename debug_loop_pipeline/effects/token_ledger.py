"""TokenLedgerEffect: decisions into accounts and outbox, the outbox onto the topic, exactly once in effect (DOMAIN 4.2).

Here: the deciding side (locked accounts, posting, the outbox) and the relay that publishes it. Not here: which decisions
there are (`token_accounts`, the steps), the fold of what Kafka delivers (`token_fold`).

Why it cannot drift. A decision locks the accounts it changes, in peer order, and writes accounts and outbox in one
transaction; numbers of outbox rows are drawn under those locks, so for one peer their order is that of the decisions.
The relay publishes unconfirmed rows in that order and forgets them only in a transaction that ends after the broker
has confirmed them: a crash repeats messages and loses none. The fold drops repeats by id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.economy.transaction_id import content_digest, decode_transaction, encode_transaction
from debug_loop_pipeline.effects.kafka import PARTITIONS, TRANSACTIONS, Kafka, Message, partition_of
from debug_loop_pipeline.effects.postgres import Database, advisory_lock, copy_rows, try_advisory_lock
from debug_loop_pipeline.effects.resilience import Retry
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.token import MILLITOKENS_PER_TOKEN, Balance, Reason, TokenTransaction
from debug_loop_pipeline.reducers.token_balance import BalanceDelta, apply_delta, delta_of

T = TypeVar("T")
_INLINE_ROWS = 32  # up to here the rows travel inside one statement, which saves round trips; above, COPY
_RELAY_ROWS = 5_000
BALANCE_COLUMNS = (
    "peer_id",
    "balance",
    "held",
    "lifetime_earned",
    "lifetime_spent",
    "last_transaction_id",
    "version",
    "last_updated",
)
"""Of accounts and folded balances alike, named as the fields of `Balance`."""
_TYPES = ("text", "bigint", "bigint", "bigint", "bigint", "uuid", "bigint", "timestamptz")


class OverdraftError(DebugLoopError):
    """A decision would take an account, or what is available in it, below zero. Nothing was written."""

    def __init__(self, peer_id: str, available: int, missing: int) -> None:
        has, lacks = (f"{amount / MILLITOKENS_PER_TOKEN:.3f}" for amount in (available, missing))
        super().__init__(f"{peer_id} has {has} tokens available, {lacks} too few")
        self.peer_id = peer_id
        self.available = available
        self.missing = missing


class TransactionConflictError(DebugLoopError):
    """Another content was decided under the same id before. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision wrote."""

    new: tuple[TokenTransaction, ...] = ()
    repeated: tuple[TokenTransaction, ...] = ()
    """Decided before, as they were decided then."""


class Book:
    """Locked accounts inside one transaction: read them, post to them, and `write` at the end.

    Nothing is written before `write`. Made by `open_book`; the locks end with the transaction.
    """

    def __init__(self, connection: Connection, accounts: dict[str, Balance]) -> None:
        self.connection = connection
        self._accounts = accounts
        self._changed: set[str] = set()
        self._new: dict[UUID, TokenTransaction] = {}

    def account(self, peer_id: str) -> Balance:
        """The account as it is with everything posted so far.

        Raises:
            LookupError: the book was not opened for it.
        """
        try:
            return self._accounts[peer_id]
        except KeyError:
            raise LookupError(f"the book was not opened for {peer_id}: name every account when it is opened") from None

    def post(self, transactions: Iterable[TokenTransaction]) -> Decided:
        """Add transactions, all of them or none; those decided before change nothing.

        Raises:
            OverdraftError: an account, or what is available in it, would go below zero.
            TransactionConflictError: an id was decided before with another content (the time aside).
        """
        wanted: dict[UUID, TokenTransaction] = {}
        for transaction in transactions:
            known = wanted.setdefault(transaction.transaction_id, transaction)
            _require_same(known, transaction)
        before = self._decided_before(wanted)
        for key, known in before.items():
            _require_same(known, wanted[key])
        new = [transaction for key, transaction in wanted.items() if key not in before]
        deltas: dict[str, BalanceDelta] = {}
        for transaction in new:
            delta = delta_of(transaction)
            peer = transaction.peer_id
            deltas[peer] = deltas[peer] + delta if peer in deltas else delta
        after = {peer: apply_delta(self.account(peer), delta) for peer, delta in deltas.items()}
        for peer, balance in after.items():
            if balance.available < 0 or balance.held < 0:
                raise OverdraftError(peer, self.account(peer).available, max(-balance.available, -balance.held))
        self._accounts.update(after)
        self._changed.update(after)
        self._new.update((transaction.transaction_id, transaction) for transaction in new)
        return Decided(tuple(new), tuple(before.values()))

    def decided_ids(self, transactions: Iterable[TokenTransaction]) -> set[UUID]:
        """The ids among these that were decided before, whatever their content."""
        return set(self._decided_before({transaction.transaction_id: transaction for transaction in transactions}))

    def write(self) -> None:
        """Write the changed accounts and the outbox rows, in the order in which they were posted."""
        if not self._new:
            return
        accounts = [self._accounts[peer] for peer in sorted(self._changed)]
        active: dict[str, datetime] = {}
        for transaction in self._new.values():
            if transaction.reason is not Reason.DECAY:
                peer = transaction.peer_id
                active[peer] = max(active.get(peer, transaction.timestamp), transaction.timestamp)
        self.connection.execute(
            _UPDATE_ACCOUNTS, {**balance_arrays(accounts), "active": [active.get(a.peer_id) for a in accounts]}
        )
        rows = []
        for transaction in self._new.values():
            payload = encode_transaction(transaction)
            peer = transaction.peer_id
            rows.append((transaction.transaction_id, partition_of(peer), peer, content_digest(payload), payload))
        if len(rows) <= _INLINE_ROWS:
            ids, partitions, peers, digests, payloads = zip(*rows, strict=True)
            self.connection.execute(
                _INSERT_OUTBOX,
                {
                    "ids": [str(i) for i in ids],
                    "partitions": list(partitions),
                    "peers": list(peers),
                    "digests": list(digests),
                    "payloads": list(payloads),
                },
            )
        else:
            numbers = self.connection.execute(_DRAW_NUMBERS, {"count": len(rows)}).scalars().all()
            copy_rows(
                self.connection,
                "token_outbox",
                ("outbox_id", "transaction_id", "partition", "peer_id", "digest", "payload"),
                [(number, *row) for number, row in zip(numbers, rows, strict=True)],
            )
            copy_rows(
                self.connection,
                "token_unpublished",
                ("partition", "outbox_id"),
                [(row[1], number) for number, row in zip(numbers, rows, strict=True)],
            )
        self._new.clear()
        self._changed.clear()

    def _decided_before(self, wanted: Mapping[UUID, TokenTransaction]) -> dict[UUID, TokenTransaction]:
        found = {key: self._new[key] for key in wanted if key in self._new}
        rows = self.connection.execute(_FIND_DECIDED, {"ids": [str(key) for key in wanted]})
        found.update((row.transaction_id, decode_transaction(bytes(row.payload))) for row in rows)
        return found


def open_book(connection: Connection, peers: Iterable[str]) -> Book:
    """Lock the accounts of these peers, in peer order, making those that are missing.

    Missing rows are made before the first lock is taken, so that two openers never wait for each other in a circle.

    Args:
        connection: in a transaction, which should hold no other account's lock yet.
        peers: every account that will be read or changed.
    """
    names = sorted(set(peers))
    rows = connection.execute(_LOCK_ACCOUNTS, {"peers": names}).mappings()
    return Book(connection, {row["peer_id"]: Balance(**row) for row in rows})


@dataclass(frozen=True, slots=True)
class Published:
    """What one pass of the relay did."""

    messages: int = 0
    partitions: tuple[int, ...] = field(default=())


class TokenLedgerEffect:
    """Decides on accounts and publishes what was decided.

    Args:
        database: where accounts and outbox are.
        kafka: where the topic is; None for a process that only decides.
    """

    def __init__(self, database: Database, kafka: Kafka | None = None) -> None:
        self.database = database
        self._kafka = kafka

    # -- decide --------------------------------------------------------------------------------------------------

    def decide(self, transactions: Sequence[TokenTransaction]) -> Decided:
        """Post transactions to their accounts and the outbox in one database transaction, all of them or none.

        May be called again with the same ones after any error: what was decided is not decided twice.

        Raises:
            OverdraftError, TransactionConflictError: as `Book.post`; nothing was written.
        """
        return self.decide_with([t.peer_id for t in transactions], lambda book: book.post(transactions))

    def decide_with(self, peers: Iterable[str], work: Callable[[Book], T], operation: str = "decide") -> T:
        """`work(book)` on the locked accounts of `peers`, written and committed with what else `work` did.

        Args:
            peers: every account that `work` reads or changes.
            work: decides. It is run again after a lost connection, so it must find what it did before by its ids.
            operation: its name in spans and errors.
        """
        names = sorted(set(peers))

        def once(connection: Connection) -> T:
            book = open_book(connection, names)
            result = work(book)
            book.write()
            return result

        return self.database.run(operation, once, retry=Retry.ALWAYS)

    def accounts(self, peers: Sequence[str] | None = None) -> dict[str, Balance]:
        """Accounts as decided, of some peers or of all. For people and checks: a decision locks its own."""
        return read_balances(self.database, "token_accounts", peers)

    # -- publish -------------------------------------------------------------------------------------------------

    def unpublished(self) -> int:
        """Transactions that were decided and not yet confirmed by the broker."""
        return self.database.run(
            "count_unpublished",
            lambda c: int(c.execute(text("select count(*) from token_unpublished")).scalar_one()),
            retry=Retry.ALWAYS,
        )

    def publish_pending(self, limit: int = _RELAY_ROWS) -> Published:
        """One pass of the relay over the partitions that no other relay is at: publish, wait, forget what is confirmed.

        Args:
            limit: messages in one pass.

        Raises:
            EffectUnavailableError, CircuitOpenError, OutcomeUnknownError: what was not confirmed, or not forgotten, is
                published again by the next pass.
        """
        kafka = self.kafka
        with self.database.transaction("relay") as connection:
            waiting = connection.execute(_WAITING_PARTITIONS, {"count": PARTITIONS}).scalars().all()
            mine = [number for number in waiting if try_advisory_lock(connection, _relay_lock(number))]
            if not mine:
                return Published()
            share = max(1, limit // len(mine))
            rows = connection.execute(_UNPUBLISHED, {"partitions": mine, "share": share}).all()
            kafka.publish(TRANSACTIONS, [Message(r.partition, r.peer_id.encode(), bytes(r.payload)) for r in rows])
            connection.execute(_FORGET, {"partitions": [r.partition for r in rows], "ids": [r.outbox_id for r in rows]})
        return Published(len(rows), tuple(mine))

    def publish_all(self) -> int:
        """Passes of the relay until nothing is left that this process may publish; how many messages that were."""
        total = 0
        while (published := self.publish_pending()).messages:
            total += published.messages
        return total

    def requeue(self, connection: Connection, partition: int) -> int:
        """Have everything ever decided in a partition published again (the broker has lost it); how many that are.

        Waits for the relay of the partition: what it is sending now goes to the broker that lost its log.
        """
        advisory_lock(connection, _relay_lock(partition))
        return connection.execute(_REQUEUE, {"partition": partition}).rowcount

    def requeue_missing(self) -> int:
        """Have published again what the broker confirmed and the fold, which has read to the end, never saw.

        Only where the fold has caught up: earlier it would publish everything that is still on its way.
        """

        def work(connection: Connection) -> int:
            for partition in range(PARTITIONS):
                advisory_lock(connection, _relay_lock(partition))
            return connection.execute(_REQUEUE_MISSING).rowcount

        return self.database.run("requeue_missing", work, retry=Retry.ALWAYS)

    @property
    def kafka(self) -> Kafka:
        """The broker.

        Raises:
            DebugLoopError: this process was made to decide only.
        """
        if self._kafka is None:
            raise DebugLoopError("a Kafka broker is needed to publish: run `debug-loop up`, or set its address")
        return self._kafka


def read_balances(database: Database, table: str, peers: Sequence[str] | None = None) -> dict[str, Balance]:
    """Peer -> balance, of `token_accounts` or `token_balances`, of some peers or all."""
    where = "" if peers is None else " where peer_id = any(:peers)"
    query = text(f"select {', '.join(BALANCE_COLUMNS)} from {table}{where}")
    parameters = {} if peers is None else {"peers": list(peers)}

    def read(connection: Connection) -> dict[str, Balance]:
        return {row["peer_id"]: Balance(**row) for row in connection.execute(query, parameters).mappings()}

    return database.run("read_balances", read, retry=Retry.ALWAYS)


def balance_arrays(balances: Sequence[Balance]) -> dict[str, list[Any]]:
    """Balances as one array per column, for `BALANCE_ROWS`."""
    return {
        column: [
            None if (v := getattr(b, column)) is None else str(v) if column == "last_transaction_id" else v
            for b in balances
        ]
        for column in BALANCE_COLUMNS
    }


BALANCE_ROWS = (
    "unnest("
    + ", ".join(f"cast(:{column} as {kind}[])" for column, kind in zip(BALANCE_COLUMNS, _TYPES, strict=True))
    + f") as v({', '.join(BALANCE_COLUMNS)})"
)
"""The rows of `balance_arrays` in a FROM clause."""


def _require_same(known: TokenTransaction, again: TokenTransaction) -> None:
    """The time aside: deciding again what was decided is harmless whenever it is done."""
    if known is not again and known.model_copy(update={"timestamp": again.timestamp}) != again:
        raise TransactionConflictError(
            f"transaction {again.transaction_id} ({again.transaction_type}, {again.reason}, {again.peer_id}, cause "
            f"{again.cause_id}) was decided before with another content: use another cause for another decision"
        )


def _relay_lock(partition: int) -> str:
    return f"token-relay:{partition}"


_CHANGING = BALANCE_COLUMNS[1:]

_LOCK_ACCOUNTS = text(
    "insert into token_accounts (peer_id) select p from unnest(cast(:peers as text[])) as p"
    " where not exists (select from token_accounts a where a.peer_id = p) order by p on conflict do nothing;"
    f" select {', '.join(BALANCE_COLUMNS)} from token_accounts where peer_id = any(:peers) order by peer_id for update"
)

_UPDATE_ACCOUNTS = text(
    f"update token_accounts a set {', '.join(f'{c} = v.{c}' for c in _CHANGING)},"
    " last_active = greatest(a.last_active, w.last_active)"
    f" from {BALANCE_ROWS}, unnest(cast(:peer_id as text[]), cast(:active as timestamptz[])) as w(peer_id, last_active)"
    " where a.peer_id = v.peer_id and w.peer_id = v.peer_id"
)

_FIND_DECIDED = text(
    "select transaction_id, payload from token_outbox where transaction_id = any(cast(:ids as uuid[]))"
)

_DRAW_NUMBERS = text(
    "select nextval(pg_get_serial_sequence('token_outbox', 'outbox_id')) from generate_series(1, :count)"
)

_INSERT_OUTBOX = text(
    "with added as (insert into token_outbox (transaction_id, partition, peer_id, digest, payload)"
    " select id, partition, peer, digest, payload from unnest(cast(:ids as uuid[]), cast(:partitions as smallint[]),"
    " cast(:peers as text[]), cast(:digests as text[]), cast(:payloads as bytea[])) with ordinality"
    " as v(id, partition, peer, digest, payload, place) order by place returning partition, outbox_id)"
    " insert into token_unpublished (partition, outbox_id) select partition, outbox_id from added"
)

# Not waiting for the disk: what a crash of the server takes back is published again.
_WAITING_PARTITIONS = text(
    "set local synchronous_commit = off;"
    " select p from generate_series(0, :count - 1) as p"
    " where exists (select from token_unpublished u where u.partition = p) order by p"
)

_UNPUBLISHED = text(
    "select w.partition, w.outbox_id, o.peer_id, o.payload from unnest(cast(:partitions as smallint[])) as p"
    " cross join lateral (select u.partition, u.outbox_id from token_unpublished u where u.partition = p"
    " order by u.outbox_id limit :share) as w join token_outbox o using (outbox_id) order by w.partition, w.outbox_id"
)

_FORGET = text(
    "delete from token_unpublished u using unnest(cast(:partitions as smallint[]), cast(:ids as bigint[])) as v(partition, id)"
    " where u.partition = v.partition and u.outbox_id = v.id"
)

_REQUEUE = text(
    "insert into token_unpublished (partition, outbox_id) select partition, outbox_id from token_outbox"
    " where partition = :partition order by outbox_id on conflict do nothing"
)

_REQUEUE_MISSING = text(
    "insert into token_unpublished (partition, outbox_id) select o.partition, o.outbox_id from token_outbox o"
    " where not exists (select from token_transactions t where t.transaction_id = o.transaction_id)"
    " order by o.outbox_id on conflict do nothing"
)
