"""Golden states: proven solutions, nominated and approved for reuse (DOMAIN 3.9)."""

from __future__ import annotations

from enum import StrEnum
from typing import Self
from uuid import UUID

from pydantic import Field, model_validator

from debug_loop_pipeline.models.base import FrozenModel, UtcDatetime


class GoldenStatus(StrEnum):
    """State of a golden state."""

    NONE = "none"
    NOMINATED = "nominated"
    APPROVED = "approved"
    REJECTED = "rejected"


class GoldenActionType(StrEnum):
    """What can be done to a golden state."""

    NOMINATE = "nominate"
    APPROVE = "approve"
    REJECT = "reject"
    RECORD_REUSE = "record_reuse"
    UPDATE_QUALITY = "update_quality"


class GoldenAction(FrozenModel):
    """One action. `action_id` names it: the same id again is the same action."""

    action_id: str = Field(min_length=1, max_length=400)
    action: GoldenActionType
    golden_state_id: str
    attempt_id: UUID
    """The proven attempt; for `record_reuse` the attempt that reused it."""
    occurred_at: UtcDatetime
    quality_score: float | None = Field(default=None, ge=0.0, le=1.0)
    """Required for `nominate` and `update_quality`."""
    stf_hash: str | None = None
    """Required for `nominate`."""
    peer_id: str | None = None
    actor: str = "pipeline"
    """Who decided: `pipeline`, or a person."""
    reason: str | None = None

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        scored = (GoldenActionType.NOMINATE, GoldenActionType.UPDATE_QUALITY)
        if self.action in scored and self.quality_score is None:
            raise ValueError(f"{self.action} needs a quality_score")
        if self.action is GoldenActionType.NOMINATE and not self.stf_hash:
            raise ValueError("nominate needs the stf_hash of the attempt's best STF")
        return self


class GoldenState(FrozenModel):
    """One golden state as the fold of its actions."""

    golden_state_id: str
    status: GoldenStatus = GoldenStatus.NONE
    attempt_id: UUID | None = None
    stf_hash: str | None = None
    peer_id: str | None = None
    quality_score: float | None = Field(default=None, ge=0.0, le=1.0)
    reuse_count: int = Field(default=0, ge=0)
    nominated_at: UtcDatetime | None = None
    decided_at: UtcDatetime | None = None
    decided_by: str | None = None
    applied: tuple[str, ...] = ()
    """Ids of the actions folded, in order."""
