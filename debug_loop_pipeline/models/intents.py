"""What a reducer asks an effect to carry out. A reducer itself performs nothing."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from debug_loop_pipeline.models.base import FrozenModel, UtcDatetime

SubjectKind = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]
"""`mapping`, `golden_state`, `token_balance`, or what a generated reducer is about."""


class PersistState(FrozenModel):
    """Write the new state of the subject."""

    intent: Literal["PERSIST_STATE"] = "PERSIST_STATE"
    subject_kind: SubjectKind
    subject_id: str
    occurred_at: UtcDatetime


class Notify(FrozenModel):
    """Tell whoever listens that the subject changed its state."""

    intent: Literal["NOTIFY"] = "NOTIFY"
    subject_kind: SubjectKind
    subject_id: str
    topic: str
    """What happened, such as `mapping_confident` or `golden_state_approved`."""
    occurred_at: UtcDatetime
    details: dict[str, Any] = Field(default_factory=dict)


class GrantReward(FrozenModel):
    """Write a contribution; whether and how much it earns is decided by the token economy."""

    intent: Literal["GRANT_REWARD"] = "GRANT_REWARD"
    kind: Literal["fix", "golden_state", "golden_reuse"]
    subject_id: str
    attempt_id: UUID
    """The attempt that contributed: of the golden state, or of the reuse; of a fix that of the first success, from which the token economy
    finds whose change it was."""
    peer_id: str | None = None
    """Who the reward is for, where the action knows; else the attempt's own peer."""
    occurred_at: UtcDatetime
    details: dict[str, Any] = Field(default_factory=dict)


Intent = Annotated[PersistState | Notify | GrantReward, Field(discriminator="intent")]
