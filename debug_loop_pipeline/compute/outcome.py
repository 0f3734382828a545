"""What an attempt's ending means: its evidence tier and its outcome (DOMAIN section 1). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from debug_loop_pipeline.models.base import EvidenceTier, Origin, Outcome, Status, Verdict
from debug_loop_pipeline.models.execution import ExecutionEvent

_DECIDED = (Verdict.PASS, Verdict.FAIL)


def evidence_tier(event: ExecutionEvent) -> EvidenceTier:
    """The tier the event states, or else what its verifications show.

    A verdict from outside verifies, a verification of its own measures, a success without either was only observed.
    """
    if event.evidence_tier is not None:
        return event.evidence_tier
    decided = [v for v in event.verifications if v.verdict in _DECIDED]
    if any(v.outside for v in decided):
        return EvidenceTier.VERIFIED
    if decided:
        return EvidenceTier.MEASURED
    return EvidenceTier.OBSERVED if event.status is Status.SUCCESS else EvidenceTier.UNMEASURED


def outcome(event: ExecutionEvent, origins: Iterable[Origin]) -> Outcome:
    """Failed, succeeded, cancelled or unknown.

    Args:
        event: the attempt.
        origins: the origin of each of its errors, classified. An attempt whose errors all come from infrastructure did not fail by
            the agent's action, so its outcome is unknown.
    """
    if event.status in (Status.ERROR, Status.TIMEOUT):
        causes = set(origins)
        return Outcome.FAILED if not causes or Origin.AGENT_ACTION in causes else Outcome.UNKNOWN
    if event.status is Status.CANCELLED:
        return Outcome.CANCELLED
    if event.status is Status.SUCCESS and evidence_tier(event).rank >= EvidenceTier.MEASURED.rank:
        return Outcome.SUCCEEDED
    return Outcome.UNKNOWN
