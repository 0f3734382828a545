"""Both orchestrators: from a contribution to a visible balance, from a request to its settlement; failing steps are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from debug_loop_pipeline.compute.token_spender import millitokens
from debug_loop_pipeline.effects.contribution_store import ContributionStore
from debug_loop_pipeline.effects.kafka import Kafka
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.resilience import RetryPolicy
from debug_loop_pipeline.effects.token_ledger import TokenLedgerEffect
from debug_loop_pipeline.models.contribution import Contribution, DecisionStatus
from debug_loop_pipeline.models.cost import TokenBuckets
from debug_loop_pipeline.models.servers import ServerAddresses
from debug_loop_pipeline.models.token import HoldStatus, SpendOutcome
from debug_loop_pipeline.orchestrators.contribution_reward import ContributionRewardOrchestrator
from debug_loop_pipeline.orchestrators.debug_loop_orchestrator import DebugLoopOrchestrator
from debug_loop_pipeline.orchestrators.token_spend import TokenSpendOrchestrator
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ledger import Ledger
from debug_loop_pipeline.steps.model_prices import seed
from tests.support.contributors import unlike, wrote
from tests.support.economy import contribution
from tests.support.ledger import empty_topics, grant, ledger_on

MODEL = "claude-sonnet-4-5"
NO_BROKER = RetryPolicy(attempts=1)
TOKENS = TokenBuckets(tokens_input=10_000, tokens_output=1_000)


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    with closing(Database(postgres_url)) as database:
        seed(database)
        yield database


@pytest.fixture
def context(database: Database) -> StepContext:
    return StepContext(database, Settings(economy_enabled=True))


@pytest.fixture
def ledger(postgres_url: str, kafka: ServerAddresses, valkey_url: str) -> Iterator[Ledger]:
    servers = kafka.kafka_bootstrap_servers or ""
    empty_topics(servers)
    with ledger_on(postgres_url, servers, valkey_url) as ledger:
        yield ledger


def told(context: StepContext, peer: str) -> Contribution:
    """A contribution of an attempt that the store knows and has measured."""
    name = uuid4().hex
    number = int(name[:6], 16)
    event = wrote(name, unlike(number), peer)
    assert not DebugLoopOrchestrator(context).process(event).failed
    assert event.completed_at is not None
    return contribution(
        peer_id=peer, attempt_id=event.attempt_id, occurred_at=event.completed_at, subject=name, code=unlike(number)
    )


def test_a_contribution_becomes_a_visible_balance(context: StepContext, ledger: Ledger) -> None:
    peer = uuid4().hex
    orchestrator = ContributionRewardOrchestrator(context, ledger)
    one = told(context, peer)
    result = orchestrator.process(one)
    assert result.complete, result.outcomes
    assert [o.step for o in result.outcomes] == ["take_in", "decide", "publish", "fold"]
    assert result.decision is not None
    assert result.decision.status is DecisionStatus.REWARDED
    assert result.transaction is not None
    assert result.balance is not None
    assert result.balance.balance == result.transaction.amount > 0
    again = orchestrator.process(one)
    assert again.complete
    assert again.decision is None
    assert again.balance == result.balance


def test_without_a_broker_the_reward_is_decided_and_comes_later(
    context: StepContext, database: Database, ledger: Ledger
) -> None:
    peer = uuid4().hex
    dead = Ledger.of(database, Kafka("127.0.0.1:9", timeout_s=2.0, policy=NO_BROKER), None)
    one = told(context, peer)
    result = ContributionRewardOrchestrator(context, dead).process(one)
    assert [(o.step, o.status) for o in result.outcomes] == [
        ("take_in", "done"),
        ("decide", "done"),
        ("publish", "failed"),
        ("fold", "failed"),
    ]
    assert "no broker listens" in (result.failed[0].error or "")
    assert result.transaction is not None
    later = ContributionRewardOrchestrator(context, ledger).process(one)
    assert later.complete
    assert later.balance is not None
    assert later.balance.balance == result.transaction.amount


def test_a_decision_that_fails_pays_nothing_and_a_retry_pays_once(
    context: StepContext, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last write of the decision fails: accounts, outbox and contribution are as before."""
    peer = uuid4().hex
    one = told(context, peer)
    with monkeypatch.context() as patch:

        def refuse(*_: object) -> None:
            raise ArithmeticError("refused")

        patch.setattr(ContributionStore, "write_decisions", refuse)
        broken = ContributionRewardOrchestrator(context, ledger).process(one)
    assert [o.status for o in broken.outcomes] == ["done", "failed", "skipped", "skipped"]
    assert "ArithmeticError: refused" in (broken.failed[0].error or "")
    assert peer not in ledger.ledger.accounts([peer])
    result = ContributionRewardOrchestrator(context, ledger).process(one)
    assert result.complete
    assert result.balance is not None
    assert result.transaction is not None
    assert (result.balance.balance, result.balance.version) == (result.transaction.amount, 1)


