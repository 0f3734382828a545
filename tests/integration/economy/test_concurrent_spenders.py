"""Many at once on the same accounts: exact, never below zero, never stuck."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.token_accounts import (
    Authorisation,
    HoldConflictError,
    TokenAccountsEffect,
    UnknownHoldError,
)
from debug_loop_pipeline.effects.token_ledger import OverdraftError, TokenLedgerEffect, TransactionConflictError
from debug_loop_pipeline.models.token import HoldStatus, SpendDecision, SpendOutcome
from tests.support.ledger import NOW, grant, spend

SPENDERS = 16


@pytest.fixture
def ledger(postgres_url: str) -> Iterator[TokenLedgerEffect]:
    with closing(Database(postgres_url, pool_size=SPENDERS)) as database:
        yield TokenLedgerEffect(database)


def _decide(amount: int, available: int) -> SpendDecision:
    outcome = SpendOutcome.AUTHORISED if amount <= available else SpendOutcome.INSUFFICIENT
    return SpendDecision(outcome=outcome, amount=amount, available=available)


def test_sixteen_spenders_take_exactly_what_is_there(ledger: TokenLedgerEffect) -> None:
    peer = uuid4().hex
    ledger.decide([grant(peer, 100_000)])

    def spender(number: int) -> int:
        draw = random.Random(number)
        spent = 0
        for _ in range(25):
            amount = draw.randint(100, 900)
            try:
                ledger.decide([spend(peer, amount)])
                spent += amount
            except OverdraftError:
                pass
        return spent

    with ThreadPoolExecutor(SPENDERS) as pool:
        spent = sum(pool.map(spender, range(SPENDERS)))
    account = ledger.accounts([peer])[peer]
    assert account.balance == 100_000 - spent
    assert account.lifetime_spent == spent
    assert 0 <= account.balance < 900  # they asked for twice of it: what is left is less than they asked for last


def test_sixteen_holders_hold_settle_and_release_without_losing_a_millitoken(ledger: TokenLedgerEffect) -> None:
    accounts = TokenAccountsEffect(ledger)
    peer = uuid4().hex
    ledger.decide([grant(peer, 50_000)])

    def holder(number: int) -> int:
        draw = random.Random(number)
        spent = 0
        for turn in range(8):
            amount = draw.randint(500, 9_000)
            answer = accounts.authorise(
                peer,
                f"{number}-{turn}",
                lambda available, amount=amount: _decide(amount, available),
                model="m",
                provider=None,
                now=NOW,
                ttl_s=3_600,
            )
            if answer.hold is None:
                continue
            if draw.random() < 0.5:
                spent += accounts.settle(answer.hold.hold_id, draw.randint(0, 2 * amount), NOW).hold.spent
            else:
                accounts.release(answer.hold.hold_id, NOW)
        return spent

    with ThreadPoolExecutor(SPENDERS) as pool:
        spent = sum(pool.map(holder, range(SPENDERS)))
    account = ledger.accounts([peer])[peer]
    assert (account.balance, account.held, account.lifetime_spent) == (50_000 - spent, 0, spent)


def test_transfers_in_circles_end_without_a_deadlock_and_conserve(ledger: TokenLedgerEffect) -> None:
    accounts = TokenAccountsEffect(ledger)
    peers = [uuid4().hex for _ in range(4)]
    ledger.decide([grant(peer, 10_000) for peer in peers])

    def mover(number: int) -> None:
        draw = random.Random(number)
        for turn in range(12):
            giver, receiver = draw.sample(peers, 2)
            with suppress(OverdraftError):
                accounts.transfer(giver, receiver, draw.randint(1, 9_000), f"{number}-{turn}", NOW)

    with ThreadPoolExecutor(SPENDERS) as pool:
        list(pool.map(mover, range(SPENDERS)))
    balances = ledger.accounts(peers)
    assert sum(a.balance for a in balances.values()) == 40_000
    assert min(a.balance for a in balances.values()) >= 0


def test_one_of_many_identical_decisions_counts(ledger: TokenLedgerEffect) -> None:
    peer = uuid4().hex
    same = grant(peer, 700, "one cause")
    with ThreadPoolExecutor(SPENDERS) as pool:
        decided = list(pool.map(lambda _: ledger.decide([same]), range(SPENDERS)))
    assert sum(len(d.new) for d in decided) == 1
    assert ledger.accounts([peer])[peer].balance == 700


def test_a_hold_is_closed_once_however_many_try(ledger: TokenLedgerEffect) -> None:
    accounts = TokenAccountsEffect(ledger)
    peer = uuid4().hex
    ledger.decide([grant(peer, 1_000)])
    hold = accounts.authorise(
        peer, "r", lambda available: _decide(400, available), model="m", provider=None, now=NOW, ttl_s=60
    ).hold
    assert hold is not None

    def close(number: int) -> int:
        if number % 3 == 0:
            return accounts.settle(hold.hold_id, 400, NOW).changed
        if number % 3 == 1:
            return accounts.release(hold.hold_id, NOW).changed
        accounts.sweep(NOW + timedelta(seconds=61))
        return 0

    with ThreadPoolExecutor(SPENDERS) as pool:
        changed = sum(pool.map(close, range(SPENDERS)))
    account = ledger.accounts([peer])[peer]
    settled = accounts.hold(hold.hold_id).status is HoldStatus.SETTLED
    assert changed == 1  # settled (also after it expired) or released; an expired one is settled by the next that tries
    assert (account.held, account.balance) == (0, 600 if settled else 1_000)


def test_the_same_id_with_another_content_is_an_error_and_writes_nothing(ledger: TokenLedgerEffect) -> None:
    peer = uuid4().hex
    ledger.decide([grant(peer, 700, "cause")])
    with pytest.raises(TransactionConflictError, match="another content"):
        ledger.decide([grant(peer, 5), grant(peer, 701, "cause")])
    assert ledger.accounts([peer])[peer].balance == 700
    assert ledger.decide([grant(peer, 700, "cause", NOW + timedelta(days=1))]).new == ()  # later is not otherwise


def test_a_refused_decision_leaves_nothing_behind(ledger: TokenLedgerEffect) -> None:
    peer, other = uuid4().hex, uuid4().hex
    ledger.decide([grant(peer, 700)])
    before = ledger.unpublished()
    with pytest.raises(OverdraftError, match=r"has 0\.700 tokens available, 0\.100 too few"):
        ledger.decide([grant(other, 5), spend(peer, 800)])
    assert ledger.unpublished() == before
    assert ledger.accounts([peer])[peer].version == 1
    assert other not in ledger.accounts([other])


def test_holds_answer_for_themselves(ledger: TokenLedgerEffect) -> None:
    accounts = TokenAccountsEffect(ledger)
    with pytest.raises(UnknownHoldError, match="no hold"):
        accounts.settle(UUID(int=1), 5, NOW)
    peer = uuid4().hex
    ledger.decide([grant(peer, 1_000)])

    def ask(model: str) -> Authorisation:
        return accounts.authorise(
            peer, "r", lambda available: _decide(400, available), model=model, provider=None, now=NOW, ttl_s=60
        )

    first = ask("m")
    again = ask("m")
    assert again.repeated
    assert again.hold == first.hold
    with pytest.raises(HoldConflictError, match="was authorised for m"):
        ask("n")
    accounts.settle(first.hold.hold_id, 300, NOW)
    assert not accounts.settle(first.hold.hold_id, 300, NOW).changed
    with pytest.raises(HoldConflictError, match="settled with 300"):
        accounts.settle(first.hold.hold_id, 301, NOW)
    with pytest.raises(HoldConflictError, match="was settled with hold"):
        ask("m")


def test_a_request_whose_hold_was_given_back_or_expired_is_decided_anew(ledger: TokenLedgerEffect) -> None:
    accounts = TokenAccountsEffect(ledger)
    peer = uuid4().hex
    ledger.decide([grant(peer, 1_000)])

    def ask(seconds: int = 0) -> Authorisation:
        now = NOW + timedelta(seconds=seconds)
        return accounts.authorise(
            peer, "r", lambda available: _decide(400, available), model="m", provider=None, now=now, ttl_s=60
        )

    given_back = ask().hold
    assert given_back is not None
    accounts.release(given_back.hold_id, NOW)
    expired = ask().hold
    assert expired is not None
    assert expired.hold_id != given_back.hold_id
    assert ledger.accounts([peer])[peer].held == 400
    third = ask(61)
    assert (third.repeated, ledger.accounts([peer])[peer].held) == (False, 400)
    assert third.hold is not None
    accounts.release(third.hold.hold_id, NOW + timedelta(seconds=61))
    accounts.adjust(peer, -1_000, "emptied", by="tester", note="", now=NOW)
    assert ask(62).decision.outcome is SpendOutcome.INSUFFICIENT
    assert ask(62).hold is None
