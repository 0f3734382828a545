"""Loop guard: the same error signature again and again in a task without progress (DOMAIN 3.8, issue B). Pure.

An error is told apart inside a task by signature, subjects and failing test (`error_identity`). It is progress when one of the errors
of the signature is shown no more by a check that would show it, or when such a check fails in fewer places than it ever did since:
another missing name than before is progress, and so is one failing test less. The same failure again is not, whatever was
tried in between.

Here: finding loops in a task as the store knows it, and in the errors that one session asks about. Not here: their cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from debug_loop_pipeline.compute.errors.error_identity import ErrorKey
from debug_loop_pipeline.compute.fixes.task_attempts import TaskAttempt, TaskVerification

STUCK_VERSION = "1"
STUCK_AFTER = 3


@dataclass(frozen=True, slots=True)
class Streak:
    """How often a signature was shown in a row without progress, and which errors of it."""

    keys: frozenset[ErrorKey]
    times: int
    since: datetime


@dataclass(frozen=True, slots=True)
class StuckLoop:
    """A streak in a task.

    attempts: those that showed it, in order, each once; the first one found the error, the others repeated it. stuck_in: the attempt whose
    showing made it stuck. ended: progress was made later.
    """

    signature: str
    first_at: datetime
    stuck_at: datetime
    last_at: datetime
    times: int
    attempts: tuple[UUID, ...]
    stuck_in: UUID
    ended: bool


@dataclass(slots=True)
class _Open:
    """A streak that is being followed."""

    streak: Streak
    last: TaskVerification
    fewest: TaskVerification
    """The check that failed in the fewest places."""
    attempts: list[UUID]
    stuck: TaskVerification | None = None


def next_streak(before: Streak | None, shown: frozenset[ErrorKey], at: datetime) -> Streak:
    """The streak of a signature after it was shown (again): longer, or begun anew where one of its errors is gone."""
    if before is None or before.keys - shown:
        return Streak(shown, 1, at)
    return replace(before, keys=shown, times=before.times + 1)


def stuck_loops(attempts: Sequence[TaskAttempt], *, after: int = STUCK_AFTER) -> list[StuckLoop]:
    """The loops of one task, in the order in which they began.

    Args:
        attempts: of one task, in the order of `task_attempts`.
        after: how often an error is shown before the task counts as stuck.
    """
    followed: dict[str, _Open] = {}
    found: list[tuple[str, _Open, bool]] = []
    for verification in (v for attempt in attempts for v in attempt.verifications if v.decided):
        shown: dict[str, set[ErrorKey]] = {}
        for error in verification.errors:
            if not error.generic:
                shown.setdefault(error.signature, set()).add(error.key)
        for signature, keys in shown.items():
            before = followed.get(signature)
            forward = before is not None and _fails_less(verification, before)
            streak = next_streak(before.streak if before and not forward else None, frozenset(keys), verification.at)
            if before is None or streak.times == 1:
                if before is not None:
                    found.append((signature, before, True))
                before = followed[signature] = _Open(streak, verification, verification, [])
            before.streak, before.last = streak, verification
            if verification.ref.attempt_id not in before.attempts:
                before.attempts.append(verification.ref.attempt_id)
            if streak.times == after:
                before.stuck = verification
        gone = [s for s, one in followed.items() if s not in shown and _shows_it_gone(verification, one)]
        found += [(signature, followed.pop(signature), True) for signature in gone]
    found += [(signature, one, False) for signature, one in followed.items()]
    return sorted(_loops(found), key=lambda loop: (loop.first_at, loop.signature))


def _shows_it_gone(seen: TaskVerification, one: _Open) -> bool:
    return seen.complete and seen.covers(one.last)


def _fails_less(seen: TaskVerification, one: _Open) -> bool:
    """Whether a check that covers the one that failed in the fewest places fails in fewer."""
    return seen.complete and seen.covers(one.fewest) and _failures(seen) < _failures(one.fewest)


def _failures(seen: TaskVerification) -> int:
    failed = seen.verification.failed
    return len(seen.errors) if failed is None else failed


def _loops(found: Iterable[tuple[str, _Open, bool]]) -> Iterable[StuckLoop]:
    for signature, one, ended in found:
        if one.stuck is not None:
            yield StuckLoop(
                signature=signature,
                first_at=one.streak.since,
                stuck_at=one.stuck.at,
                last_at=one.last.at,
                times=one.streak.times,
                attempts=tuple(one.attempts),
                stuck_in=one.stuck.ref.attempt_id,
                ended=ended,
            )
