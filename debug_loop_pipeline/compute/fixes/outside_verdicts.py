"""Which attempts a verdict from outside speaks of, and what it makes of them (DOMAIN 1, 3.8 "Credit"). Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from debug_loop_pipeline.compute.fixes.task_attempts import task_attempts
from debug_loop_pipeline.models import base
from debug_loop_pipeline.models.base import EvidenceTier, Status
from debug_loop_pipeline.models.execution import ExecutionError, ExecutionEvent, Verification
from debug_loop_pipeline.models.verdict import COMMIT_PREFIX, Verdict, VerdictKind

APPLIED = "verdicts"
"""Key in an event's metadata: the ids of the verdicts that this revision holds."""

_NUMBER = re.compile(r"(\d+)/?$")


def pull_request_number(told: str | None) -> str | None:
    """The number in `12`, `#12`, `owner/name#12` or a pull request's address."""
    match = _NUMBER.search(told or "")
    return match[1] if match else None


def speaks_of(verdict: Verdict, event: ExecutionEvent) -> bool:
    """Whether a verdict is about an attempt."""
    if verdict.kind is VerdictKind.CORRELATION:
        return str(event.correlation_id) == verdict.subject
    where = event.context
    address = (where.pull_request or "").lower()
    if verdict.repository is not None and where.repository is not None and where.repository != verdict.repository:
        return False
    if verdict.kind is VerdictKind.COMMIT:
        commit = (where.commit or "").lower()
        shorter, longer = sorted((commit, verdict.subject), key=len)
        return len(shorter) >= COMMIT_PREFIX and longer.startswith(shorter)
    if verdict.repository is not None and where.repository is None and "/" in address:
        named = f"/{verdict.repository.lower()}/" in address or address.startswith(f"{verdict.repository.lower()}#")
        if not named:
            return False
    return pull_request_number(where.pull_request) == verdict.subject


def verdicts_by_attempt(
    events: Sequence[ExecutionEvent], verdicts: Iterable[Verdict]
) -> dict[UUID, tuple[Verdict, ...]]:
    """Attempt -> its verdicts, oldest first. A verdict goes to the last attempt it speaks of in each run of each task.

    Args:
        events: the holding revisions of all attempts of some tasks.
        verdicts: those that may speak of them.
    """
    by_id = {event.attempt_id: event for event in events}
    found: dict[UUID, list[Verdict]] = defaultdict(list)
    tasks = task_attempts(events)
    for verdict in sorted(verdicts, key=lambda v: (v.decided_at, str(v.verdict_id))):
        for attempts in tasks.values():
            last = {a.run: a.attempt_id for a in attempts if speaks_of(verdict, by_id[a.attempt_id])}
            for attempt_id in last.values():
                found[attempt_id].append(verdict)
    return {attempt_id: tuple(told) for attempt_id, told in found.items()}


def with_verdicts(event: ExecutionEvent, verdicts: Sequence[Verdict]) -> ExecutionEvent:
    """The attempt with verdicts as its last verifications: evidence `verified`, success where all of them passed.

    Args:
        event: a revision without verdicts of ours.
        verdicts: at least one.
    """
    step = max(
        [
            *(v.step for v in event.verifications),
            *(e.step for e in event.edits),
            *(c.step for c in event.commands),
            *(e.step for e in event.errors),
        ],
        default=0,
    )
    ended = event.completed_at or event.started_at
    verifications, errors = list(event.verifications), list(event.errors)
    for verdict in verdicts:
        index = len(verifications)
        failed = len(verdict.failures) + verdict.failures_not_kept
        verifications.append(
            Verification(
                command=verdict.name,
                goal=verdict.name,
                goal_tool=verdict.name,
                passed=None if verdict.tests is None else max(0, verdict.tests - failed),
                failed=None if verdict.tests is None else failed,
                verdict=base.Verdict.PASS if verdict.passed else base.Verdict.FAIL,
                outside=True,
                step=step,
                at=max(ended, verdict.decided_at),
            )
        )
        shown = verdict.failures or (
            () if verdict.passed else (ExecutionError(message="not resolved", tool=verdict.name),)
        )
        errors += [error.model_copy(update={"step": step, "verification": index}) for error in shown]
    return event.model_copy(
        update={
            "verifications": tuple(verifications),
            "errors": tuple(errors),
            "errors_not_kept": event.errors_not_kept + sum(v.failures_not_kept for v in verdicts),
            "status": Status.SUCCESS if all(v.passed for v in verdicts) else Status.ERROR,
            "evidence_tier": EvidenceTier.VERIFIED,
            "metadata": event.metadata | {APPLIED: [str(v.verdict_id) for v in verdicts]},
        }
    )
