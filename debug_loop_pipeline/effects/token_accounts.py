"""Holds, transfers and grants on the deciding side of the ledger (DOMAIN 4.4).

Here: each decision under the lock of its accounts, with its rows. Not here: the rules (`compute/token_spender`), locks and
outbox (`token_ledger`), what the daily run charges (`token_charges`).

Every account that is locked here first gives back the holds whose time is over. A hold leaves `open` once, under its
account's lock, and every decision may be asked for again: it finds what was decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, text

from debug_loop_pipeline.compute.economy.transaction_id import hold_id as id_of_hold
from debug_loop_pipeline.compute.economy.transaction_id import make_transaction, transfer_sides
from debug_loop_pipeline.compute.token_spender import expire, release, settle
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.token_ledger import Book, Decided, TokenLedgerEffect
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.token import (
    Hold,
    HoldStatus,
    Reason,
    SettleDecision,
    SpendDecision,
    SpendOutcome,
    TokenTransaction,
    TransactionType,
)

_SWEPT_PEERS = 500
_SUBJECT_CHARS = 400


class UnknownHoldError(DebugLoopError, LookupError):
    """There is no such hold."""


class HoldConflictError(DebugLoopError):
    """The hold was settled, or its request authorised, with something else before."""


@dataclass(frozen=True, slots=True)
class Authorisation:
    """Answer to a request: the decision, and the hold where there is one."""

    decision: SpendDecision
    hold: Hold | None = None
    """None where the request may not go ahead, or costs nothing."""
    repeated: bool = False
    """The request was authorised before, and its hold is open."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What closing a hold did."""

    hold: Hold
    changed: bool
    """False: it was closed before."""


