"""Contributions: what a peer gave that may earn tokens, and what was decided about it (DOMAIN 4.3).

Belongs here: the contribution, the facts it is judged by and the decision. Not here: the rules
(compute/contribution_validator.py, compute/novelty_score.py, compute/reward_calculator.py) or the payment
(models/token.py).
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import Field, model_validator

from debug_loop_pipeline.models.base import EvidenceTier, FrozenModel, Outcome, UtcDatetime
from debug_loop_pipeline.models.token import NonNegativeMillitokens, PeerId, Reason


class ContributionKind(StrEnum):
    """What was given. The value is the reason of the transaction that pays it."""

    STF = "stf"
    FIX = "fix"
    GOLDEN_STATE = "golden_state"
    GOLDEN_REUSE = "golden_reuse"
    REUSE = "reuse"

    @property
    def reason(self) -> Reason:
        """Reason of the transaction."""
        return Reason(self.value)

    @property
    def is_reuse(self) -> bool:
        """Whether another peer's attempt is what earns."""
        return self in (ContributionKind.GOLDEN_REUSE, ContributionKind.REUSE)


class CodeSpan(FrozenModel):
    """Where in an attempt a piece of code is: with peer and attempt the identity of an STF contribution."""

    path: str = Field(default="", max_length=4_096)
    function: str = Field(min_length=1, max_length=1_000)
    """Qualified name: `Owner.name` or `name`."""
    ordinal: int = Field(default=0, ge=0)
    """Number among those of one path and name, in order of lines."""
    start_line: int = Field(default=1, ge=1)
    end_line: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end_line < self.start_line:
            raise ValueError(f"a span ends at line {self.end_line}, before its start at {self.start_line}")
        return self


class Contribution(FrozenModel):
    """One thing a peer gave, before anything is decided about it."""

    contribution_id: UUID
    """Of what was given and by whom (`compute.transaction_id.contribution_id`), never of how it was told."""
    kind: ContributionKind
    peer_id: PeerId
    """Who would earn."""
    attempt_id: UUID
    """The attempt that gave it; for a reuse the attempt that reused."""
    occurred_at: UtcDatetime
    """End of that attempt (of the mapping's or golden state's decision for those kinds)."""
    subject: str = Field(min_length=1, max_length=400)
    """STF hash, `signature:resolution`, or golden state."""
    span: CodeSpan | None = None
    code: str | None = None
    language: str | None = None
    quality_score: float | None = Field(default=None, ge=0.0, le=1.0)
    """Of the STF or the golden state."""
    complexity_score: float | None = Field(default=None, ge=0.0, le=1.0)
    """The STF's quality dimension of that name (DOMAIN 3.5)."""
    used_by_peer_id: PeerId | None = None
    """Of a reuse: who reused."""
    external_id: str | None = Field(default=None, max_length=400)
    """Its id on `contributions.v1`, where it came from outside."""

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind is ContributionKind.STF and (self.span is None or self.code is None or self.language is None):
            raise ValueError("an STF contribution needs its span, code and language")
        if self.kind.is_reuse and self.used_by_peer_id is None:
            raise ValueError(f"a {self.kind} names the peer that reused")
        return self

    @property
    def order(self) -> tuple[object, ...]:
        """Sequence of decisions inside a batch: completed_at, attempt, path, function (DOMAIN 4.3), then the rest."""
        span = self.span or CodeSpan(function="-")
        return (
            self.occurred_at,
            str(self.attempt_id),
            span.path,
            span.function,
            span.ordinal,
            self.kind.value,
            self.subject,
            str(self.contribution_id),
        )


class ContributionEvent(FrozenModel):
    """A contribution from outside the pipeline, as it comes on `contributions.v1` (DOMAIN 4.2)."""

    contribution_id: str = Field(min_length=1, max_length=400)
    peer_id: PeerId
    kind: ContributionKind
    attempt_id: UUID
    code: str | None = None
    language: str | None = None
    path: str = Field(default="", max_length=4_096)
    resolution: str | None = Field(default=None, max_length=400)
    """`signature:resolution` of a fix, golden state, or what was reused."""
    used_by_peer_id: PeerId | None = None
    occurred_at: UtcDatetime

    @model_validator(mode="after")
    def _code_or_resolution(self) -> Self:
        if (self.code is None) == (self.resolution is None):
            raise ValueError("a contribution has either code or a resolution")
        return self


class AttemptFacts(FrozenModel):
    """What the store knows of the attempt that a contribution names."""

    attempt_id: UUID
    peer_id: PeerId
    evidence: EvidenceTier
    outcome: Outcome
    completed_at: UtcDatetime
    """Decides the day of the attempt; what a contribution says of itself does not."""


