"""What agents ask for, and the record of what they were given (DOMAIN 3.11, 3.12)."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import ConfigDict, Field

from debug_loop_pipeline.models.base import FrozenModel, UtcDatetime


class Arm(StrEnum):
    """Side of the held-out experiment."""

    TREATMENT = "treatment"
    HOLDOUT = "holdout"
    NONE = "none"
    """Neither session nor task is known, so nothing can be drawn or joined."""


class Occasion(StrEnum):
    """What made the agent ask."""

    PROMPT = "prompt"
    FAILURE = "failure"
    REQUEST = "request"
    """It asked by itself: a tool, the Python API, a person."""


class ReportedOutcome(StrEnum):
    """What the agent says about what it was given."""

    HELPED = "helped"
    DID_NOT_HELP = "did_not_help"


class ManifestRequest(FrozenModel):
    """A question to the store. Unknown fields are passed over: an older server answers a newer client."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    request: str | None = None
    """What is to be done, in words."""
    error: str | None = None
    """Error text or tool output."""
    repository: str | None = None
    cwd: str | None = None
    """Tells the repository where none is named."""
    category: str | None = None
    session_id: str | None = Field(default=None, max_length=400)
    tool_call_id: str | None = Field(default=None, max_length=400)
    correlation_id: UUID | None = None
    agent: str | None = Field(default=None, max_length=200)
    occasion: Occasion = Occasion.REQUEST
    functions: int | None = Field(default=None, ge=0, le=20)
    """Functions whose code goes into the text; None takes the setting."""
    with_manifest: bool = False
    """Give the manifest itself beside its text."""
    known_failures: bool = False
    """Tell what went wrong with such requests, in place of solutions."""


class Recommendation(FrozenModel):
    """One answer that had something to say."""

    recommendation_id: UUID
    session_id: str | None = None
    tool_call_id: str | None = None
    correlation_id: UUID | None = None
    agent: str | None = None
    occasion: Occasion
    repository: str | None = None
    arm: Arm
    problem_hash: str | None = None
    error_signature: str | None = None
    stf_hashes: tuple[str, ...] = ()
    mapping_ids: tuple[str, ...] = ()
    golden_state_ids: tuple[str, ...] = ()
    characters: int = Field(ge=0)
    """Length of the text that was, or would have been, shown."""
    served_at: UtcDatetime