class TokenAccountsEffect:
    """Decisions of people and programs on their accounts.

    Args:
        ledger: which decides.
    """

    def __init__(self, ledger: TokenLedgerEffect) -> None:
        self._ledger = ledger

    @property
    def _database(self) -> Database:
        return self._ledger.database

    # -- holds ---------------------------------------------------------------------------------------------------

    def authorise(
        self,
        peer_id: str,
        request_id: str,
        decide: Callable[[int], SpendDecision],
        *,
        model: str,
        provider: str | None,
        now: datetime,
        ttl_s: int,
    ) -> Authorisation:
        """Place a hold, or say why not.

        Args:
            peer_id: who pays.
            request_id: the peer's own id of the request; the same one finds its hold while that is open. What was given back or
                expired holds nothing any more, so it is decided anew.
            decide: what is available -> the decision (`compute.token_spender.decide_spend`).
            model: as asked for, and so is `provider`.
            provider: see `model`.
            now: aware.
            ttl_s: seconds until the hold expires.

        Raises:
            HoldConflictError: the request is authorised for another model, or was settled.
        """

        def work(book: Book) -> Authorisation:
            expire_due(book, [peer_id], now)
            request = {"peer_id": peer_id, "request_id": request_id}
            before = [_hold(row) for row in book.connection.execute(_HOLDS_OF_REQUEST, request).mappings()]
            available = book.account(peer_id).available
            for known in before:
                if known.status is HoldStatus.SETTLED:
                    raise HoldConflictError(f"request {request_id} of {peer_id} was settled with hold {known.hold_id}")
                if known.status is HoldStatus.OPEN:
                    if (known.model, known.provider) != (model, provider):
                        raise HoldConflictError(f"request {request_id} of {peer_id} was authorised for {known.model}")
                    again = SpendDecision(outcome=SpendOutcome.AUTHORISED, amount=known.amount, available=available)
                    return Authorisation(again, known, repeated=True)
            decision = decide(available)
            if decision.outcome is not SpendOutcome.AUTHORISED or not decision.amount:
                return Authorisation(decision)
            hold = Hold(
                hold_id=id_of_hold(peer_id, request_id, len(before)),
                peer_id=peer_id,
                request_id=request_id,
                provider=provider,
                model=model,
                amount=decision.amount,
                created_at=now,
                expires_at=now + timedelta(seconds=ttl_s),
            )
            book.post([_movement(hold, TransactionType.HOLD, hold.amount, now)])
            book.connection.execute(_INSERT_HOLD, _hold_row(hold))
            return Authorisation(decision, hold)

        return self._ledger.decide_with([peer_id], work, "authorise")

    def settle(self, hold_id: UUID, actual: int, now: datetime) -> Settlement:
        """Release the whole hold and spend what was used, as far as what is available goes.

        Args:
            hold_id: open, or expired (then it is settled late, once).
            actual: millitokens used.
            now: aware.

        Raises:
            UnknownHoldError: no such hold.
            HoldConflictError: it was settled with another amount.
        """

        def work(book: Book, hold: Hold, row: RowMapping) -> tuple[Hold, SettleDecision]:
            if hold.status is HoldStatus.SETTLED and row["actual"] != actual:
                raise HoldConflictError(f"hold {hold_id} was settled with {row['actual']} millitokens, not {actual}")
            decision = settle(hold, actual, book.account(hold.peer_id).available, charged=row["charged"])
            return hold, decision

        return self._close(hold_id, work, now, "settle", actual)

    def release(self, hold_id: UUID, now: datetime) -> Settlement:
        """Give a hold back unused; raises UnknownHoldError where there is none."""
        return self._close(hold_id, lambda _book, hold, _row: (hold, release(hold)), now, "release", None)

    def sweep(self, now: datetime) -> int:
        """Expire every hold whose time is over; how many those were."""
        total = 0
        while True:
            peers = [
                row["peer_id"] for row in fetch_rows(self._database, _DUE_PEERS, {"now": now, "limit": _SWEPT_PEERS})
            ]
            if not peers:
                return total
            total += self._ledger.decide_with(peers, partial(expire_due, peers=peers, now=now), "sweep")

    def hold(self, hold_id: UUID) -> Hold:
        """A hold as it is; raises UnknownHoldError where there is none."""
        return self._database.run("read_hold", lambda c: _require(_read_holds(c, [hold_id]), hold_id))

    def _close(
        self,
        hold_id: UUID,
        decide: Callable[[Book, Hold, RowMapping], tuple[Hold, SettleDecision]],
        now: datetime,
        operation: str,
        actual: int | None,
    ) -> Settlement:
        peer_id = self.hold(hold_id).peer_id

        def work(book: Book) -> Settlement:
            expire_due(book, [peer_id], now)
            rows = hold_rows(book.connection, [hold_id])
            hold, decision = decide(book, _hold(rows[hold_id]), rows[hold_id])
            if not decision.changed:
                return Settlement(hold, changed=False)
            return Settlement(_write_closed(book, hold, decision, now, actual), changed=True)

        return self._ledger.decide_with([peer_id], work, operation)

    # -- people --------------------------------------------------------------------------------------------------

    def transfer(
        self,
        giver: str,
        receiver: str,
        amount: int,
        cause_id: str,
        now: datetime,
        metadata: Mapping[str, Any] | None = None,
    ) -> Decided:
        """Move tokens from one peer to another.

        Args:
            giver: who pays, out of what is available.
            receiver: who gets it.
            amount: positive millitokens.
            cause_id: the request; the same one moves nothing again.
            now: aware.
            metadata: kept with both sides.

        Raises:
            OverdraftError: the giver has less available.
            TransactionConflictError: the cause moved something else before.
            ValueError: nothing to move, or both are the same peer.
        """
        sides = transfer_sides(
            giver=giver,
            receiver=receiver,
            amount=amount,
            cause_id=cause_id,
            timestamp=now,
            metadata=dict(metadata or {}),
        )
        return self._post(sides, now)

    def grant(self, peer_id: str, amount: int, cause_id: str, *, by: str, note: str, now: datetime) -> Decided:
        """Mint tokens for a peer, by a person who is recorded; `amount` is positive. Raises as `transfer` does."""
        return self._by_person(TransactionType.BONUS, Reason.GRANT, peer_id, amount, cause_id, by, note, now)

    def adjust(self, peer_id: str, amount: int, cause_id: str, *, by: str, note: str, now: datetime) -> Decided:
        """Correct an account in either direction, by a person who is recorded. Raises as `transfer` does."""
        return self._by_person(TransactionType.ADJUSTMENT, Reason.CORRECTION, peer_id, amount, cause_id, by, note, now)

    def _by_person(
        self,
        kind: TransactionType,
        reason: Reason,
        peer_id: str,
        amount: int,
        cause_id: str,
        by: str,
        note: str,
        now: datetime,
    ) -> Decided:
        transaction = make_transaction(
            transaction_type=kind,
            reason=reason,
            peer_id=peer_id,
            amount=amount,
            cause_id=cause_id,
            timestamp=now,
            metadata={"by": by, "note": note},
        )
        return self._post([transaction], now)

    def _post(self, transactions: Iterable[TokenTransaction], now: datetime) -> Decided:
        wanted = list(transactions)
        peers = [transaction.peer_id for transaction in wanted]

        def work(book: Book) -> Decided:
            expire_due(book, peers, now)
            return book.post(wanted)

        return self._ledger.decide_with(peers, work)


