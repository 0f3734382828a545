"""DOMAIN 4.2, 4.5: a balance is a fold of transactions, in any order, each once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.models.intents import Notify, PersistState
from debug_loop_pipeline.models.token import Balance, TokenTransaction, TransactionType
from debug_loop_pipeline.reducers.machine import IllegalActionError
from debug_loop_pipeline.reducers.token_balance import (
    Account,
    AccountStatus,
    TokenBalanceReducer,
    account_status,
    apply_delta,
    delta_of,
    deltas_of,
)
from tests.support.economy import START, later, transaction

REDUCER = TokenBalanceReducer()


def folded(*transactions: TokenTransaction) -> Balance:
    return REDUCER.fold(transactions)["ann"]


@pytest.mark.parametrize(
    ("kind", "amount", "balance", "held", "earned", "spent"),
    [
        ("earned", 5, 5, 0, 5, 0),
        ("bonus", 5, 5, 0, 5, 0),
        ("spent", -5, -5, 0, 0, 5),
        ("transferred", 5, 5, 0, 0, 0),
        ("transferred", -5, -5, 0, 0, 0),
        ("adjustment", -5, -5, 0, 0, 0),
        ("adjustment", 5, 5, 0, 0, 0),
        ("hold", 5, 0, 5, 0, 0),
        ("release", -5, 0, -5, 0, 0),
    ],
)
def test_what_each_type_does_to_an_account(kind: str, amount: int, balance: int, held: int, earned: int, spent: int):
    found = folded(transaction(kind, amount))
    assert (found.balance, found.held, found.lifetime_earned, found.lifetime_spent) == (balance, held, earned, spent)
    assert (found.version, found.last_updated) == (1, START)


def test_available_is_the_balance_less_what_is_held():
    found = folded(transaction("earned", 100), transaction("hold", 30), transaction("release", -10))
    assert (found.balance, found.held, found.available) == (100, 20, 80)


def test_a_settle_releases_and_spends():
    found = folded(
        transaction("bonus", 100),
        transaction("hold", 30, "h"),
        transaction("release", -30, "h"),
        transaction("spent", -20, "h"),
    )
    assert (found.balance, found.held, found.lifetime_spent, found.version) == (80, 0, 20, 4)


KINDS = {
    TransactionType.EARNED: 1,
    TransactionType.BONUS: 1,
    TransactionType.HOLD: 1,
    TransactionType.SPENT: -1,
    TransactionType.RELEASE: -1,
    TransactionType.TRANSFERRED: 0,
    TransactionType.ADJUSTMENT: 0,
}


@st.composite
def some_transactions(draw: st.DrawFn) -> list[TokenTransaction]:
    made = []
    for cause in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(list(KINDS)))
        sign = KINDS[kind] or draw(st.sampled_from([1, -1]))
        amount = sign * draw(st.integers(1, 10**9))
        at = START + timedelta(seconds=draw(st.integers(0, 3)))
        made.append(transaction(kind.value, amount, str(cause), draw(st.sampled_from(["ann", "ben"])), timestamp=at))
    return made


@given(some_transactions(), st.randoms(use_true_random=False))
def test_order_and_repeats_change_nothing(made: list[TokenTransaction], random):
    again = made + random.choices(made, k=len(made)) if made else []
    random.shuffle(again)
    assert REDUCER.fold(again) == REDUCER.fold(made)


@given(some_transactions())
def test_the_fold_is_the_plain_sum(made: list[TokenTransaction]):
    for peer, balance in REDUCER.fold(made).items():
        own = [t for t in made if t.peer_id == peer]
        moving = [t for t in own if t.transaction_type not in (TransactionType.HOLD, TransactionType.RELEASE)]
        assert balance.balance == sum(t.amount for t in moving)
        assert balance.held == sum(t.amount for t in own) - balance.balance
        assert balance.version == len(own)
        last = max(own, key=lambda t: (t.timestamp, t.transaction_id))
        assert (balance.last_transaction_id, balance.last_updated) == (last.transaction_id, last.timestamp)


@given(some_transactions(), st.integers(0, 12))
def test_one_by_one_in_two_batches_or_at_once_is_the_same(made: list[TokenTransaction], cut: int):
    accounts: dict[str, Account] = {}
    for one in made:
        state = accounts.get(one.peer_id, REDUCER.initial(one.peer_id))
        accounts[one.peer_id] = REDUCER.reduce(state, one).state
    batches: dict[str, Balance] = {}
    for batch in (made[:cut], made[cut:]):
        for peer, delta in deltas_of(batch).items():
            batches[peer] = apply_delta(batches.get(peer, Balance(peer_id=peer)), delta)
    at_once = REDUCER.fold(made)
    assert {peer: account.balance for peer, account in accounts.items()} == at_once == batches


@given(some_transactions())
def test_deltas_of_both_sides_of_every_split_add_up(made: list[TokenTransaction]):
    own = [delta_of(one) for one in made]
    for cut in range(1, len(own)):
        left, right = own[0], own[cut]
        for delta in own[1:cut]:
            left += delta
        for delta in own[cut + 1 :]:
            right += delta
        assert left + right == right + left


def test_a_transaction_applied_twice_changes_nothing_and_asks_for_nothing():
    one = transaction("earned", 5)
    first = REDUCER.reduce(REDUCER.initial("ann"), one)
    again = REDUCER.reduce(first.state, one)
    assert first.applied
    assert not again.applied
    assert (again.state, again.intents, again.transition.changed) == (first.state, (), False)


def test_one_object_twice_in_a_batch_counts_once():
    one = transaction("earned", 5)
    assert folded(one, one).balance == 5


def test_two_contents_under_one_id_are_an_error():
    one, other = transaction("earned", 5), transaction("earned", 6)
    with pytest.raises(IllegalActionError, match="another content"):
        folded(one, other)
    with pytest.raises(IllegalActionError, match="another content"):
        REDUCER.reduce(REDUCER.reduce(REDUCER.initial("ann"), one).state, other)


def test_another_peers_transaction_is_illegal():
    with pytest.raises(IllegalActionError, match="it is of eve"):
        REDUCER.reduce(REDUCER.initial("ann"), transaction("earned", 5, peer="eve"))


def test_an_account_goes_from_new_over_active_to_exhausted_and_overdrawn():
    steps = [
        ("earned", 100, "active"),
        ("hold", 100, "exhausted"),
        ("spent", -60, "overdrawn"),
        ("release", -100, "active"),
        ("spent", -40, "exhausted"),
    ]
    state = REDUCER.initial("ann")
    assert state.status is AccountStatus.NEW
    seen = []
    for number, (kind, amount, _) in enumerate(steps):
        reduced = REDUCER.reduce(state, transaction(kind, amount, str(number), timestamp=later(minutes=number)))
        assert reduced.transition.from_state == state.status
        seen.append(reduced.transition.to_state)
        state = reduced.state
    assert seen == [status for *_, status in steps]
    assert account_status(folded(transaction("release", -5))) is AccountStatus.OVERDRAWN


def test_a_change_of_state_is_told_and_every_change_is_persisted():
    first = REDUCER.reduce(REDUCER.initial("ann"), transaction("earned", 5, "a"))
    assert [type(intent) for intent in first.intents] == [PersistState, Notify]
    assert first.intents[1].topic == "token_balance_active"  # type: ignore[union-attr]
    second = REDUCER.reduce(first.state, transaction("earned", 5, "b"))
    assert [type(intent) for intent in second.intents] == [PersistState]


def test_the_state_before_is_left_as_it_was():
    before = REDUCER.reduce(REDUCER.initial("ann"), transaction("earned", 5, "a")).state
    REDUCER.reduce(before, transaction("earned", 5, "b"))
    assert (before.balance.balance, len(before.applied)) == (5, 1)
