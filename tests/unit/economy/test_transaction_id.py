"""Identities of the ledger: the same thing decided again has the same id, another one another."""

from __future__ import annotations

from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from debug_loop_pipeline.compute.economy.transaction_id import (
    InvalidTransactionError,
    content_digest,
    contribution_id,
    decode_transaction,
    encode_transaction,
    hold_id,
    make_transaction,
    transaction_id,
    transfer_sides,
)
from debug_loop_pipeline.models.contribution import CodeSpan, ContributionKind
from debug_loop_pipeline.models.token import LEGAL_REASONS, Reason, TokenTransaction, TransactionType
from tests.support.economy import ATTEMPT, START, later, transaction

TEXT = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), min_size=1, max_size=20)


@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(TEXT, TEXT, TEXT))
def test_two_ids_are_equal_exactly_when_what_they_name_is(one: tuple[str, str, str], other: tuple[str, str, str]):
    ids = [transaction_id(TransactionType.EARNED, Reason.STF, *parts) for parts in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)


def test_no_text_moves_the_border_between_two_parts():
    assert hold_id("a", "b1:c") != hold_id("ab", "1:c")
    assert hold_id("a1", "") != hold_id("a", "1")


def test_type_and_reason_are_part_of_the_id():
    ids = {
        transaction_id(kind, reason, "s", "ann", "c") for kind, reasons in LEGAL_REASONS.items() for reason in reasons
    }
    assert len(ids) == sum(len(reasons) for reasons in LEGAL_REASONS.values())


def test_when_it_was_decided_and_how_much_it_was_are_not_part_of_the_id():
    first, again = transaction("earned", 5), transaction("earned", 6, timestamp=later(days=1))
    assert first.transaction_id == again.transaction_id
    assert content_digest(encode_transaction(first)) != content_digest(encode_transaction(again))


def test_the_id_is_the_same_in_every_process_and_release():
    assert transaction_id(TransactionType.EARNED, Reason.STF, "s", "ann", "c") == UUID(
        "bace943c-5efb-584a-b83a-32234e81b3a9"
    )


def test_a_new_normaliser_or_extractor_finds_the_contribution_that_was_decided():
    decided = contribution_id(
        ContributionKind.STF, "ann", ATTEMPT, "old hash", CodeSpan(path="a.py", function="f", start_line=3, end_line=9)
    )
    again = contribution_id(
        ContributionKind.STF, "ann", ATTEMPT, "new hash", CodeSpan(path="a.py", function="f", start_line=1, end_line=9)
    )
    assert decided == again
    second = CodeSpan(path="a.py", function="f", ordinal=1)
    assert contribution_id(ContributionKind.STF, "ann", ATTEMPT, "old hash", second) != decided
    with pytest.raises(ValueError, match="code span"):
        contribution_id(ContributionKind.STF, "ann", ATTEMPT, "hash")


def test_a_fix_is_the_same_whichever_attempt_tells_it_and_a_reuse_is_one_per_attempt():
    other = UUID(int=8)
    for kind, once in (
        (ContributionKind.FIX, True),
        (ContributionKind.GOLDEN_STATE, True),
        (ContributionKind.REUSE, False),
    ):
        assert (contribution_id(kind, "ann", ATTEMPT, "s") == contribution_id(kind, "ann", other, "s")) is once
        assert contribution_id(kind, "ann", ATTEMPT, "s") != contribution_id(kind, "eve", ATTEMPT, "s")


def test_both_sides_of_a_transfer_are_tied_and_add_up_to_nothing():
    paid, got = transfer_sides(giver="ann", receiver="ben", amount=7, cause_id="r1", timestamp=START)
    assert (paid.peer_id, paid.amount, paid.counterparty_peer_id) == ("ann", -7, "ben")
    assert (got.peer_id, got.amount, got.counterparty_peer_id) == ("ben", 7, "ann")
    assert paid.group_id == got.group_id is not None
    assert paid.transaction_id != got.transaction_id


@pytest.mark.parametrize(("receiver", "amount"), [("ann", 5), ("ben", 0), ("ben", -5)])
def test_a_transfer_to_oneself_or_of_nothing_is_refused(receiver: str, amount: int):
    with pytest.raises(ValueError, match=r"two peers|gives nothing"):
        transfer_sides(giver="ann", receiver=receiver, amount=amount, cause_id="r", timestamp=START)


@pytest.mark.parametrize("kind", list(TransactionType))
def test_what_is_encoded_is_decoded_the_same(kind: TransactionType):
    amount = -5 if kind in (TransactionType.SPENT, TransactionType.RELEASE) else 5
    made = transaction(kind.value, amount, metadata={"b": 1, "a": [2.5, None, "ü"]}, quality_score=0.1)
    message = encode_transaction(made)
    assert decode_transaction(message) == made
    assert encode_transaction(decode_transaction(message)) == message


def forged(**changes: object) -> bytes:
    content = orjson.loads(encode_transaction(transaction("earned", 5)))
    return orjson.dumps(content | changes, option=orjson.OPT_SORT_KEYS)


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (b"", "message"),
        (b"[]", "message"),
        (b"\xff", "message"),
        (forged(peer_id="eve"), "not that of its content"),
        (forged(amount=5.0), "not in its one form|amount"),
        (forged(amount=1.5), "amount"),
        (forged(amount="5"), "amount"),
        (forged(amount=0), "of nothing"),
        (forged(amount=-5), "wrong sign"),
        (forged(amount=10**16), "amount"),
        (forged(reason="llm_query"), "does not go with"),
        (forged(timestamp="2026-03-01T09:00:00"), "offset"),
        (forged(extra=1), "extra"),
        (forged(peer_id="a\x00"), "peer_id"),
        (forged() + b" ", "not in its one form"),
    ],
)
def test_a_forged_message_is_refused_with_the_reason(message: bytes, says: str):
    with pytest.raises(InvalidTransactionError, match=says):
        decode_transaction(message)


def test_another_amount_under_the_same_id_has_another_digest():
    assert decode_transaction(forged(amount=6)).transaction_id == transaction("earned", 5).transaction_id
    assert content_digest(forged(amount=6)) != content_digest(forged())


@pytest.mark.parametrize(
    "wrong",
    [
        {"transaction_type": TransactionType.TRANSFERRED, "reason": Reason.TRANSFER, "amount": 5},
        {"transaction_type": TransactionType.SPENT, "reason": Reason.LLM_QUERY, "amount": 5},
        {"transaction_type": TransactionType.HOLD, "reason": Reason.LLM_QUERY, "amount": -5},
        {"transaction_type": TransactionType.ADJUSTMENT, "reason": Reason.DECAY, "amount": 5},
        {"transaction_type": TransactionType.BONUS, "reason": Reason.STF, "amount": 5},
        {"transaction_type": TransactionType.EARNED, "reason": Reason.STF, "amount": True},
    ],
)
def test_a_transaction_that_contradicts_itself_is_refused(wrong: dict):
    with pytest.raises(ValidationError):
        make_transaction(peer_id="ann", cause_id="c", timestamp=START, **wrong)


def test_a_transaction_does_not_change():
    with pytest.raises(ValidationError):
        TokenTransaction.__setattr__(transaction("earned", 5), "amount", 6)
