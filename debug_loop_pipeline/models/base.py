"""The base of every boundary model and the enumerations that several models share."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """An immutable boundary model: unknown fields are an error, so that a misspelt one is seen."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)


def _aware_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("time needs an offset (RFC 3339, for example 2026-01-31T12:00:00Z)")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("time is outside of the years 1 to 9999 in UTC") from None


UtcDatetime = Annotated[datetime, AfterValidator(_aware_utc)]


class Status(StrEnum):
    """How an attempt ended, as its source told it."""

    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    PARTIAL = "partial"


class Outcome(StrEnum):
    """What an attempt's ending means (DOMAIN section 1)."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class EvidenceTier(StrEnum):
    """How well an outcome is known, weakest first by `rank`."""

    UNMEASURED = "unmeasured"
    OBSERVED = "observed"
    MEASURED = "measured"
    VERIFIED = "verified"

    @property
    def rank(self) -> int:
        """0 (unmeasured) to 3 (verified)."""
        return _TIER_ORDER.index(self)


_TIER_ORDER = list(EvidenceTier)


class Verdict(StrEnum):
    """What one verification said."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNCLEAR = "unclear"
    CANCELLED = "cancelled"


class Origin(StrEnum):
    """What caused an error; only `agent_action` teaches fixes."""

    AGENT_ACTION = "agent_action"
    AUTH = "auth"
    QUOTA = "quota"
    RATE_LIMIT = "rate_limit"
    CONFIG = "config"
    TRANSIENT = "transient"
    INTERNAL = "internal"
