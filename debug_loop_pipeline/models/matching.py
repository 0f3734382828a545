"""What is matched, how, and what comes of it (DOMAIN 3.6). The index that does it is in compute/matching/tfidf_index.py."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from debug_loop_pipeline.models.base import FrozenModel, UtcDatetime

MATCH_LIMIT_MAX = 20


class MatchOptions(FrozenModel):
    """Thresholds and size of a match."""

    algorithm: Literal["tfidf", "hybrid"] = "tfidf"
    """`hybrid`: the mean of TF-IDF and embedding similarity; the index has to hold vectors."""
    min_quality: float = Field(default=0.7, ge=0.0, le=1.0)
    min_similarity: float = Field(default=0.5, gt=0.0, le=1.0)
    """Above 0: by `tfidf` an STF that shares no word with the problem is no match."""
    limit: int = Field(default=5, ge=1, le=MATCH_LIMIT_MAX)
    similarity_weight: float = Field(default=0.6, ge=0.0, le=1.0)
    quality_weight: float = Field(default=0.4, ge=0.0, le=1.0)
    usage_boost: float = Field(default=1.1, ge=1.0)
    """Factor on the composite of an STF used more than `usage_boost_above` times."""
    usage_boost_above: int = Field(default=10, ge=0)
    category: str | None = None
    """Only STFs of this problem category."""


class MatchCandidate(FrozenModel):
    """One STF as the matcher sees it."""

    stf_id: str = Field(min_length=1, max_length=128)
    """Unique and ASCII (the STF hash): the last tie-breaker."""
    problem_signature: str = ""
    name: str = ""
    description: str = ""
    category: str = "other"
    quality: float = Field(ge=0.0, le=1.0)
    usage_count: int = Field(default=0, ge=0)
    success_rate: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of its reuses that succeeded; 0 where it was never reused."""
    attempt_id: UUID | None = None
    """Attempt of its earliest occurrence."""
    completed_at: UtcDatetime | None = None
    """When that attempt was complete; None never passes a no-look-ahead filter."""


class MatchQuery(FrozenModel):
    """A problem to match. `started_at` set = only STFs of other attempts complete before then (no look-ahead)."""

    problem_signature: str
    attempt_id: UUID | None = None
    started_at: UtcDatetime | None = None


class Match(FrozenModel):
    """One matched STF; `rank` counts from 1."""

    rank: int = Field(ge=1)
    stf_id: str
    similarity: float = Field(ge=0.0, le=1.0)
    composite: float = Field(ge=0.0, le=1.0)
    quality: float
    usage_count: int
    success_rate: float
    category: str
    completed_at: datetime | None = None
