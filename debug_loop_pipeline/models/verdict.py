"""A verdict from outside: what CI, a review or a benchmark said about a commit, a pull request or a task."""

from __future__ import annotations

from enum import StrEnum
from typing import Self
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import Field, model_validator

from debug_loop_pipeline.models.base import FrozenModel, UtcDatetime
from debug_loop_pipeline.models.execution import ExecutionError

COMMIT_PREFIX = 7
"""Shortest commit id that names one."""


class VerdictKind(StrEnum):
    """What a verdict speaks of."""

    COMMIT = "commit"
    PULL_REQUEST = "pull_request"
    CORRELATION = "correlation"


class Verdict(FrozenModel):
    """The newest word of one check (`name`) on one subject."""

    kind: VerdictKind
    subject: str = Field(min_length=1, max_length=200)
    """Commit id (at least 7 hex digits), number of the pull request, or correlation id."""
    repository: str | None = Field(default=None, max_length=400)
    """owner/name; None: whichever holds the subject."""
    name: str = Field(min_length=1, max_length=200)
    """Which check: a job of CI, a benchmark. A later verdict of the same check replaces an earlier one."""
    passed: bool
    tests: int | None = Field(default=None, ge=0)
    failures: tuple[ExecutionError, ...] = ()
    """One per failing test, as errors; their places in an attempt are not set."""
    failures_not_kept: int = Field(default=0, ge=0)
    decided_at: UtcDatetime
    recorded_by: str

    @property
    def verdict_id(self) -> UUID:
        """The same for each word of one check on one subject."""
        return uuid5(
            NAMESPACE_URL, f"verdict\x1f{self.kind}\x1f{self.subject}\x1f{self.repository or ''}\x1f{self.name}"
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.passed and self.failures:
            raise ValueError("a verdict that passed has no failing tests")
        return self
