"""RewardCalculatorCompute: what a contribution earns (DOMAIN 4.3).

Belongs here: the amounts and the limits that bound them. Not here: whether the contribution is valid
(compute/contribution_validator.py), how new it is (compute/novelty_score.py), who decides when. Scores are exact
decimals as they are written (0.1 is a tenth), every product is exact, and the end is rounded half even, once.
"""

from __future__ import annotations

from fractions import Fraction

from debug_loop_pipeline.models.contribution import (
    Contribution,
    ContributionKind,
    DecisionStatus,
    Reward,
    RewardContext,
)
from debug_loop_pipeline.models.token import MILLITOKENS_PER_TOKEN
from debug_loop_pipeline.settings import EconomySettings

REWARD_VERSION = "2"

_HALF = Fraction(1, 2)
_COMPLEXITY_WEIGHT = Fraction(3, 10)


def stf_reward(
    quality_score: float, novelty_score: float, complexity_score: float, economy: EconomySettings | None = None
) -> int:
    """Millitokens of an STF: base x (0.5 + 0.5 novelty) x (1 + 0.3 complexity score).

    Args:
        quality_score: 0..1, decides the base: 300 tokens from 0.9, 150 from 0.7, 50 from 0.5, else 0.
        novelty_score: 0..1.
        complexity_score: 0..1, the quality dimension of that name.
        economy: Other rewards than the defaults.
    """
    base = stf_base(quality_score, economy or EconomySettings())
    novelty = _HALF + _HALF * exact(novelty_score)
    return round(base * novelty * (1 + _COMPLEXITY_WEIGHT * exact(complexity_score)))


def stf_base(quality_score: float, economy: EconomySettings) -> int:
    """Millitokens that an STF's quality is worth before novelty and complexity."""
    quality = exact(quality_score)
    tokens = next((reward for least, reward in economy.stf_rewards if quality >= exact(least)), 0)
    return tokens * MILLITOKENS_PER_TOKEN


def golden_reward(quality_score: float, economy: EconomySettings | None = None) -> int:
    """Millitokens of an approved golden state: 200 x (1 + max(0, quality - 0.9)) tokens; 0.95 gives 210."""
    economy = economy or EconomySettings()
    above = max(Fraction(0), exact(quality_score) - exact(economy.golden_bonus_above))
    return round(economy.golden_reward * MILLITOKENS_PER_TOKEN * (1 + above))


def golden_reuse_reward(paid: int, paid_amount: int, economy: EconomySettings | None = None) -> int:
    """Millitokens of the next reuse of a golden state: 50, 40, 30, then 20 tokens each, at most 500 in all.

    Args:
        paid: Reuses of it paid before.
        paid_amount: Millitokens they paid in all.
        economy: Other rewards than the defaults.
    """
    economy = economy or EconomySettings()
    steps = economy.golden_reuse_rewards
    left = economy.golden_reuse_limit * MILLITOKENS_PER_TOKEN - paid_amount
    return max(0, min(steps[min(paid, len(steps) - 1)] * MILLITOKENS_PER_TOKEN, left))


def calculate_reward(
    contribution: Contribution,
    context: RewardContext,
    similarity: float | None = None,
    economy: EconomySettings | None = None,
) -> Reward:
    """What an accepted contribution earns, after every rule and limit.

    Args:
        contribution: Accepted by validation. Without a quality it counts as 0, without a complexity score as 0.
        context: What was decided before it.
        similarity: Of an STF: highest to any decided earlier; novelty is 1 - similarity.
        economy: Other rewards and limits than the defaults.

    Raises:
        ValueError: An STF whose similarity is not known.
    """
    economy = economy or EconomySettings()
    amount, base, explanation = _before_limits(contribution, context, similarity, economy)
    if amount == 0:
        return Reward(status=DecisionStatus.UNREWARDED, base=base, explanation=explanation)
    limits = (
        (context.rewarded_on_attempt_day, economy.rewards_per_attempt_day, "the day of the attempt"),
        (context.rewarded_on_decision_day, economy.rewards_per_decision_day, "the day of the decision"),
    )
    for rewarded, most, day in limits:
        if rewarded >= most:
            limited = f"{rewarded} contributions were rewarded on {day}, the most is {most}; worth {explanation}"
            return Reward(status=DecisionStatus.RATE_LIMITED, base=base, explanation=limited)
    return Reward(status=DecisionStatus.REWARDED, amount=amount, base=base, explanation=explanation)


def exact(score: float) -> Fraction:
    """A score as the decimal it is written as, not as the binary fraction next to it."""
    return Fraction(repr(score))


def _before_limits(
    contribution: Contribution, context: RewardContext, similarity: float | None, economy: EconomySettings
) -> tuple[int, int, str]:
    """(amount, base, explanation), in millitokens."""
    quality = contribution.quality_score or 0.0
    match contribution.kind:
        case ContributionKind.STF:
            return _stf(contribution, quality, similarity, economy)
        case _ if context.subject_rewarded:
            return 0, 0, "it has been decided before"
        case ContributionKind.FIX:
            amount = economy.fix_reward * MILLITOKENS_PER_TOKEN
            return amount, amount, "a fix whose mapping is confident"
        case ContributionKind.GOLDEN_STATE:
            base = economy.golden_reward * MILLITOKENS_PER_TOKEN
            return golden_reward(quality, economy), base, f"a golden state of quality {quality}"
        case ContributionKind.GOLDEN_REUSE:
            amount = golden_reuse_reward(context.golden_reuses_paid, context.golden_reuse_amount, economy)
            number = context.golden_reuses_paid + 1
            worth = f"reuse {number} of a golden state" if amount else "the golden state has earned all it can by reuse"
            return amount, amount, worth
        case ContributionKind.REUSE:
            amount = economy.reuse_reward * MILLITOKENS_PER_TOKEN
            return amount, amount, "a use by another peer"


def _stf(
    contribution: Contribution, quality: float, similarity: float | None, economy: EconomySettings
) -> tuple[int, int, str]:
    if similarity is None:
        raise ValueError(f"the similarity of STF contribution {contribution.contribution_id} is not known")
    base = stf_base(quality, economy)
    if similarity >= economy.duplicate_similarity:
        return 0, base, f"not new: similarity {similarity:.3f} to an earlier STF"
    novelty = 1 - exact(similarity)
    complexity = contribution.complexity_score or 0.0
    amount = stf_reward(quality, float(novelty), complexity, economy)
    return amount, base, f"an STF of quality {quality}, novelty {float(novelty):.3f}, complexity score {complexity}"
