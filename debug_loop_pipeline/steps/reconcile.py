"""Proves that the ledger's copies are equal: accounts, folded balances, the replayed stream, the cache (DOMAIN 4.2, 4.6).

Here: the comparison, and the repairs that are safe. Not here: the ledger's own work (`ledger`). Every copy is folded anew
from what it should be the fold of, by the reducer, so an error of the incremental path cannot hide. PostgreSQL is read in
one snapshot; what is on its way between decision and fold is counted, and is no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.economy.transaction_id import (
    InvalidTransactionError,
    content_digest,
    decode_transaction,
)
from debug_loop_pipeline.effects.kafka import PARTITIONS, TRANSACTIONS, Message
from debug_loop_pipeline.effects.resilience import EffectError
from debug_loop_pipeline.effects.token_fold import CONSUMER
from debug_loop_pipeline.effects.token_ledger import BALANCE_COLUMNS
from debug_loop_pipeline.models.token import Balance, TokenTransaction
from debug_loop_pipeline.reducers.token_balance import BalanceDelta, apply_delta, delta_of
from debug_loop_pipeline.steps.ledger import Ledger, catch_up

_LISTED = 100
_ROWS = 5_000
_POLL_S = 1.0
_EMPTY_POLLS = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """Two copies of one thing that are not equal."""

    check: str
    subject: str
    expected: str
    found: str


@dataclass(slots=True)
class Reconciliation:
    """What the comparison found. Clean when there is no difference."""

    accounts: int = 0
    decided: int = 0
    folded: int = 0
    replayed: int = 0
    cached: int = 0
    unpublished: int = 0
    in_flight: int = 0
    """Decided and not folded yet."""
    quarantined: int = 0
    unexplained: int = 0
    """Messages of the replay that no decision explains: they count nowhere."""
    supply: int = 0
    """Millitokens on all accounts."""
    differences: list[Difference] = field(default_factory=list)
    """At most 100 of them; `count` has them all."""
    count: int = 0
    skipped: list[str] = field(default_factory=list)
    """What could not be compared, and why."""
    repaired: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """No difference, and nothing left out."""
        return self.count == 0 and not self.skipped

    def differ(self, check: str, subject: str, expected: object, found: object) -> None:
        """Notes a difference."""
        self.count += 1
        if len(self.differences) < _LISTED:
            self.differences.append(Difference(check, subject, str(expected), str(found)))


def reconcile(ledger: Ledger, *, replay: bool = True, repair: bool = False) -> Reconciliation:
    """Compare all copies.

    Args:
        ledger: what to compare.
        replay: read the whole stream from the broker too.
        repair: publish again what the broker lost, and begin another epoch of the cache where it disagrees.
    """
    result = Reconciliation()
    if repair:
        _repair_stream(ledger, result)
    snapshot = _read_snapshot(ledger, result)
    if replay:
        try:
            _compare_replay(ledger, snapshot, result)
        except EffectError as error:
            result.skipped.append(f"the replayed stream: {error}")
    if ledger.cache is not None:
        _compare_cache(ledger, result, repair=repair)
    return result


@dataclass(slots=True)
class _Snapshot:
    balances: dict[str, Balance]
    offsets: dict[int, int]
    topic_ids: set[str]


def _read_snapshot(ledger: Ledger, result: Reconciliation) -> _Snapshot:
    with ledger.database.transaction("reconcile", statement_timeout_ms=0) as connection:
        connection.execute(text("set transaction isolation level repeatable read read only"))
        accounts = _balances(connection, "token_accounts")
        balances = _balances(connection, "token_balances")
        decided = _fold(_decided(connection, result))
        folded = _fold(_folded(connection, result))
        counts = connection.execute(text(_COUNTS)).one()
        holds = connection.execute(text(_HOLDS_DIFFER)).all()
        strangers = connection.execute(text(_FOLDED_UNDECIDED)).scalars().all()
        rows = connection.execute(text(_OFFSETS), {"consumer": CONSUMER, "topic": TRANSACTIONS.name}).all()
    result.accounts = len(accounts)
    result.supply = sum(account.balance for account in accounts.values())
    result.unpublished, result.in_flight, result.quarantined = counts
    _compare("accounts = fold of decisions", _used(accounts), decided, result)
    _compare("balances = fold of transactions", balances, folded, result)
    for peer, account in accounts.items():
        if not 0 <= account.held <= account.balance:
            result.differ("accounts never below zero", peer, "0 <= held <= balance", account)
    if not result.in_flight:
        _compare("balances = accounts", balances, _used(accounts), result)
    for peer, held, open_holds in holds:
        result.differ("held = open holds", peer, open_holds, held)
    for stranger in strangers:
        result.differ("every folded transaction was decided", str(stranger), "an outbox row", "none")
    return _Snapshot(balances, {r.partition: r.next_offset for r in rows}, {str(r.topic_id) for r in rows})


def _used(accounts: Mapping[str, Balance]) -> dict[str, Balance]:
    """Accounts with a transaction: one that was opened and refused has none, and is nowhere else."""
    return {peer: account for peer, account in accounts.items() if account.version}


def _balances(connection: Connection, table: str) -> dict[str, Balance]:
    rows = connection.execute(text(f"select {', '.join(BALANCE_COLUMNS)} from {table}")).mappings()
    return {row["peer_id"]: Balance(**row) for row in rows}


def _decided(connection: Connection, result: Reconciliation) -> Iterator[TokenTransaction]:
    query = text("select digest, payload from token_outbox order by outbox_id")
    for row in connection.execute(query, execution_options={"stream_results": True, "yield_per": _ROWS}):
        payload = bytes(row.payload)
        transaction = decode_transaction(payload)
        if content_digest(payload) != row.digest:
            result.differ("digest of a decision", str(transaction.transaction_id), row.digest, content_digest(payload))
        result.decided += 1
        yield transaction


def _folded(connection: Connection, result: Reconciliation) -> Iterator[TokenTransaction]:
    query = text(_TRANSACTIONS)
    rows = connection.execute(query, execution_options={"stream_results": True, "yield_per": _ROWS})
    for row in rows.mappings():
        result.folded += 1
        yield TokenTransaction(**row)


def _fold(transactions: Iterable[TokenTransaction]) -> dict[str, Balance]:
    """Balances of transactions that are known to be different ones."""
    deltas: dict[str, BalanceDelta] = {}
    for transaction in transactions:
        peer, delta = transaction.peer_id, delta_of(transaction)
        deltas[peer] = deltas[peer] + delta if peer in deltas else delta
    return {peer: apply_delta(Balance(peer_id=peer), delta) for peer, delta in deltas.items()}


def _compare(check: str, found: Mapping[str, Balance], expected: Mapping[str, Balance], result: Reconciliation) -> None:
    for peer in sorted(found.keys() | expected.keys()):
        if found.get(peer) != expected.get(peer):
            result.differ(check, peer, expected.get(peer, "no balance"), found.get(peer, "no balance"))


def _compare_replay(ledger: Ledger, snapshot: _Snapshot, result: Reconciliation) -> None:
    topic_id = ledger.kafka.topic_id(TRANSACTIONS)
    if snapshot.offsets and snapshot.topic_ids != {str(topic_id)}:
        result.differ("the log that was folded", TRANSACTIONS.name, ", ".join(sorted(snapshot.topic_ids)), topic_id)
        return
    seen: dict[UUID, TokenTransaction] = {}
    for messages in _replayed(ledger, snapshot.offsets, result):
        for transaction in _explained(ledger, messages, result):
            seen.setdefault(transaction.transaction_id, transaction)
    result.replayed = len(seen)
    _compare("balances = fold of the replayed stream", snapshot.balances, _fold(seen.values()), result)


def _replayed(ledger: Ledger, ends: Mapping[int, int], result: Reconciliation) -> Iterator[Sequence[Message]]:
    """Every message before the offsets that were folded up to."""
    if not ends:
        return  # there may be no topic yet, and a broker is asked about one for a minute
    beginnings = ledger.kafka.beginning_offsets(TRANSACTIONS)
    wanted = {p: beginnings[p] for p in range(PARTITIONS) if beginnings[p] < ends.get(p, 0)}
    if not wanted:
        return
    reader = ledger.kafka.reader(TRANSACTIONS, wanted)
    try:
        empty = 0
        while any(reader.positions[p] < ends[p] for p in wanted):
            batches = reader.poll(_POLL_S, _ROWS)
            empty = 0 if batches else empty + 1
            if empty >= _EMPTY_POLLS:
                short = {p: reader.positions[p] for p in wanted if reader.positions[p] < ends[p]}
                result.differ("the log reaches what was folded", TRANSACTIONS.name, ends, short)
                return
            yield [m for batch in batches for m in batch.messages if m.offset < ends[batch.partition]]
    finally:
        reader.close()


def _explained(ledger: Ledger, messages: Sequence[Message], result: Reconciliation) -> Iterator[TokenTransaction]:
    """What the decisions explain, parsed from the messages themselves."""
    parsed: list[tuple[Message, TokenTransaction]] = []
    for message in messages:
        try:
            parsed.append((message, decode_transaction(message.value or b"")))
        except InvalidTransactionError:
            result.unexplained += 1
    with ledger.database.transaction("explain") as connection:
        rows = connection.execute(text(_EXPLAINED), {"ids": [str(t.transaction_id) for _, t in parsed]})
        known = {(row.transaction_id, row.partition, row.digest) for row in rows}
    for message, transaction in parsed:
        if (transaction.transaction_id, message.partition, content_digest(message.value or b"")) in known:
            yield transaction
        else:
            result.unexplained += 1


def _compare_cache(ledger: Ledger, result: Reconciliation, *, repair: bool) -> None:
    """Cached values are read before the database: one that is older was left behind, one that is newer is of another past."""
    cache = ledger.cache
    assert cache is not None
    try:
        values = cache.cached_values(cache.cached())
    except EffectError as error:
        result.skipped.append(f"the cache: {error}")
        return
    result.cached = len(values)
    stored = ledger.fold.balances(list(values))
    wrong = {peer: value for peer, value in values.items() if value != (stored.get(peer) or Balance(peer_id=peer))}
    if wrong:  # looked at twice: the fold may have been between its commit and its renewal
        again = cache.cached_values(list(wrong))
        wrong = {peer: value for peer, value in again.items() if value == wrong[peer]}
    if wrong and repair:
        cache.begin_epoch(f"reconcile found {len(wrong)} cached balances that differ")
        result.repaired.append(f"began another epoch of the cache: {len(wrong)} values differed")
        return
    for peer, value in wrong.items():
        result.differ("cache = balances", peer, stored.get(peer, "no balance"), value)


def _repair_stream(ledger: Ledger, result: Reconciliation) -> None:
    before = catch_up(ledger)
    if before.requeued:
        result.repaired.append(f"published {before.requeued} transactions again: the broker had lost its log")
    missing = ledger.ledger.requeue_missing()
    if missing:
        catch_up(ledger)
        result.repaired.append(f"published {missing} transactions again: they never came back from the broker")


def as_json(result: Reconciliation) -> dict[str, Any]:
    """The result for programs."""
    return {
        "clean": result.clean,
        "accounts": result.accounts,
        "decided": result.decided,
        "folded": result.folded,
        "replayed": result.replayed,
        "cached": result.cached,
        "unpublished": result.unpublished,
        "in_flight": result.in_flight,
        "quarantined": result.quarantined,
        "unexplained": result.unexplained,
        "supply_millitokens": result.supply,
        "difference_count": result.count,
        "differences": [
            {"check": d.check, "subject": d.subject, "expected": d.expected, "found": d.found}
            for d in result.differences
        ],
        "skipped": result.skipped,
        "repaired": result.repaired,
    }


_COUNTS = """
select (select count(*) from token_unpublished),
       (select count(*) from token_outbox o
        where not exists (select from token_transactions t where t.transaction_id = o.transaction_id)),
       (select count(*) from token_quarantine)
"""

_HOLDS_DIFFER = """
select a.peer_id, a.held, coalesce(h.open, 0)
from token_accounts a
left join (select peer_id, sum(amount) as open from token_holds where status = 'open' group by peer_id) as h using (peer_id)
where a.held <> coalesce(h.open, 0) order by a.peer_id
"""

_FOLDED_UNDECIDED = """
select t.transaction_id from token_transactions t
where not exists (select from token_outbox o where o.transaction_id = t.transaction_id) order by 1 limit 100
"""

_TRANSACTIONS = """
select transaction_id, group_id, peer_id, transaction_type, amount, reason, subject_hash, cause_id, quality_score,
       novelty_score, counterparty_peer_id, metadata, occurred_at as timestamp
from token_transactions order by folded_at, transaction_id
"""

_OFFSETS = "select partition, topic_id, next_offset from consumer_offsets where consumer = :consumer and topic = :topic"

_EXPLAINED = (
    "select transaction_id, partition, digest from token_outbox where transaction_id = any(cast(:ids as uuid[]))"
)