class SubjectFacts(FrozenModel):
    """What the store knows of the fix, golden state or reused work that a contribution names."""

    owner_peer_id: PeerId | None = None
    """The peer whose change was the first success, the peer of the golden state, or the first writer."""
    ready: bool = False
    """The mapping is confident, the golden state approved; reused work is always ready."""
    suppressed: bool = False
    """A person suppressed it."""
    written: bool | None = None
    """Of an STF: whether its code is in what the attempt wrote; None where that is not known."""
    use_outcome: Outcome | None = None
    """Of a reuse: how the task that used it went from the use on; None where this attempt is not known to have used it."""


class PendingReason(StrEnum):
    """What a contribution waits for."""

    ATTEMPT = "attempt"
    """The attempt is not known (yet)."""
    EVIDENCE = "evidence"
    """The attempt's outcome is not measured."""
    SUBJECT = "subject"
    """The mapping is not confident, or the golden state not approved."""
    SUCCESS = "success"
    """The attempt is not known to have reused it, or its task has had no success since that lasted."""


class RejectReason(StrEnum):
    """Why a contribution is not accepted."""

    FOREIGN_ATTEMPT = "foreign_attempt"
    """The attempt is another peer's, or did not write the code."""
    FOREIGN_SUBJECT = "foreign_subject"
    """The fix, golden state or reused work is another peer's."""
    FAILED = "failed"
    """Code of an attempt that failed."""
    SELF_REUSE = "self_reuse"
    UNPARSABLE = "unparsable"
    TOO_LARGE = "too_large"
    REDACTED = "redacted"
    SUPPRESSED = "suppressed"
    SAME_SPAN = "same_span"
    """These lines were decided before, cut in another way."""


class ValidationVerdict(StrEnum):
    """What validation says."""

    ACCEPTED = "accepted"
    PENDING = "pending"
    """The evidence is not measured yet: asked again when it is."""
    REJECTED = "rejected"


class Validation(FrozenModel):
    """Outcome of validation; every reason is named, not only the first."""

    verdict: ValidationVerdict
    reasons: tuple[RejectReason, ...] = ()
    waits_for: tuple[PendingReason, ...] = ()
    details: tuple[str, ...] = ()
    """The same for people."""

    @model_validator(mode="after")
    def _reasons_where_rejected(self) -> Self:
        if (self.verdict is ValidationVerdict.REJECTED) != bool(self.reasons):
            raise ValueError("exactly a rejection has reasons")
        if self.verdict is ValidationVerdict.PENDING and not self.waits_for:
            raise ValueError("a pending contribution waits for something")
        return self


class Novelty(FrozenModel):
    """1 - the highest similarity to any STF decided earlier (DOMAIN 4.3)."""

    novelty_score: float = Field(ge=0.0, le=1.0)
    similarity: float = Field(ge=0.0, le=1.0)
    nearest: str | None = None
    """Hash of the nearest earlier STF; None where nothing is alike."""
    version: str
    """Of the similarity."""


class DecisionStatus(StrEnum):
    """State of a contribution. Everything but `pending` is final."""

    PENDING = "pending"
    REWARDED = "rewarded"
    UNREWARDED = "unrewarded"
    """Accepted, and worth nothing: of low quality, not new, or its subject has earned all it can."""
    RATE_LIMITED = "rate_limited"
    REJECTED = "rejected"


class RewardContext(FrozenModel):
    """What was decided before and bounds what can be earned now."""

    rewarded_on_attempt_day: int = Field(default=0, ge=0)
    """Rewarded contributions of the peer on the UTC day of the attempt."""
    rewarded_on_decision_day: int = Field(default=0, ge=0)
    """Rewarded contributions of the peer decided on this UTC day."""
    subject_rewarded: bool = False
    """This fix (signature and change), golden state or use (of one work in one task) has been paid before, to whichever peer; or this
    fix was over a limit under another name."""
    golden_reuses_paid: int = Field(default=0, ge=0)
    """Reuses of this golden state paid before."""
    golden_reuse_amount: NonNegativeMillitokens = 0
    """What they paid in all."""


class Reward(FrozenModel):
    """What a contribution earns, and how that came about."""

    status: DecisionStatus
    amount: NonNegativeMillitokens = 0
    base: NonNegativeMillitokens = 0
    explanation: str

    @model_validator(mode="after")
    def _paid_where_rewarded(self) -> Self:
        if (self.status is DecisionStatus.REWARDED) != (self.amount > 0):
            raise ValueError("exactly a rewarded contribution has an amount")
        return self


class ContributionDecision(FrozenModel):
    """The one decision about a contribution, with its inputs; never recomputed."""

    contribution_id: UUID
    status: DecisionStatus
    validation: Validation
    novelty: Novelty | None = None
    context: RewardContext | None = None
    reward: Reward | None = None
    attempt_day: date
    decided_at: UtcDatetime

    @property
    def enters_index(self) -> bool:
        """Whether later code is compared with this: what was accepted, rewarded or not. A rejected claim to another's
        code must not take the novelty from its writer.
        """
        return self.novelty is not None
