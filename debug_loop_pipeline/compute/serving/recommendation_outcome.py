"""What became of the tasks in which something was served (DOMAIN 3.12), and which of them used it. Pure.

Here: which task a serving belongs to, how that task went from there on, whether a function that it was shown is in the code it
wrote. Not here: statistics over tasks (`recommendation_effect`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from debug_loop_pipeline.models.base import Outcome
from debug_loop_pipeline.models.recommendation import Arm, Occasion

OUTCOME_VERSION = "1"


class JoinedBy(StrEnum):
    """What tied a serving to a task, strongest first."""

    TASK = "task"
    REPORT = "report"
    TOOL_CALL = "tool_call"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Serving:
    """One recommendation, shown or held out."""

    recommendation_id: UUID
    session_id: str | None
    tool_call_id: str | None
    correlation_id: UUID | None
    occasion: Occasion
    repository: str | None
    arm: Arm
    served_at: datetime
    stf_hashes: tuple[str, ...] = ()
    golden_state_ids: tuple[str, ...] = ()

    @property
    def drawn_by(self) -> str:
        """What its arm was drawn by."""
        return self.session_id or str(self.correlation_id)


@dataclass(frozen=True, slots=True)
class TaskStep:
    """One attempt as outcomes see it. tool_calls: those of its verifications and errors that somebody asked about."""

    attempt_id: UUID
    correlation_id: UUID
    session_id: str | None
    started_at: datetime
    completed_at: datetime
    outcome: Outcome
    cost_usd: Decimal | None = None
    repository: str | None = None
    recommendation_id: str | None = None
    peer_id: str = ""
    tool_calls: frozenset[str] = frozenset()

    @property
    def order(self) -> tuple[datetime, str]:
        """The order of attempts in a task or session."""
        return self.started_at, str(self.attempt_id)


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """How a task went from its first serving on.

    attempts: up to and with the success that lasted, or all where there is none. cost_usd: of these; None where one has no price.
    """

    correlation_id: UUID
    first: Serving
    joined_by: JoinedBy
    repository: str | None
    recommendations: int
    succeeded: bool
    attempts: int
    cost_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Use:
    """A task that used what it was offered: since which attempt, and how the task went from there on."""

    step: TaskStep
    reported: bool
    outcome: Outcome


def task_of(serving: Serving, steps: Iterable[TaskStep]) -> tuple[UUID, JoinedBy] | None:
    """The task that a serving belongs to: as it was told, else of the attempt that names it, else of the tool call that was asked
    about, else the one on which its session worked next.

    A failure without an attempt after it belongs to the session's last attempt; a prompt without one began a task that nothing is
    known of yet.

    Args:
        serving: what was served.
        steps: attempts of its session and those that name it, in any order.
    """
    if serving.correlation_id is not None:
        return serving.correlation_id, JoinedBy.TASK
    ordered = sorted(steps, key=lambda step: step.order)
    named = next((s for s in ordered if s.recommendation_id == str(serving.recommendation_id)), None)
    if named is not None:
        return named.correlation_id, JoinedBy.REPORT
    of_session = [s for s in ordered if s.session_id is not None and s.session_id == serving.session_id]
    if not of_session:
        return None
    asked = next((s for s in of_session if serving.tool_call_id in s.tool_calls), None)
    if asked is not None:
        return asked.correlation_id, JoinedBy.TOOL_CALL
    going_on = next((s for s in of_session if s.completed_at > serving.served_at), None)
    if going_on is None and serving.occasion is Occasion.PROMPT:
        return None
    return (going_on or of_session[-1]).correlation_id, JoinedBy.SESSION


def steps_after(serving: Serving, steps: Sequence[TaskStep]) -> list[TaskStep]:
    """The attempts of a task, in order, from a serving on.

    That is from the first attempt that names it; else after the one whose tool call was asked about; else those that ended later.
    """
    ordered = sorted(steps, key=lambda step: step.order)
    named = next((n for n, s in enumerate(ordered) if s.recommendation_id == str(serving.recommendation_id)), None)
    if named is not None:
        return ordered[named:]
    asked = next((n for n, s in enumerate(ordered) if serving.tool_call_id in s.tool_calls), None)
    if asked is not None:
        return ordered[asked + 1 :]
    return [step for step in ordered if step.completed_at > serving.served_at]


def lasting_success(outcomes: Sequence[Outcome]) -> int | None:
    """Index of the first success that no failure follows, None where there is none."""
    failed = max((n for n, outcome in enumerate(outcomes) if outcome is Outcome.FAILED), default=-1)
    return next((n for n in range(failed + 1, len(outcomes)) if outcomes[n] is Outcome.SUCCEEDED), None)


def task_outcome(task: UUID, servings: Mapping[Serving, JoinedBy], steps: Sequence[TaskStep]) -> TaskOutcome | None:
    """How a task went from its first serving on; None where nothing in it is part of the experiment.

    Intention to treat: the arm is that of the first serving, whatever the agent made of it.

    Args:
        task: its correlation id.
        servings: what was served in it, and what tied each to it.
        steps: its attempts, in any order.
    """
    drawn = sorted(
        (s for s in servings if s.arm is not Arm.NONE), key=lambda s: (s.served_at, str(s.recommendation_id))
    )
    if not drawn or not steps:
        return None
    first = drawn[0]
    counted = steps_after(first, steps)
    success = lasting_success([step.outcome for step in counted])
    if success is not None:
        counted = counted[: success + 1]
    costs = [step.cost_usd for step in counted if step.cost_usd is not None]
    repositories = [step.repository for step in sorted(steps, key=lambda step: step.order) if step.repository]
    return TaskOutcome(
        correlation_id=task,
        first=first,
        joined_by=servings[first],
        repository=repositories[0] if repositories else first.repository,
        recommendations=len(drawn),
        succeeded=success is not None,
        attempts=len(counted),
        cost_usd=sum(costs, Decimal(0)) if len(costs) == len(counted) else None,
    )


def outcome_since(attempt_id: UUID, steps: Sequence[TaskStep]) -> Outcome:
    """How a task went from one of its attempts on: succeeded where a success lasts, failed where none does and something failed.

    Args:
        attempt_id: where to begin.
        steps: the task's attempts, in any order.
    """
    ordered = sorted(steps, key=lambda step: step.order)
    first = next((n for n, step in enumerate(ordered) if step.attempt_id == attempt_id), len(ordered))
    outcomes = [step.outcome for step in ordered[first:]]
    if lasting_success(outcomes) is not None:
        return Outcome.SUCCEEDED
    return Outcome.FAILED if Outcome.FAILED in outcomes else Outcome.UNKNOWN


def use_of(
    steps: Sequence[TaskStep],
    *,
    shown_at: datetime | None = None,
    reported: Collection[UUID] = (),
    written: Collection[UUID] = (),
) -> Use | None:
    """Whether a task used something that it was offered.

    What is in the code it wrote after it was shown was used, and what an attempt says it used. What the task had written itself
    before is no reuse.

    Args:
        steps: the task's attempts, in any order.
        shown_at: when it was first shown; None where it never was.
        reported: attempts that say they used it.
        written: attempts that wrote it.
    """
    ordered = sorted(steps, key=lambda step: step.order)
    for step in ordered:
        told = step.attempt_id in reported
        if told or (step.attempt_id in written and shown_at is not None and step.completed_at > shown_at):
            return Use(step, told, outcome_since(step.attempt_id, steps))
        if step.attempt_id in written:
            return None
    return None
