"""The orchestrators of both parts: what sets them going, and how each of their steps ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, RootModel

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.token_ledger import TokenLedgerEffect
from debug_loop_pipeline.models.base import FrozenModel
from debug_loop_pipeline.models.contribution import Contribution, ContributionDecision
from debug_loop_pipeline.models.cost import TokenBuckets
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.token import Balance, Hold, PeerId, SpendDecision, TokenTransaction
from debug_loop_pipeline.onex.units import Kind, Operation, Performance, Unit
from debug_loop_pipeline.orchestrators.contribution_reward import ContributionRewardOrchestrator
from debug_loop_pipeline.orchestrators.debug_loop_orchestrator import DebugLoopOrchestrator
from debug_loop_pipeline.orchestrators.outcomes import StepOutcome
from debug_loop_pipeline.orchestrators.token_spend import SpendResult, TokenSpendOrchestrator
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ledger import Ledger

_LOOP = Performance(p95_ms=2_000, source="DOMAIN 5: whole debug loop, one attempt, in process")
_VISIBLE = Performance(p95_ms=100, source="DOMAIN 5: transaction -> balance visible")


class Steps(FrozenModel):
    """How the steps ended, in order."""

    outcomes: tuple[StepOutcome, ...]

    @property
    def complete(self) -> bool:
        """Every step was done."""
        return all(outcome.status == "done" for outcome in self.outcomes)


class ProcessAttempt(FrozenModel):
    """One finished attempt."""

    event: ExecutionEvent


class ProcessedAttempt(Steps):
    """What the loop did for it."""

    attempt_id: UUID
    milliseconds: float


class RewardContribution(FrozenModel):
    """One contribution."""

    contribution: Contribution


class RewardedContribution(Steps):
    """What was decided about it, paid and folded."""

    contribution_id: UUID
    decision: ContributionDecision | None
    transaction: TokenTransaction | None
    balance: Balance | None


class AuthoriseSpend(FrozenModel):
    """A request to a model that a peer wants to make."""

    operation: Literal["authorise"] = "authorise"
    peer_id: PeerId
    request_id: str = Field(min_length=1, max_length=400)
    model: str
    tokens: TokenBuckets
    provider: str | None = None


class SettleSpend(FrozenModel):
    """A held request that was answered."""

    operation: Literal["settle"] = "settle"
    hold_id: UUID
    used: TokenBuckets


class ReleaseSpend(FrozenModel):
    """A held request that was not made."""

    operation: Literal["release"] = "release"
    hold_id: UUID


class TokenSpendRequest(
    RootModel[Annotated[AuthoriseSpend | SettleSpend | ReleaseSpend, Field(discriminator="operation")]]
):
    """What TokenSpendOrchestrator is asked."""


class SpentTokens(Steps):
    """The decision and the hold as it is now."""

    decision: SpendDecision | None
    hold: Hold | None


def _loop(loop: DebugLoopOrchestrator, request: ProcessAttempt) -> ProcessedAttempt:
    done = loop.process(request.event)
    return ProcessedAttempt(attempt_id=done.attempt_id, outcomes=tuple(done.outcomes), milliseconds=done.milliseconds)


def _reward(orchestrator: ContributionRewardOrchestrator, request: RewardContribution) -> RewardedContribution:
    done = orchestrator.process(request.contribution)
    return RewardedContribution(
        contribution_id=done.contribution_id,
        decision=done.decision,
        transaction=done.transaction,
        balance=done.balance,
        outcomes=tuple(done.outcomes),
    )


def _authorise(orchestrator: TokenSpendOrchestrator, request: AuthoriseSpend) -> SpentTokens:
    return _spent(
        orchestrator.authorise(
            request.peer_id, request.request_id, request.model, request.tokens, provider=request.provider
        )
    )


def _settle(orchestrator: TokenSpendOrchestrator, request: SettleSpend) -> SpentTokens:
    return _spent(orchestrator.settle(request.hold_id, request.used))


def _release(orchestrator: TokenSpendOrchestrator, request: ReleaseSpend) -> SpentTokens:
    return _spent(orchestrator.release(request.hold_id))


def _spent(done: SpendResult) -> SpentTokens:
    return SpentTokens(decision=done.decision, hold=done.hold, outcomes=tuple(done.outcomes))


def _build_loop(database: Database, settings: Settings) -> DebugLoopOrchestrator:
    return DebugLoopOrchestrator(StepContext(database, settings))


def _build_reward(database: Database, settings: Settings, ledger: Ledger) -> ContributionRewardOrchestrator:
    return ContributionRewardOrchestrator(StepContext(database, settings), ledger)


def _build_spend(database: Database, settings: Settings, ledger: TokenLedgerEffect) -> TokenSpendOrchestrator:
    return TokenSpendOrchestrator(StepContext(database, settings), ledger)


def _unit(
    orchestrator: type,
    purpose: str,
    performance: Performance,
    operations: tuple[Operation, ...],
    request: type[BaseModel],
    needs: tuple[type, ...],
    build: Callable[..., Any],
    steps: tuple[str, ...],
) -> Unit:
    return Unit(
        name=orchestrator.__name__,
        kind=Kind.ORCHESTRATOR,
        purpose=purpose,
        module=orchestrator.__module__,
        entry=orchestrator.__name__,
        version="1.0.0",
        performance=performance,
        operations=operations,
        request=request,
        answer=operations[0].answer,
        needs=needs,
        build=build,
        steps=steps,
    )


ORCHESTRATOR_UNITS = (
    _unit(
        DebugLoopOrchestrator,
        "Runs the whole debug loop for one attempt in process, by the steps that the assets run.",
        _LOOP,
        (Operation("process", ProcessAttempt, ProcessedAttempt, _loop),),
        ProcessAttempt,
        (Database, Settings),
        _build_loop,
        (
            "ingest",
            "attempt",
            "extract_and_hash",
            "score",
            "store",
            "match",
            "cost",
            "error_pattern",
            "mapping",
            "error_cost",
            "stuck",
            "reuse",
            "golden",
        ),
    ),
    _unit(
        ContributionRewardOrchestrator,
        "Takes a contribution from its telling to a visible balance: validated, scored, rewarded, published, folded.",
        _VISIBLE,
        (Operation("process", RewardContribution, RewardedContribution, _reward),),
        RewardContribution,
        (Database, Settings, Ledger),
        _build_reward,
        ("take_in", "decide", "publish", "fold"),
    ),
    _unit(
        TokenSpendOrchestrator,
        "Authorises a request to a model, then settles it or gives its hold back.",
        _VISIBLE,
        (
            Operation("authorise", AuthoriseSpend, SpentTokens, _authorise),
            Operation("settle", SettleSpend, SpentTokens, _settle),
            Operation("release", ReleaseSpend, SpentTokens, _release),
        ),
        TokenSpendRequest,
        (Database, Settings, TokenLedgerEffect),
        _build_spend,
        ("price", "authorise", "settle", "release", "publish"),
    ),
)
