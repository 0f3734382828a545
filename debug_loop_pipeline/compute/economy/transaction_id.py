"""The identities of the ledger: of transactions, holds and contributions, and the digest of a transaction's content.

Belongs here: what makes two of them the same one (DOMAIN 4.2, 4.3). Each id is a UUIDv5 of what it names, so that
deciding the same thing again, in any process and with any later code, finds the first decision. Not here: storing.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson
from pydantic import ValidationError

from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.contribution import CodeSpan, ContributionKind
from debug_loop_pipeline.models.token import Reason, TokenTransaction, TransactionType

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:debug-loop-pipeline:ledger")


class InvalidTransactionError(DebugLoopError, ValueError):
    """Bytes that are no transaction of this ledger. The message says why."""


def transaction_id(
    transaction_type: TransactionType, reason: Reason, subject: str, peer_id: str, cause_id: str
) -> UUID:
    """Id of the one transaction of this type and reason that `cause_id` makes for a peer about a subject."""
    return _id("transaction", transaction_type.value, reason.value, subject, peer_id, cause_id)


def make_transaction(
    *,
    transaction_type: TransactionType,
    reason: Reason,
    peer_id: str,
    amount: int,
    cause_id: str,
    timestamp: datetime,
    subject_hash: str = "",
    group_id: UUID | None = None,
    counterparty_peer_id: str | None = None,
    quality_score: float | None = None,
    novelty_score: float | None = None,
    metadata: dict[str, Any] | None = None,
) -> TokenTransaction:
    """A transaction with the id that its content gives it.

    Raises:
        ValidationError: Type, reason, sign and sides do not go together.
    """
    return TokenTransaction(
        transaction_id=transaction_id(transaction_type, reason, subject_hash, peer_id, cause_id),
        group_id=group_id,
        peer_id=peer_id,
        transaction_type=transaction_type,
        amount=amount,
        reason=reason,
        subject_hash=subject_hash,
        cause_id=cause_id,
        quality_score=quality_score,
        novelty_score=novelty_score,
        counterparty_peer_id=counterparty_peer_id,
        metadata=metadata or {},
        timestamp=timestamp,
    )


def transfer_sides(
    *,
    giver: str,
    receiver: str,
    amount: int,
    cause_id: str,
    timestamp: datetime,
    metadata: dict[str, Any] | None = None,
) -> tuple[TokenTransaction, TokenTransaction]:
    """Both sides of a transfer, the giver's first; their amounts add up to nothing.

    Args:
        giver: Peer that pays.
        receiver: Peer that gets it.
        amount: Positive millitokens.
        cause_id: Id of the request.
        timestamp: When it was decided.
        metadata: Kept with both sides.

    Raises:
        ValueError: The amount is not positive, or both peers are the same.
    """
    if amount <= 0:
        raise ValueError(f"a transfer of {amount} millitokens gives nothing")
    group = _id("transfer", giver, receiver, cause_id)
    sides = ((giver, receiver, -amount), (receiver, giver, amount))
    paid, got = (
        make_transaction(
            transaction_type=TransactionType.TRANSFERRED,
            reason=Reason.TRANSFER,
            peer_id=peer,
            amount=signed,
            cause_id=cause_id,
            timestamp=timestamp,
            group_id=group,
            counterparty_peer_id=other,
            metadata=metadata,
        )
        for peer, other, signed in sides
    )
    return paid, got


def hold_id(peer_id: str, request_id: str, closed: int = 0) -> UUID:
    """Id of the hold of a peer's request.

    Args:
        peer_id: who pays.
        request_id: the peer's own id of the request.
        closed: how many holds of the request were given back or expired before.
    """
    return _id("hold", peer_id, request_id, *([str(closed)] if closed else []))


def contribution_id(
    kind: ContributionKind, peer_id: str, attempt_id: UUID, subject: str, span: CodeSpan | None = None
) -> UUID:
    """Id of what was given, whoever tells it and however the code was read (DOMAIN 4.3).

    An STF is (peer, attempt, code span): path, function and its number among those of one name. Its hash is no part of
    it, nor are its lines, so a new normaliser or extractor finds the contribution that was decided. A fix or golden
    state is (peer, subject), a reuse (peer, what was reused, the attempt that reused it). The peer is always part of
    it: a claim to another's work, which is rejected for good, must not stand in the owner's way.

    Raises:
        ValueError: An STF without a span.
    """
    match kind:
        case ContributionKind.STF:
            if span is None:
                raise ValueError("an STF contribution is identified by its code span")
            return _id(kind.value, peer_id, str(attempt_id), span.path, span.function, str(span.ordinal))
        case ContributionKind.FIX | ContributionKind.GOLDEN_STATE:
            return _id(kind.value, peer_id, subject)
        case ContributionKind.GOLDEN_REUSE | ContributionKind.REUSE:
            return _id(kind.value, peer_id, subject, str(attempt_id))


def encode_transaction(transaction: TokenTransaction) -> bytes:
    """The one form of a transaction on the topic and in the outbox: JSON, sorted keys, times in UTC."""
    return orjson.dumps(transaction.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)


def content_digest(message: bytes) -> str:
    """SHA-256 hex of a message's bytes. Transactions have one form, so equal content has an equal digest."""
    return hashlib.sha256(message).hexdigest()


def decode_transaction(message: bytes) -> TokenTransaction:
    """The transaction in a message from the topic.

    Raises:
        InvalidTransactionError: No transaction, not in its one form, or its id is not that of its content.
    """
    try:
        transaction = TokenTransaction.model_validate_json(message)
    except ValidationError as err:
        first = err.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise InvalidTransactionError(f"{where}: {first['msg']}") from err
    expected = transaction_id(
        transaction.transaction_type,
        transaction.reason,
        transaction.subject_hash,
        transaction.peer_id,
        transaction.cause_id,
    )
    if transaction.transaction_id != expected:
        raise InvalidTransactionError(f"id {transaction.transaction_id} is not that of its content, {expected}")
    if encode_transaction(transaction) != message:
        raise InvalidTransactionError(f"transaction {expected} is not in its one form")
    return transaction


def _id(*parts: str) -> UUID:
    # Lengths keep the parts apart: no text inside one can shift the border to the next.
    return uuid5(_NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts))
