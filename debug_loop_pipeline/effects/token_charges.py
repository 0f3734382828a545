"""What the daily run takes from accounts: attempts that no hold covered, and decay (DOMAIN 4.3, 4.4).

Here: both decisions, once each and as far as an account goes. Not here: which attempts are priced (the step), holds
(`token_accounts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import text

from debug_loop_pipeline.compute.economy.transaction_id import make_transaction
from debug_loop_pipeline.compute.token_spender import cover, decay_amount
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.token_accounts import expire_due, hold_rows
from debug_loop_pipeline.effects.token_ledger import Book, TokenLedgerEffect
from debug_loop_pipeline.models.token import HoldStatus, Reason, TransactionType

_PEERS = 500
_SUBJECT_CHARS = 400


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """A priced attempt to charge."""

    attempt_id: UUID
    peer_id: str
    amount: int
    """Millitokens."""
    model: str = ""
    hold_ids: tuple[UUID, ...] = ()
    """What the attempt says it was authorised by."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What charging an attempt did."""

    attempt_id: UUID
    spent: int
    uncovered: int
    covered: bool = False
    """A settled hold had paid for it; nothing was charged."""
    repeated: bool = False


class TokenChargesEffect:
    """Charges and decay.

    Args:
        ledger: which decides.
    """

    def __init__(self, ledger: TokenLedgerEffect) -> None:
        self._ledger = ledger

    def charge_attempts(self, requests: Sequence[ChargeRequest], now: datetime) -> list[Charge]:
        """Charge attempts that no settled hold covers, once each, as far as each account goes; in one transaction.

        Args:
            requests: in the order in which accounts pay.
            now: aware.
        """

        def work(book: Book) -> list[Charge]:
            expire_due(book, [request.peer_id for request in requests], now)
            ids = [request.attempt_id for request in requests]
            rows = book.connection.execute(_READ_CHARGES, {"ids": ids}).mappings()
            known = {
                row["attempt_id"]: Charge(row["attempt_id"], row["spent"], row["uncovered"], repeated=True)
                for row in rows
            }
            done = []
            for request in requests:
                charge = known.get(request.attempt_id) or _charge(book, request, now)
                known[request.attempt_id] = charge
                done.append(charge)
            return done

        if not requests:
            return []
        return self._ledger.decide_with([request.peer_id for request in requests], work, "charge")

    def decay(self, now: datetime, daily_rate: float, idle_days: int) -> int:
        """Take a day's decay from accounts that have been idle; how many accounts lost something. Once per account and day."""
        if daily_rate <= 0:
            return 0
        rows = fetch_rows(self._ledger.database, _IDLE_PEERS, {"before": now - timedelta(days=idle_days)})
        lost = 0
        for start in range(0, len(rows), _PEERS):
            peers = [row["peer_id"] for row in rows[start : start + _PEERS]]
            lost += self._ledger.decide_with(
                peers, partial(_decay, peers=peers, now=now, daily_rate=daily_rate, idle_days=idle_days), "decay"
            )
        return lost


def _charge(book: Book, request: ChargeRequest, now: datetime) -> Charge:
    rows = hold_rows(book.connection, request.hold_ids).values()
    own = [row for row in rows if row["peer_id"] == request.peer_id]
    own = [row for row in own if row["attempt_id"] in (None, request.attempt_id)]  # a hold pays for one attempt
    paid = [row["hold_id"] for row in own if row["status"] == HoldStatus.SETTLED and not row["charged"]]
    if paid:
        book.connection.execute(_MARK_HOLDS, {"ids": paid, "attempt": request.attempt_id, "charged": False})
        return Charge(request.attempt_id, 0, 0, covered=True)
    spent, uncovered = cover(request.amount, book.account(request.peer_id).available)
    if spent:
        book.post(
            [
                make_transaction(
                    transaction_type=TransactionType.SPENT,
                    reason=Reason.LLM_QUERY,
                    peer_id=request.peer_id,
                    amount=-spent,
                    cause_id=str(request.attempt_id),
                    timestamp=now,
                    subject_hash=request.model[:_SUBJECT_CHARS],
                    metadata={"attempt_id": str(request.attempt_id)},
                )
            ]
        )
    book.connection.execute(
        _INSERT_CHARGE,
        {
            "attempt": request.attempt_id,
            "peer": request.peer_id,
            "amount": request.amount,
            "spent": spent,
            "uncovered": uncovered,
            "now": now,
        },
    )
    if own:
        ids = [row["hold_id"] for row in own]
        book.connection.execute(_MARK_HOLDS, {"ids": ids, "attempt": request.attempt_id, "charged": True})
    return Charge(request.attempt_id, spent, uncovered)


def _decay(book: Book, peers: Sequence[str], now: datetime, daily_rate: float, idle_days: int) -> int:
    rows = book.connection.execute(_LAST_ACTIVE, {"peers": list(peers)})
    active = {row.peer_id: row.last_active for row in rows}
    wanted = []
    for peer in peers:
        amount = decay_amount(book.account(peer).available, now - active[peer], daily_rate, idle_days)
        if amount:
            wanted.append(
                make_transaction(
                    transaction_type=TransactionType.ADJUSTMENT,
                    reason=Reason.DECAY,
                    peer_id=peer,
                    amount=-amount,
                    cause_id=f"decay:{now.date().isoformat()}",
                    timestamp=now,
                )
            )
    known = book.decided_ids(wanted)
    return len(book.post([t for t in wanted if t.transaction_id not in known]).new)


_MARK_HOLDS = text(
    "update token_holds set attempt_id = :attempt, charged = charged or :charged where hold_id = any(:ids)"
    " and (attempt_id is null or attempt_id = :attempt)"
)

_READ_CHARGES = text("select attempt_id, spent, uncovered from token_charges where attempt_id = any(:ids)")

_INSERT_CHARGE = text(
    "insert into token_charges (attempt_id, peer_id, amount, spent, uncovered, decided_at)"
    " values (:attempt, :peer, :amount, :spent, :uncovered, :now)"
)

_IDLE_PEERS = "select peer_id from token_accounts where balance > held and last_active < :before order by peer_id"

_LAST_ACTIVE = text("select peer_id, last_active from token_accounts where peer_id = any(:peers)")
