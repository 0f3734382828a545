"""The token economy's vocabulary: transactions, balances, holds and spends (DOMAIN 4.1, 4.2, 4.4, 4.5).

Belongs here: what crosses the ledger's boundaries. Not here: what earns (models/contribution.py), how an id or a digest
is made (compute/economy/transaction_id.py), how a balance is folded (reducers/token_balance.py). Amounts are integers of
millitokens everywhere; 1 token = 1,000 millitokens = 0.001 USD.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from debug_loop_pipeline.models.base import FrozenModel, UtcDatetime

MILLITOKENS_PER_TOKEN = 1_000
MAX_AMOUNT = 10**15
"""Largest amount of one transaction, a billion USD: thousands of them still fit a PostgreSQL bigint."""

Millitokens = Annotated[int, Field(strict=True, ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
"""A signed amount. Strict: a float or a text is an error, never rounded."""
NonNegativeMillitokens = Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT)]
PeerId = Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00]+$")]
"""Name of an account. It is the key on the topic and in the cache."""


class TransactionType(StrEnum):
    """What a transaction does to an account."""

    EARNED = "earned"
    """Mints a reward."""
    SPENT = "spent"
    """Burns what a model's answer cost."""
    TRANSFERRED = "transferred"
    """One side of a transfer: negative at the giver, positive at the receiver."""
    BONUS = "bonus"
    """Mints a grant."""
    HOLD = "hold"
    """Sets something aside: changes `held` only."""
    RELEASE = "release"
    """Gives back what was set aside: changes `held` only."""
    ADJUSTMENT = "adjustment"
    """Corrects, in either direction, or decays."""

    @property
    def moves_balance(self) -> bool:
        """Whether it changes the balance; holds and releases change `held` instead, and conservation leaves them out."""
        return self is not TransactionType.HOLD and self is not TransactionType.RELEASE


class Reason(StrEnum):
    """Why a transaction was made."""

    STF = "stf"
    FIX = "fix"
    GOLDEN_STATE = "golden_state"
    GOLDEN_REUSE = "golden_reuse"
    REUSE = "reuse"
    LLM_QUERY = "llm_query"
    TRANSFER = "transfer"
    GRANT = "grant"
    CORRECTION = "correction"
    DECAY = "decay"


REWARD_REASONS = frozenset({Reason.STF, Reason.FIX, Reason.GOLDEN_STATE, Reason.GOLDEN_REUSE, Reason.REUSE})
"""Reasons of what a contribution earns; each is a kind of contribution too."""

LEGAL_REASONS: dict[TransactionType, frozenset[Reason]] = {
    TransactionType.EARNED: REWARD_REASONS,
    TransactionType.SPENT: frozenset({Reason.LLM_QUERY}),
    TransactionType.TRANSFERRED: frozenset({Reason.TRANSFER}),
    TransactionType.BONUS: frozenset({Reason.GRANT}),
    TransactionType.HOLD: frozenset({Reason.LLM_QUERY}),
    TransactionType.RELEASE: frozenset({Reason.LLM_QUERY}),
    TransactionType.ADJUSTMENT: frozenset({Reason.CORRECTION, Reason.DECAY}),
}
"""Every pair of type and reason there is."""

_POSITIVE = frozenset({TransactionType.EARNED, TransactionType.BONUS, TransactionType.HOLD})
_NEGATIVE = frozenset({TransactionType.SPENT, TransactionType.RELEASE})


