"""Everything that can happen to accounts, in any order, against a model that knows nothing of the ledger's code.

The log is a list in memory, so that it can be repeated and shuffled; PostgreSQL is the real one. The brokers have their
own tests (`test_ledger_brokers`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from debug_loop_pipeline.effects.kafka import PARTITIONS, Batch, Message
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.token_accounts import Authorisation, HoldConflictError, TokenAccountsEffect
from debug_loop_pipeline.effects.token_charges import ChargeRequest, TokenChargesEffect
from debug_loop_pipeline.effects.token_fold import TokenFold
from debug_loop_pipeline.effects.token_ledger import OverdraftError, TokenLedgerEffect
from debug_loop_pipeline.models.token import HoldStatus, SpendDecision, SpendOutcome
from tests.support.ledger import NOW, SCALE, grant

NAMES = ("ann", "bob", "cid")
AMOUNTS = st.integers(min_value=1, max_value=50_000)
PEERS = st.sampled_from(NAMES)
HOLD_SECONDS = 600


class ListLog:
    """A topic as a list per partition. Publishing may repeat and shuffle, as a relay that was killed midway does."""

    topic_id = "list"

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ledger = TokenLedgerEffect(database)
        self.fold = TokenFold(database)
        self.messages: dict[int, list[Message]] = defaultdict(list)
        self.fold.follow(self.topic_id, dict.fromkeys(range(PARTITIONS), 0), (), self.ledger)

    def publish(self, seed: int, *, shuffled: bool, forget: bool) -> None:
        """Append what is unpublished; without `forget` the relay died before it noted that."""
        with self.database.transaction() as connection:
            rows = connection.execute(
                text(
                    "select u.partition, o.peer_id, o.payload from token_unpublished u join token_outbox o using (outbox_id) order by u.outbox_id"
                )
            ).all()
            if forget:
                connection.execute(text("delete from token_unpublished"))
        if shuffled:
            Random(seed).shuffle(rows := list(rows))
        for row in rows:
            self.append(row.partition, row.peer_id.encode(), bytes(row.payload))

    def append(self, partition: int, key: bytes, value: bytes) -> None:
        log = self.messages[partition]
        log.append(Message(partition, key, value, len(log)))

    def deliver(self, partition: int, start: int, size: int) -> None:
        """One batch from `start`, which is right or wrong."""
        messages = self.messages[partition][start : start + size]
        if messages:
            self.fold.apply([Batch(partition, start, start + len(messages), messages)], self.topic_id)

    def deliver_all(self) -> None:
        for partition, offset in self.fold.offsets().items():
            self.deliver(partition, offset, 10**9)


@dataclass
class ModelAccount:
    balance: int = 0
    held: int = 0
    earned: int = 0
    spent: int = 0

    @property
    def available(self) -> int:
        return self.balance - self.held


@dataclass
class ModelHold:
    peer: str
    amount: int
    expires: datetime
    status: str = "open"
    actual: int | None = None
    charged: bool = False
    attempt: UUID | None = None
    request: str = ""


@dataclass
class Model:
    accounts: dict[str, ModelAccount] = field(default_factory=lambda: defaultdict(ModelAccount))
    holds: dict[UUID, ModelHold] = field(default_factory=dict)
    minted: int = 0
    burnt: int = 0

    def expire(self, now: datetime, *peers: str) -> None:
        for hold in self.holds.values():
            if hold.status == "open" and now >= hold.expires and (not peers or hold.peer in peers):
                self.close(hold, "expired")

    def close(self, hold: ModelHold, status: str) -> None:
        if hold.status == "open":
            self.accounts[hold.peer].held -= hold.amount
        hold.status = status

    def pay(self, peer: str, amount: int) -> tuple[int, int]:
        account = self.accounts[peer]
        paid = min(amount, account.available)
        account.balance -= paid
        account.spent += paid
        self.burnt += paid
        return paid, amount - paid


class LedgerMachine(RuleBasedStateMachine):
    log: ListLog  # set by the test

    @initialize()
    def begin(self) -> None:
        self.world = uuid4().hex[:12]
        self.now = NOW
        self.model = Model()
        self.accounts = TokenAccountsEffect(self.log.ledger)
        self.charges = TokenChargesEffect(self.log.ledger)
        self.quarantined = self._quarantined()
        self.forged = 0
        self.granted: list[tuple[str, int, str]] = []

    def name(self, peer: str) -> str:
        return f"{self.world}-{peer}"

    def _quarantined(self) -> int:
        with self.log.database.transaction() as connection:
            return int(connection.execute(text("select count(*) from token_quarantine")).scalar_one())

    # -- decisions -----------------------------------------------------------------------------------------------

    @rule(peer=PEERS, amount=AMOUNTS)
    def earn(self, peer: str, amount: int) -> None:
        cause = uuid4().hex
        self.log.ledger.decide([grant(self.name(peer), amount, cause, self.now)])
        self.granted.append((peer, amount, cause))
        account = self.model.accounts[peer]
        account.balance += amount
        account.earned += amount
        self.model.minted += amount

    @precondition(lambda self: self.granted)
    @rule(data=st.data())
    def earn_again(self, data: st.DataObject) -> None:
        peer, amount, cause = data.draw(st.sampled_from(self.granted))
        decided = self.log.ledger.decide([grant(self.name(peer), amount, cause, self.now)])
        assert not decided.new

    @rule(giver=PEERS, receiver=PEERS, amount=AMOUNTS)
    def transfer(self, giver: str, receiver: str, amount: int) -> None:
        if giver == receiver:
            return
        self.model.expire(self.now, giver, receiver)
        enough = self.model.accounts[giver].available >= amount
        try:
            self.accounts.transfer(self.name(giver), self.name(receiver), amount, uuid4().hex, self.now)
            done = True
        except OverdraftError:
            done = False
            # The holds that were over stay open: the transaction that would have given them back was undone.
        assert done == enough
        if done:
            self.model.accounts[giver].balance -= amount
            self.model.accounts[receiver].balance += amount

    @rule(peer=PEERS, amount=st.integers(min_value=-50_000, max_value=50_000).filter(bool))
    def adjust(self, peer: str, amount: int) -> None:
        self.model.expire(self.now, peer)
        enough = self.model.accounts[peer].available + amount >= 0
        try:
            self.accounts.adjust(self.name(peer), amount, uuid4().hex, by="test", note="", now=self.now)
            done = True
        except OverdraftError:
            done = False
        assert done == enough
        if done:
            self.model.accounts[peer].balance += amount
            self.model.minted += amount

    @rule(peer=PEERS, amount=AMOUNTS)
    def authorise(self, peer: str, amount: int) -> None:
        self.ask(peer, uuid4().hex, amount)

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), amount=AMOUNTS)
    def authorise_again(self, data: st.DataObject, amount: int) -> None:
        """A request whose hold is open is answered alike, one that was settled refused, any other decided anew."""
        hold = self.model.holds[data.draw(st.sampled_from(sorted(self.model.holds)))]
        self.ask(hold.peer, hold.request, amount)

    def ask(self, peer: str, request: str, amount: int) -> None:
        self.model.expire(self.now, peer)

        def decide(available: int) -> SpendDecision:
            enough = amount <= available
            outcome = SpendOutcome.AUTHORISED if enough else SpendOutcome.INSUFFICIENT
            return SpendDecision(outcome=outcome, amount=amount, available=available)

        def authorise() -> Authorisation:
            return self.accounts.authorise(
                self.name(peer), request, decide, model="m", provider=None, now=self.now, ttl_s=HOLD_SECONDS
            )

        known = {key: hold for key, hold in self.model.holds.items() if hold.request == request}
        if any(hold.status == "settled" for hold in known.values()):
            with pytest.raises(HoldConflictError):
                authorise()
            return
        answer = authorise()
        account = self.model.accounts[peer]
        assert answer.decision.available == account.available
        still_open = [key for key, hold in known.items() if hold.status == "open"]
        assert answer.repeated == bool(still_open)
        if still_open:
            assert answer.hold is not None
            assert [answer.hold.hold_id] == still_open
            return
        assert (answer.hold is not None) == (amount <= account.available)
        if answer.hold is not None:
            account.held += amount
            self.model.holds[answer.hold.hold_id] = ModelHold(
                peer, amount, self.now + timedelta(seconds=HOLD_SECONDS), request=request
            )

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), actual=st.integers(min_value=0, max_value=80_000))
    def settle(self, data: st.DataObject, actual: int) -> None:
        """On time, late, above the hold, again, after a charge: whatever the hold is drawn to be."""
        key = data.draw(st.sampled_from(sorted(self.model.holds)))
        hold = self.model.holds[key]
        self.model.expire(self.now, hold.peer)
        if hold.status == "settled":
            assert hold.actual is not None
            actual = hold.actual
        answer = self.accounts.settle(key, actual, self.now)
        assert answer.changed == (hold.status in ("open", "expired"))
        if answer.changed:
            self.model.close(hold, "settled")
            hold.actual = actual
            paid, rest = (0, 0) if hold.charged else self.model.pay(hold.peer, actual)
            assert (answer.hold.spent, answer.hold.uncovered) == (paid, rest)
        assert answer.hold.status == hold.status

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.model.holds)))
        hold = self.model.holds[key]
        self.model.expire(self.now, hold.peer)
        answer = self.accounts.release(key, self.now)
        assert answer.changed == (hold.status == "open")
        if answer.changed:
            self.model.close(hold, "released")
        assert answer.hold.status == hold.status

    @rule(peer=PEERS, amount=st.integers(min_value=0, max_value=80_000), data=st.data())
    def charge_attempt(self, peer: str, amount: int, data: st.DataObject) -> None:
        self.model.expire(self.now, peer)
        mine = sorted(key for key, hold in self.model.holds.items() if hold.peer == peer)
        holds = data.draw(st.lists(st.sampled_from(mine), max_size=2, unique=True)) if mine else []
        request = ChargeRequest(uuid4(), self.name(peer), amount, "m", tuple(holds))
        (charge,) = self.charges.charge_attempts([request], self.now)
        free = [self.model.holds[key] for key in holds if self.model.holds[key].attempt is None]
        settled = [hold for hold in free if hold.status == "settled" and not hold.charged]
        assert charge.covered == bool(settled)
        for hold in settled or free:
            hold.attempt = request.attempt_id
            hold.charged = not settled
        if not settled:
            assert (charge.spent, charge.uncovered) == self.model.pay(peer, amount)
        (again,) = self.charges.charge_attempts([request], self.now)
        assert (again.spent, again.uncovered, again.covered) == (charge.spent, charge.uncovered, charge.covered)

    @rule(seconds=st.integers(min_value=1, max_value=HOLD_SECONDS))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def sweep(self) -> None:
        self.accounts.sweep(self.now)
        self.model.expire(self.now)

    # -- delivery ------------------------------------------------------------------------------------------------

    @rule(seed=st.integers(), shuffled=st.booleans(), forget=st.booleans())
    def publish(self, seed: int, shuffled: bool, forget: bool) -> None:
        self.log.publish(seed, shuffled=shuffled, forget=forget)

    @rule(size=st.integers(min_value=1, max_value=20))
    def deliver(self, size: int) -> None:
        for partition, offset in self.log.fold.offsets().items():
            self.log.deliver(partition, offset, size)

    @rule(back=st.integers(min_value=-3, max_value=20), size=st.integers(min_value=1, max_value=20))
    def deliver_from_elsewhere(self, back: int, size: int) -> None:
        """A second driver that is behind, or ahead: its batch does not begin at the stored offset."""
        for partition, offset in self.log.fold.offsets().items():
            self.log.deliver(partition, max(0, offset - back), size)

    @rule(partition=st.integers(min_value=0, max_value=PARTITIONS - 1), value=st.binary(max_size=40))
    def forge(self, partition: int, value: bytes) -> None:
        self.log.append(partition, b"forged", value)
        self.forged += 1

    @rule(peer=PEERS, partition=st.integers(min_value=0, max_value=PARTITIONS - 1))
    def forge_a_well_formed_one(self, peer: str, partition: int) -> None:
        from debug_loop_pipeline.compute.economy.transaction_id import encode_transaction

        forged = grant(self.name(peer), 1_000_000, None, self.now)
        self.log.append(partition, self.name(peer).encode(), encode_transaction(forged))
        self.forged += 1

    # -- what always holds ---------------------------------------------------------------------------------------

    @invariant()
    def accounts_equal_the_model(self) -> None:
        stored = self.log.ledger.accounts([self.name(peer) for peer in NAMES])
        for peer in NAMES:
            found, wanted = stored.get(self.name(peer)), self.model.accounts[peer]
            got = (found.balance, found.held, found.lifetime_earned, found.lifetime_spent) if found else (0, 0, 0, 0)
            # A hold that is over may still be held: it goes when its account is locked next by a decision that succeeds.
            late = sum(
                hold.amount for hold in self.model.holds.values() if hold.peer == peer and hold.status == "expired"
            )
            assert (got[0], got[2], got[3]) == (wanted.balance, wanted.earned, wanted.spent)
            assert wanted.held <= got[1] <= wanted.held + late
            assert 0 <= got[1] <= got[0]
        assert sum(a.balance for a in stored.values()) == self.model.minted - self.model.burnt

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        self.accounts.sweep(self.now)
        self.model.expire(self.now)
        self.log.publish(1, shuffled=True, forget=True)
        self.log.deliver_all()
        names = [self.name(peer) for peer in NAMES]
        decided = {peer: a for peer, a in self.log.ledger.accounts(names).items() if a.version}
        assert self.log.fold.balances(names) == decided
        for peer in NAMES:
            if (found := decided.get(self.name(peer))) is not None:
                assert (found.balance, found.held) == (
                    self.model.accounts[peer].balance,
                    self.model.accounts[peer].held,
                )
        assert self._quarantined() - self.quarantined == self.forged
        open_holds = {key for key, hold in self.model.holds.items() if hold.status == "open"}
        assert {k for k in self.model.holds if self.accounts.hold(k).status is HoldStatus.OPEN} == open_holds


@pytest.fixture
def log(postgres_url: str) -> Iterator[ListLog]:
    database = Database(postgres_url)
    yield ListLog(database)
    database.close()


def test_no_order_of_decisions_and_deliveries_breaks_an_account(log: ListLog) -> None:
    class Machine(LedgerMachine):
        pass

    Machine.log = log
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=int(10 * SCALE),
            stateful_step_count=35,
            deadline=None,
            derandomize=SCALE == 1,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