def test_a_request_is_authorised_settled_and_paid(context: StepContext, database: Database) -> None:
    peer = uuid4().hex
    ledger = TokenLedgerEffect(database)
    ledger.decide([grant(peer, 100_000)])
    orchestrator = TokenSpendOrchestrator(context, ledger)
    asked = orchestrator.authorise(peer, "r1", MODEL, TOKENS, provider="anthropic")
    assert asked.complete, asked.outcomes
    assert asked.hold is not None
    assert asked.decision is not None
    # 10,000 x 3 USD + 1,000 x 15 USD per million
    assert asked.hold.amount == millitokens(Decimal("0.045")) == 45_000
    assert orchestrator.authorise(peer, "r1", MODEL, TOKENS, provider="anthropic").hold == asked.hold
    assert ledger.accounts([peer])[peer].available == 55_000
    settled = orchestrator.settle(asked.hold.hold_id, TokenBuckets(tokens_input=5_000, tokens_output=100))
    assert settled.complete, settled.outcomes
    assert settled.hold is not None
    assert (settled.hold.status, settled.hold.spent, settled.hold.uncovered) == (HoldStatus.SETTLED, 16_500, 0)
    account = ledger.accounts([peer])[peer]
    assert (account.balance, account.held) == (83_500, 0)


def test_who_cannot_pay_is_told_which_model_could_be_paid(context: StepContext, database: Database) -> None:
    peer = uuid4().hex
    ledger = TokenLedgerEffect(database)
    ledger.decide([grant(peer, 10_000)])
    orchestrator = TokenSpendOrchestrator(context, ledger)
    answer = orchestrator.authorise(peer, "r1", MODEL, TOKENS, provider="anthropic")
    assert answer.hold is None
    assert answer.decision is not None
    assert answer.decision.outcome is SpendOutcome.INSUFFICIENT
    assert answer.decision.missing == 35_000
    assert answer.decision.advice is not None
    assert answer.decision.advice.amount <= 10_000
    advised = answer.decision.advice
    cheaper = orchestrator.authorise(peer, "r2", advised.model, TOKENS, provider=advised.provider)
    assert cheaper.decision is not None
    assert cheaper.decision.outcome is SpendOutcome.AUTHORISED
    unpriced = orchestrator.authorise(peer, "r3", "no such model", TOKENS)
    assert unpriced.decision is not None
    assert unpriced.decision.outcome is SpendOutcome.UNPRICED


def test_a_hold_that_is_released_or_over_gives_everything_back(context: StepContext, database: Database) -> None:
    peer = uuid4().hex
    ledger = TokenLedgerEffect(database)
    ledger.decide([grant(peer, 50_000)])
    now = [datetime(2026, 4, 1, tzinfo=UTC)]
    orchestrator = TokenSpendOrchestrator(context, ledger, clock=lambda: now[0])
    first = orchestrator.authorise(peer, "r1", MODEL, TOKENS, provider="anthropic").hold
    assert first is not None
    released = orchestrator.release(first.hold_id).hold
    assert released is not None
    assert released.status is HoldStatus.RELEASED
    second = orchestrator.authorise(peer, "r2", MODEL, TOKENS, provider="anthropic").hold
    assert second is not None
    now[0] += timedelta(hours=1)
    third = orchestrator.authorise(peer, "r3", MODEL, TOKENS, provider="anthropic").hold
    assert third is not None  # at this lock of the account the second one, which is over, was given back
    account = ledger.accounts([peer])[peer]
    assert (account.balance, account.held) == (50_000, 45_000)


def test_failing_steps_are_told_and_change_nothing(context: StepContext, database: Database) -> None:
    peer = uuid4().hex
    ledger = TokenLedgerEffect(database, Kafka("127.0.0.1:9", timeout_s=2.0, policy=NO_BROKER))
    ledger.decide([grant(peer, 100_000)])
    orchestrator = TokenSpendOrchestrator(context, ledger, publish=True)
    answer = orchestrator.authorise(peer, "r1", MODEL, TOKENS, provider="anthropic")
    assert [(o.step, o.status) for o in answer.outcomes] == [
        ("price", "done"),
        ("authorise", "done"),
        ("publish", "failed"),
    ]
    assert answer.hold is not None  # decided; published when a broker is there
    unknown = orchestrator.settle(UUID(int=9), TOKENS)
    assert [(o.step, o.status) for o in unknown.outcomes] == [
        ("price", "failed"),
        ("settle", "skipped"),
        ("publish", "skipped"),
    ]
    assert "there is no hold" in (unknown.failed[0].error or "")
    assert ledger.accounts([peer])[peer].held == answer.hold.amount
