"""The one decision about a contribution: validate, score novelty, reward (DOMAIN 4.3).

Belongs here: the order of the three and what is recorded of them, the same for one contribution in process and for a
batch. Not here: reading the facts, counting what was rewarded before, paying (steps, effects).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from debug_loop_pipeline.compute.code.stf_similarity import Hashes
from debug_loop_pipeline.compute.contribution_validator import validate_contribution
from debug_loop_pipeline.compute.economy.transaction_id import make_transaction
from debug_loop_pipeline.compute.novelty_score import NoveltyIndex, score_novelty
from debug_loop_pipeline.compute.reward_calculator import calculate_reward
from debug_loop_pipeline.models.contribution import (
    AttemptFacts,
    CodeSpan,
    Contribution,
    ContributionDecision,
    ContributionKind,
    DecisionStatus,
    Novelty,
    RewardContext,
    SubjectFacts,
    Validation,
    ValidationVerdict,
)
from debug_loop_pipeline.models.token import TokenTransaction, TransactionType
from debug_loop_pipeline.settings import EconomySettings

ContextOf = Callable[[Contribution, datetime], RewardContext]
"""What was decided before: of the peer on the day of the attempt (its end, as the store knows it) and of today."""


def decide_contribution(
    contribution: Contribution,
    attempt: AttemptFacts | None,
    subject: SubjectFacts | None,
    decided: Sequence[tuple[CodeSpan, Hashes]],
    index: NoveltyIndex,
    context_of: ContextOf,
    decided_at: datetime,
    economy: EconomySettings | None = None,
) -> ContributionDecision:
    """Decide, or say what is waited for. The caller adds what `enters_index` to the index once it is written.

    Args:
        contribution: One whose id has not been decided.
        attempt: As for `validate_contribution`, and so are `subject` and `decided`.
        subject: See there.
        decided: See there.
        index: Every STF decided earlier.
        context_of: Asked only for what was accepted.
        decided_at: Aware time of this decision.
        economy: Other settings than the defaults.
    """
    validation = validate_contribution(contribution, attempt, subject, decided, economy)
    if attempt is None or validation.verdict is not ValidationVerdict.ACCEPTED:
        status = DecisionStatus.REJECTED if validation.verdict is ValidationVerdict.REJECTED else DecisionStatus.PENDING
        return _decision(contribution, status, validation, attempt, decided_at)
    novelty: Novelty | None = None
    if (
        contribution.kind is ContributionKind.STF
        and contribution.code is not None
        and contribution.language is not None
    ):
        novelty = score_novelty(contribution.code, contribution.language, index)
    context = context_of(contribution, attempt.completed_at)
    reward = calculate_reward(contribution, context, novelty.similarity if novelty else None, economy)
    decision = _decision(contribution, reward.status, validation, attempt, decided_at)
    return decision.model_copy(update={"novelty": novelty, "context": context, "reward": reward})


def reward_transaction(contribution: Contribution, decision: ContributionDecision) -> TokenTransaction | None:
    """The transaction that pays a decision; None where it pays nothing."""
    if decision.reward is None or decision.status is not DecisionStatus.REWARDED:
        return None
    return make_transaction(
        transaction_type=TransactionType.EARNED,
        reason=contribution.kind.reason,
        peer_id=contribution.peer_id,
        amount=decision.reward.amount,
        cause_id=str(contribution.contribution_id),
        timestamp=decision.decided_at,
        subject_hash=contribution.subject,
        counterparty_peer_id=contribution.used_by_peer_id,
        quality_score=contribution.quality_score,
        novelty_score=decision.novelty.novelty_score if decision.novelty else None,
        metadata={"attempt_id": str(contribution.attempt_id)},
    )


def _decision(
    contribution: Contribution,
    status: DecisionStatus,
    validation: Validation,
    attempt: AttemptFacts | None,
    decided_at: datetime,
) -> ContributionDecision:
    ended = attempt.completed_at if attempt is not None else contribution.occurred_at
    return ContributionDecision(
        contribution_id=contribution.contribution_id,
        status=status,
        validation=validation,
        attempt_day=ended.astimezone(UTC).date(),
        decided_at=decided_at,
    )
