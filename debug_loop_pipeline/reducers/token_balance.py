"""TokenBalanceReducer: transactions folded into balances (DOMAIN 4.2, 4.5).

Belongs here: what a transaction does to an account, and the states of an account. Not here: which transactions are
genuine and which were folded before (the ledger's insert by id says so), or storing anything.

A fold is a sum and a latest, so it gives the same balance in whatever order transactions come; given one twice it
counts it once, and two contents under one id are an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from debug_loop_pipeline.models.intents import Intent, Notify, PersistState
from debug_loop_pipeline.models.token import Balance, TokenTransaction, TransactionType
from debug_loop_pipeline.reducers.machine import IllegalActionError, Reduced, TransitionTable, repeated, transition


class AccountStatus(StrEnum):
    """State of an account; every state can lead to every other but `new`."""

    NEW = "new"
    """No transaction yet."""
    ACTIVE = "active"
    """Something can be spent."""
    EXHAUSTED = "exhausted"
    """Nothing is available, all of it spent or held."""
    OVERDRAWN = "overdrawn"
    """Below zero: not all transactions are folded yet, or the ledger is damaged."""


LEGAL_TRANSITIONS: TransitionTable = frozenset(
    (before.value, action.value, after.value)
    for before in AccountStatus
    for action in TransactionType
    for after in AccountStatus
    if after is not AccountStatus.NEW
)
"""Every (from state, action, to state) that the machine can make: transactions of one account come in any order."""


def account_status(balance: Balance) -> AccountStatus:
    """State of an account with this balance."""
    if balance.version == 0:
        return AccountStatus.NEW
    if min(balance.balance, balance.available, balance.held) < 0:
        return AccountStatus.OVERDRAWN
    return AccountStatus.ACTIVE if balance.available > 0 else AccountStatus.EXHAUSTED


@dataclass(frozen=True, slots=True)
class BalanceDelta:
    """What some transactions of one peer do to its account. Deltas of disjoint transactions add up, in any order."""

    balance: int = 0
    held: int = 0
    earned: int = 0
    spent: int = 0
    count: int = 0
    latest: tuple[datetime, UUID] | None = None
    """(timestamp, transaction id) of the latest."""

    def __add__(self, other: BalanceDelta) -> BalanceDelta:
        latest = max((x for x in (self.latest, other.latest) if x is not None), default=None)
        return BalanceDelta(
            self.balance + other.balance,
            self.held + other.held,
            self.earned + other.earned,
            self.spent + other.spent,
            self.count + other.count,
            latest,
        )


def delta_of(*transactions: TokenTransaction) -> BalanceDelta:
    """What some different transactions of one peer do together.

    Holds and releases change `held` alone, everything else the balance. Rewards and grants count as earned in a
    lifetime, spends as spent; transfers and adjustments as neither.
    """
    balance = held = earned = spent = 0
    latest: tuple[datetime, UUID] | None = None
    for transaction in transactions:
        kind, amount = transaction.transaction_type, transaction.amount
        if kind.moves_balance:
            balance += amount
        else:
            held += amount
        if kind is TransactionType.EARNED or kind is TransactionType.BONUS:
            earned += amount
        elif kind is TransactionType.SPENT:
            spent -= amount
        at = transaction.timestamp
        if latest is None or at > latest[0] or (at == latest[0] and transaction.transaction_id > latest[1]):
            latest = at, transaction.transaction_id
    return BalanceDelta(balance, held, earned, spent, len(transactions), latest)


def apply_delta(balance: Balance, delta: BalanceDelta) -> Balance:
    """The balance with the transactions of a delta folded in; they must be new to it."""
    if delta.count == 0:
        return balance
    known = None
    if balance.last_updated is not None and balance.last_transaction_id is not None:
        known = (balance.last_updated, balance.last_transaction_id)
    latest = max(x for x in (known, delta.latest) if x is not None)
    return Balance(
        peer_id=balance.peer_id,
        balance=balance.balance + delta.balance,
        held=balance.held + delta.held,
        lifetime_earned=balance.lifetime_earned + delta.earned,
        lifetime_spent=balance.lifetime_spent + delta.spent,
        last_transaction_id=latest[1],
        version=balance.version + delta.count,
        last_updated=latest[0],
    )


def deltas_of(transactions: Iterable[TokenTransaction]) -> dict[str, BalanceDelta]:
    """One delta per peer of a batch, each transaction counted once however often it is in the batch.

    Raises:
        IllegalActionError: Two contents under one id.
    """
    seen: dict[UUID, TokenTransaction] = {}
    per_peer: dict[str, list[TokenTransaction]] = {}
    for transaction in transactions:
        if _is_new(seen, transaction):
            seen[transaction.transaction_id] = transaction
            per_peer.setdefault(transaction.peer_id, []).append(transaction)
    return {peer: delta_of(*own) for peer, own in per_peer.items()}


@dataclass(frozen=True, slots=True)
class Account:
    """A balance and the transactions it is the fold of: the state of the machine."""

    balance: Balance
    applied: Mapping[UUID, TokenTransaction] = field(default_factory=dict)

    @property
    def status(self) -> AccountStatus:
        """State of the account."""
        return account_status(self.balance)


class TokenBalanceReducer:
    """The state machine of one account. Stateless itself: the same arguments give the same result."""

    def initial(self, peer_id: str) -> Account:
        """An account without any transaction."""
        return Account(Balance(peer_id=peer_id))

    def reduce(self, state: Account, transaction: TokenTransaction) -> Reduced[Account]:
        """Apply one transaction; one that is known already changes nothing.

        Raises:
            IllegalActionError: It is of another peer, or its id is known with another content.
        """
        status, action = state.status, transaction.transaction_type
        if transaction.peer_id != state.balance.peer_id:
            raise IllegalActionError(status, action, f"it is of {transaction.peer_id}")
        if not _is_new(state.applied, transaction):
            return repeated(state, status, action)
        new = Account(
            apply_delta(state.balance, delta_of(transaction)),
            {**state.applied, transaction.transaction_id: transaction},
        )
        made = transition(LEGAL_TRANSITIONS, status, action, new.status)
        return Reduced(new, _intents(status, new, transaction), made)

    def fold(self, transactions: Iterable[TokenTransaction]) -> dict[str, Balance]:
        """Balances of every peer in some transactions, from nothing, in any order and with any repeats.

        Raises:
            IllegalActionError: Two contents under one id.
        """
        return {peer: apply_delta(Balance(peer_id=peer), delta) for peer, delta in deltas_of(transactions).items()}


def _is_new(seen: Mapping[UUID, TokenTransaction], transaction: TokenTransaction) -> bool:
    known = seen.get(transaction.transaction_id)
    if known is not None and known != transaction:
        raise IllegalActionError(
            "known", transaction.transaction_type, f"id {transaction.transaction_id} has another content"
        )
    return known is None


def _intents(before: AccountStatus, new: Account, transaction: TokenTransaction) -> tuple[Intent, ...]:
    peer, at = new.balance.peer_id, transaction.timestamp
    persist = PersistState(subject_kind="token_balance", subject_id=peer, occurred_at=at)
    if new.status is before:
        return (persist,)
    return persist, Notify(
        subject_kind="token_balance",
        subject_id=peer,
        topic=f"token_balance_{new.status}",
        occurred_at=at,
        details={"balance": new.balance.balance, "held": new.balance.held},
    )