class TokenTransaction(FrozenModel):
    """One entry of the ledger, as decided and as it is on `token.transactions.v1` (DOMAIN 4.2). Never changed."""

    transaction_id: UUID
    """UUIDv5 of (type, reason, subject, peer, cause): see `compute.transaction_id`, which makes and checks it."""
    group_id: UUID | None = None
    """Ties the two sides of a transfer, or the release and the spend of a settle."""
    peer_id: PeerId
    transaction_type: TransactionType
    amount: Millitokens
    """Signed: what it adds to the balance, or for a hold (positive) and a release (negative) to `held`. Never 0."""
    reason: Reason
    subject_hash: str = Field(default="", max_length=400)
    """What it is about: STF hash, `signature:resolution`, golden state, model; empty where it is about nothing."""
    cause_id: str = Field(min_length=1, max_length=400)
    """What made it happen, once: a contribution, a hold, an attempt, a request of a person."""
    quality_score: float | None = Field(default=None, ge=0.0, le=1.0)
    novelty_score: float | None = Field(default=None, ge=0.0, le=1.0)
    counterparty_peer_id: PeerId | None = None
    """The other side of a transfer; the peer that reused the work."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    timestamp: UtcDatetime
    """When it was decided."""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        kind = self.transaction_type
        if self.reason not in LEGAL_REASONS[kind]:
            raise ValueError(f"{kind} does not go with the reason {self.reason}")
        if self.amount == 0:
            raise ValueError("a transaction of nothing is none")
        if (kind in _POSITIVE and self.amount < 0) or (kind in _NEGATIVE and self.amount > 0):
            raise ValueError(f"{kind} of {self.amount} has the wrong sign")
        if self.reason is Reason.DECAY and self.amount > 0:
            raise ValueError("decay takes, it does not give")
        if kind is TransactionType.TRANSFERRED:
            if self.group_id is None or self.counterparty_peer_id is None:
                raise ValueError("a side of a transfer names its group and the other peer")
            if self.counterparty_peer_id == self.peer_id:
                raise ValueError("a transfer needs two peers")
        return self


class Balance(FrozenModel):
    """One peer's account as the fold of its transactions (DOMAIN 4.2).

    Sums only, so the order of transactions does not matter. Below zero is possible in a fold that has not seen all of
    them yet; the deciding side and the integrity check forbid it where it counts.
    """

    peer_id: PeerId
    balance: int = Field(default=0, strict=True)
    held: int = Field(default=0, strict=True)
    """Set aside by open holds; inside `balance`."""
    lifetime_earned: int = Field(default=0, ge=0, strict=True)
    """Rewards and grants ever received."""
    lifetime_spent: int = Field(default=0, ge=0, strict=True)
    """Spends ever paid, as a positive number."""
    last_transaction_id: UUID | None = None
    """Of the latest transaction by (timestamp, transaction_id)."""
    version: int = Field(default=0, ge=0, strict=True)
    """Transactions folded. Of two values of one ledger epoch the greater version is the newer."""
    last_updated: UtcDatetime | None = None
    """Timestamp of the latest transaction."""

    @property
    def available(self) -> int:
        """What can be spent: balance less what is held."""
        return self.balance - self.held


class HoldStatus(StrEnum):
    """State of a hold. It leaves `open` once."""

    OPEN = "open"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"


class Hold(FrozenModel):
    """Tokens set aside for one request to a model (DOMAIN 4.4)."""

    hold_id: UUID
    """UUIDv5 of (peer, request id): authorising a request again finds the same hold."""
    peer_id: PeerId
    request_id: str = Field(min_length=1, max_length=400)
    provider: str | None = None
    model: str
    amount: NonNegativeMillitokens
    """0 for a request that costs nothing; then there is no transaction either."""
    status: HoldStatus = HoldStatus.OPEN
    created_at: UtcDatetime
    expires_at: UtcDatetime
    closed_at: UtcDatetime | None = None
    """When it left `open`."""
    settled_at: UtcDatetime | None = None
    """When it was settled, also after its expiry."""
    spent: NonNegativeMillitokens = 0
    uncovered: NonNegativeMillitokens = 0
    """What was used and could not be paid."""
    attempt_id: UUID | None = None
    """The attempt whose priced cost it covers, once known."""

    def expired_at(self, now: UtcDatetime) -> bool:
        """Whether it is open past its time."""
        return self.status is HoldStatus.OPEN and now >= self.expires_at


class SpendOutcome(StrEnum):
    """Answer to an authorisation."""

    AUTHORISED = "authorised"
    INSUFFICIENT = "insufficient"
    UNPRICED = "unpriced"
    """The catalog has no price for the model or a bucket in use: no amount to hold."""


class ModelAdvice(FrozenModel):
    """A model that would cost less for the same tokens."""

    provider: str
    model: str
    cost_usd: Decimal
    amount: NonNegativeMillitokens


class SpendDecision(FrozenModel):
    """Whether a request may go ahead, and what it holds (DOMAIN 4.4)."""

    outcome: SpendOutcome
    amount: NonNegativeMillitokens | None = None
    """What the request costs; None where unpriced."""
    available: int
    """What the peer could spend when it was decided."""
    missing: NonNegativeMillitokens = 0
    """How much is missing, where insufficient."""
    advice: ModelAdvice | None = None
    """Where insufficient: the cheapest catalog model that `available` can pay; None when none can be paid."""
    detail: str = ""
    """Why there is no price."""


class SettleDecision(FrozenModel):
    """What closing a hold does to the account: `release` out of `held`, `spent` out of the balance (DOMAIN 4.4)."""

    status: HoldStatus
    """State of the hold afterwards."""
    release: NonNegativeMillitokens = 0
    spent: NonNegativeMillitokens = 0
    uncovered: NonNegativeMillitokens = 0
    changed: bool
    """False: it was closed before, nothing is written."""
