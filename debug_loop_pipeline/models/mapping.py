"""Resolutions, what happened to them in tasks, and the mapping from an error to a resolution (DOMAIN 3.8)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self
from uuid import UUID

from pydantic import Field, model_validator

from debug_loop_pipeline.models.base import EvidenceTier, FrozenModel, UtcDatetime
from debug_loop_pipeline.models.errors import Slot


class ResolutionKind(StrEnum):
    """What a change is."""

    EDIT = "edit"
    COMMAND = "command"
    STF = "stf"


class Resolution(FrozenModel):
    """A normalised change. `resolution_id` is the SHA-256 hex of kind and template; the rest is one example of it."""

    resolution_id: str = Field(pattern=r"^[0-9a-f]{64}$")
    kind: ResolutionKind
    template: str
    language: str | None = None
    example_diff: str = ""
    """The whole change it was part of, redacted, at most 2 KB."""
    said: str | None = None
    """The agent's own words before it, at most 200 characters."""
    parts: int = Field(default=1, ge=1)
    """1, or how many parts a change that is only known as a whole has."""
    stf_id: str | None = None
    """Of kind `stf`: the STF that was reused."""


class MappingOutcome(StrEnum):
    """What one task says about a resolution."""

    SUCCESS = "success"
    FAILURE = "failure"


class VerificationRef(FrozenModel):
    """Points at one verification."""

    attempt_id: UUID
    index: int = Field(ge=0)
    """Into the attempt's `verifications`."""
    step: int = Field(ge=0)
    goal: str
    tool_call_id: str | None = None


class MappingDetails(FrozenModel):
    """Why an event is what it is; enough to explain it to a person."""

    failed: VerificationRef
    """The last one that showed the error before the change."""
    gone: VerificationRef | None = None
    """The first covering one without it (a success, or a fix that did not last)."""
    passed: VerificationRef | None = None
    """The covering pass that resolved it (a success)."""
    again: VerificationRef | None = None
    """The one that showed the error again (a failure)."""
    tool_call_ids: tuple[str, ...] = ()
    """The tool calls of the credited parts."""
    example_diff: str = ""
    said: str | None = None
    slots: tuple[Slot, ...] = ()
    came_back: bool = False


class MappingEvent(FrozenModel):
    """One task's word on one (error signature, resolution): the action that the reducer folds."""

    correlation_id: UUID
    signature: str = Field(pattern=r"^[0-9a-f]{64}$")
    resolution_id: str = Field(pattern=r"^[0-9a-f]{64}$")
    outcome: MappingOutcome
    occurred_at: UtcDatetime
    """Time of the verification that decided it."""
    attempt_id: UUID
    evidence: EvidenceTier
    peer_id: str | None = None
    details: MappingDetails | None = None
    """How it is known; folding does not ask for it."""


class TaskWord(NamedTuple):
    """What folding reads of an event, in the order of folding: a popular fix has many thousand events."""

    occurred_at: datetime
    attempt_id: str
    """Ids as text, which sorts as they do."""
    correlation_id: str
    outcome: MappingOutcome
    peer_id: str | None


class MappingState(StrEnum):
    """State of a mapping."""

    NEW = "new"
    TRACKING = "tracking"
    CONFIDENT = "confident"
    DEPRECATED = "deprecated"


class AppliedEvent(FrozenModel):
    """What a mapping remembers of an event it has folded, so that applying it twice changes nothing."""

    correlation_id: UUID
    outcome: MappingOutcome


class ErrorSuccessMapping(FrozenModel):
    """(error signature, resolution) with what the tasks said about it."""

    signature: str = Field(pattern=r"^[0-9a-f]{64}$")
    resolution_id: str = Field(pattern=r"^[0-9a-f]{64}$")
    state: MappingState = MappingState.NEW
    success_count: int = Field(default=0, ge=0)
    failure_count: int = Field(default=0, ge=0)
    confidence: float = Field(default=0.1, ge=0.1, le=1.0)
    wilson_lower_bound: float = Field(default=0.0, ge=0.0, le=1.0)
    first_event_at: UtcDatetime | None = None
    last_event_at: UtcDatetime | None = None
    last_attempt_id: UUID | None = None
    first_success_at: UtcDatetime | None = None
    first_success_attempt_id: UUID | None = None
    first_success_peer_id: str | None = None
    confident_at: UtcDatetime | None = None
    """When it first became confident; it stays when the confidence falls again."""
    applied: tuple[AppliedEvent, ...] = ()
    """In the order of folding."""

    @property
    def recommendable(self) -> bool:
        """Whether it may be served at all."""
        return self.state is not MappingState.DEPRECATED and self.success_count > 0

    @model_validator(mode="after")
    def _counts_are_the_events(self) -> Self:
        if self.success_count + self.failure_count != len(self.applied):
            raise ValueError(f"{self.success_count} + {self.failure_count} events counted, {len(self.applied)} applied")
        return self
