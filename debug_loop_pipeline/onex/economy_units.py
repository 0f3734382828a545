"""The compute units of Part 2: requests, answers and calls."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel

from debug_loop_pipeline.compute import token_spender as spender
from debug_loop_pipeline.compute.code.stf_similarity import shingles
from debug_loop_pipeline.compute.contribution_validator import VALIDATOR_VERSION, validate_contribution
from debug_loop_pipeline.compute.novelty_score import NOVELTY_VERSION, NoveltyIndex, score_novelty
from debug_loop_pipeline.compute.reward_calculator import REWARD_VERSION, calculate_reward
from debug_loop_pipeline.models.base import FrozenModel, UtcDatetime
from debug_loop_pipeline.models.contribution import (
    AttemptFacts,
    CodeSpan,
    Contribution,
    Novelty,
    Reward,
    RewardContext,
    SubjectFacts,
    Validation,
)
from debug_loop_pipeline.models.cost import ModelPrice, TokenBuckets
from debug_loop_pipeline.models.token import Hold, NonNegativeMillitokens, SettleDecision, SpendDecision
from debug_loop_pipeline.onex.compute_units import compute_unit
from debug_loop_pipeline.onex.units import Operation
from debug_loop_pipeline.settings import EconomySettings


class CalculateReward(FrozenModel):
    """An accepted contribution and what was decided before it."""

    contribution: Contribution
    context: RewardContext
    similarity: float | None = Field(default=None, ge=0.0, le=1.0)
    """Of an STF: the highest to any decided earlier."""
    economy: EconomySettings = Field(default_factory=EconomySettings)


class DecidedCode(FrozenModel):
    """Code that was decided earlier."""

    name: str
    """Its hash."""
    code: str
    language: str


class ScoreNovelty(FrozenModel):
    """A piece of code, and all that was decided before it, in that order."""

    code: str
    language: str
    earlier: tuple[DecidedCode, ...] = ()


class DecideSpend(FrozenModel):
    """A request to a model that is to be paid for."""

    operation: Literal["decide_spend"] = "decide_spend"
    provider: str | None = None
    model: str
    tokens: TokenBuckets
    """What it may use at most."""
    at: UtcDatetime
    available: int
    """Millitokens that the peer can spend."""
    prices: tuple[ModelPrice, ...]


class SettleHold(FrozenModel):
    """A hold whose request was answered."""

    operation: Literal["settle"] = "settle"
    hold: Hold
    actual: NonNegativeMillitokens
    available: int
    charged: bool = False


class ReleaseHold(FrozenModel):
    """A hold whose request was not made."""

    operation: Literal["release"] = "release"
    hold: Hold


class ExpireHold(FrozenModel):
    """A hold, and the time it is now."""

    operation: Literal["expire"] = "expire"
    hold: Hold
    now: UtcDatetime


class TokenSpenderRequest(
    RootModel[Annotated[DecideSpend | SettleHold | ReleaseHold | ExpireHold, Field(discriminator="operation")]]
):
    """What TokenSpenderCompute is asked."""


class TokenSpenderAnswer(RootModel[SpendDecision | SettleDecision]):
    """What it answers: a spend decision, or what closing a hold does."""


class DecidedSpan(FrozenModel):
    """Code of the same attempt that was decided as another contribution."""

    span: CodeSpan
    code: str
    language: str


class ValidateContribution(FrozenModel):
    """A contribution and what the store knows of what it names."""

    contribution: Contribution
    attempt: AttemptFacts | None = None
    subject: SubjectFacts | None = None
    decided: tuple[DecidedSpan, ...] = ()
    economy: EconomySettings = Field(default_factory=EconomySettings)


def _reward(_: None, request: CalculateReward) -> Reward:
    return calculate_reward(request.contribution, request.context, request.similarity, request.economy)


def _novelty(_: None, request: ScoreNovelty) -> Novelty:
    index = NoveltyIndex((known.name, shingles(known.code, known.language)) for known in request.earlier)
    return score_novelty(request.code, request.language, index)


def _decide_spend(_: None, request: DecideSpend) -> SpendDecision:
    return spender.decide_spend(
        request.provider, request.model, request.tokens, request.at, request.available, request.prices
    )


def _settle(_: None, request: SettleHold) -> SettleDecision:
    return spender.settle(request.hold, request.actual, request.available, charged=request.charged)


def _release(_: None, request: ReleaseHold) -> SettleDecision:
    return spender.release(request.hold)


def _expire(_: None, request: ExpireHold) -> SettleDecision:
    return spender.expire(request.hold, request.now)


def _validate(_: None, request: ValidateContribution) -> Validation:
    decided = [(known.span, shingles(known.code, known.language)) for known in request.decided]
    return validate_contribution(request.contribution, request.attempt, request.subject, decided, request.economy)


ECONOMY_UNITS = (
    compute_unit(
        "RewardCalculatorCompute",
        "reward_calculator.calculate_reward",
        REWARD_VERSION,
        "Says how many tokens an accepted contribution earns, after every rule and limit.",
        (Operation("calculate", CalculateReward, Reward, _reward),),
    ),
    compute_unit(
        "NoveltyScoreCompute",
        "novelty_score.score_novelty",
        NOVELTY_VERSION,
        "Scores how new a piece of code is: 1 - its similarity to the nearest earlier one.",
        (Operation("score", ScoreNovelty, Novelty, _novelty),),
    ),
    compute_unit(
        "TokenSpenderCompute",
        "token_spender.decide_spend",
        spender.SPENDER_VERSION,
        "Decides whether a request to a model may be paid, and what closing its hold does.",
        (
            Operation("decide_spend", DecideSpend, SpendDecision, _decide_spend),
            Operation("settle", SettleHold, SettleDecision, _settle),
            Operation("release", ReleaseHold, SettleDecision, _release),
            Operation("expire", ExpireHold, SettleDecision, _expire),
        ),
        request=TokenSpenderRequest,
        answer=TokenSpenderAnswer,
    ),
    compute_unit(
        "ContributionValidatorCompute",
        "contribution_validator.validate_contribution",
        VALIDATOR_VERSION,
        "Accepts a contribution, rejects it with every reason, or says what it waits for.",
        (Operation("validate", ValidateContribution, Validation, _validate),),
    ),
)