def expire_due(book: Book, peers: Iterable[str], now: datetime) -> int:
    """Give back the holds of locked accounts whose time is over; how many those were."""
    rows = book.connection.execute(_DUE_HOLDS, {"peers": sorted(set(peers)), "now": now}).mappings().all()
    for row in rows:
        hold = _hold(row)
        _write_closed(book, hold, expire(hold, now), now, None)
    return len(rows)


def _write_closed(book: Book, hold: Hold, decision: SettleDecision, now: datetime, actual: int | None) -> Hold:
    movements = []
    if decision.release:
        movements.append(_movement(hold, TransactionType.RELEASE, -decision.release, now))
    if decision.spent:
        movements.append(_movement(hold, TransactionType.SPENT, -decision.spent, now))
    book.post(movements)
    closed = hold.model_copy(
        update={
            "status": decision.status,
            "closed_at": hold.closed_at or now,
            "settled_at": now if decision.status is HoldStatus.SETTLED else None,
            "spent": decision.spent,
            "uncovered": decision.uncovered,
        }
    )
    book.connection.execute(_CLOSE_HOLD, {**_hold_row(closed), "actual": actual})
    return closed


def _movement(hold: Hold, kind: TransactionType, amount: int, now: datetime) -> TokenTransaction:
    return make_transaction(
        transaction_type=kind,
        reason=Reason.LLM_QUERY,
        peer_id=hold.peer_id,
        amount=amount,
        cause_id=str(hold.hold_id),
        timestamp=now,
        subject_hash=hold.model[:_SUBJECT_CHARS],
        group_id=hold.hold_id,
        metadata={"request_id": hold.request_id},
    )


def _require(found: Mapping[UUID, Hold], hold_id: UUID) -> Hold:
    try:
        return found[hold_id]
    except KeyError:
        raise UnknownHoldError(f"there is no hold {hold_id}") from None


def _read_holds(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Hold]:
    return {key: _hold(row) for key, row in hold_rows(connection, ids).items()}


def hold_rows(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, RowMapping]:
    """Hold id -> its row, with the columns that are no part of `Hold`."""
    if not ids:
        return {}
    rows = connection.execute(_READ_HOLDS, {"ids": [str(key) for key in ids]}).mappings()
    return {row["hold_id"]: row for row in rows}


_HOLD_FIELDS = tuple(Hold.model_fields)


def _hold(row: RowMapping) -> Hold:
    return Hold(**{name: row[name] for name in _HOLD_FIELDS})


def _hold_row(hold: Hold) -> dict[str, Any]:
    return hold.model_dump() | {"status": hold.status.value}


_HOLDS_OF_REQUEST = text("select * from token_holds where peer_id = :peer_id and request_id = :request_id")

_READ_HOLDS = text("select * from token_holds where hold_id = any(cast(:ids as uuid[]))")

_DUE_HOLDS = text(
    "select * from token_holds where status = 'open' and expires_at <= :now and peer_id = any(:peers) order by expires_at, hold_id"
)

_DUE_PEERS = """
select distinct peer_id from (
    select peer_id from token_holds where status = 'open' and expires_at <= :now order by expires_at limit :limit
) as due order by peer_id
"""

_INSERT_HOLD = text(
    f"insert into token_holds ({', '.join(_HOLD_FIELDS)}) values ({', '.join(f':{name}' for name in _HOLD_FIELDS)})"
)

_CLOSE_HOLD = text(
    "update token_holds set status = :status, closed_at = :closed_at, settled_at = :settled_at, spent = :spent,"
    " uncovered = :uncovered, actual = :actual where hold_id = :hold_id"
)
