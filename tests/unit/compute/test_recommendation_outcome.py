"""Which task a serving belongs to, how the task went from there on, and what counts as a use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from debug_loop_pipeline.compute.serving.recommendation_outcome import (
    JoinedBy,
    Serving,
    TaskStep,
    lasting_success,
    steps_after,
    task_of,
    task_outcome,
    use_of,
)
from debug_loop_pipeline.models.base import Outcome
from debug_loop_pipeline.models.recommendation import Arm, Occasion

START = datetime(2026, 3, 1, tzinfo=UTC)
TASK, OTHER = UUID(int=1), UUID(int=2)
F, S, U = Outcome.FAILED, Outcome.SUCCEEDED, Outcome.UNKNOWN


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def serving(minute: float, **more: object) -> Serving:
    given = {
        "recommendation_id": UUID(int=900),
        "session_id": "session",
        "tool_call_id": None,
        "correlation_id": None,
        "occasion": Occasion.FAILURE,
        "repository": None,
        "arm": Arm.TREATMENT,
        "served_at": at(minute),
    }
    return Serving(**{**given, **more})  # type: ignore[arg-type]


def step(number: int, outcome: Outcome = F, **more: object) -> TaskStep:
    given = {
        "attempt_id": UUID(int=100 + number),
        "correlation_id": TASK,
        "session_id": "session",
        "started_at": at(number),
        "completed_at": at(number + 0.9),
        "outcome": outcome,
        "cost_usd": Decimal(number + 1),
    }
    return TaskStep(**{**given, **more})  # type: ignore[arg-type]


def test_the_strongest_tie_wins() -> None:
    asked, other = step(0, tool_calls=frozenset({"call"})), step(1, correlation_id=OTHER)
    named = step(5, correlation_id=OTHER, session_id=None, recommendation_id=str(UUID(int=900)))
    steps = [named, other, asked]
    assert task_of(serving(0.95, correlation_id=TASK), steps) == (TASK, JoinedBy.TASK)
    assert task_of(serving(0.95, tool_call_id="call"), steps) == (OTHER, JoinedBy.REPORT)
    assert task_of(serving(0.95, tool_call_id="call"), [other, asked]) == (TASK, JoinedBy.TOOL_CALL)
    assert task_of(serving(0.95, tool_call_id="unseen"), [other, asked]) == (OTHER, JoinedBy.SESSION)
    assert task_of(serving(0.5), [other, asked]) == (TASK, JoinedBy.SESSION)
    assert task_of(serving(0.5, session_id="another"), [other, asked]) is None
    assert task_of(serving(0.5, session_id=None), [step(0, session_id=None)]) is None


def test_after_the_last_attempt_a_failure_is_about_it_and_a_prompt_begins_what_is_not_known_yet() -> None:
    assert task_of(serving(9), [step(0), step(1)]) == (TASK, JoinedBy.SESSION)
    assert task_of(serving(9, occasion=Occasion.PROMPT), [step(0), step(1)]) is None


def test_from_there_on_means_after_the_attempt_that_was_asked_about() -> None:
    steps = [step(0), step(1, tool_calls=frozenset({"call"})), step(2), step(3)]
    ids = [
        [s.attempt_id.int - 100 for s in steps_after(one, steps)]
        for one in (
            serving(1.5),  # while attempt 1 runs
            serving(1.95),
            serving(1.5, tool_call_id="call"),  # its failure was seen before the attempt's end was written down
        )
    ]
    assert ids == [[1, 2, 3], [2, 3], [2, 3]]
    told = [*steps[:3], step(3, recommendation_id=str(UUID(int=900)))]
    assert [s.attempt_id.int for s in steps_after(serving(0), told)] == [103]


@pytest.mark.parametrize(
    ("outcomes", "index"),
    [([F, F, S], 2), ([S, F], None), ([F, S, U, S], 1), ([S, F, U, S], 3), ([U, U], None), ([], None)],
)
def test_only_a_success_that_no_failure_follows_counts(outcomes: list[Outcome], index: int | None) -> None:
    assert lasting_success(outcomes) == index


def test_an_outcome_counts_attempts_and_cost_up_to_the_success() -> None:
    steps = [step(0), step(1), step(2, S), step(3, U)]
    found = task_outcome(TASK, {serving(0.95): JoinedBy.SESSION}, steps)
    assert found is not None
    assert (found.succeeded, found.attempts, found.cost_usd) == (True, 2, Decimal(5))
    unpriced = [step(0), step(1, cost_usd=None), step(2, S)]
    found = task_outcome(TASK, {serving(0.95): JoinedBy.SESSION}, unpriced)
    assert found is not None
    assert (found.attempts, found.cost_usd) == (2, None)


def test_a_task_has_the_arm_of_its_first_serving_whatever_came_later() -> None:
    servings = {
        serving(0.2, recommendation_id=UUID(int=1), arm=Arm.NONE): JoinedBy.REPORT,
        serving(0.5, recommendation_id=UUID(int=2), arm=Arm.HOLDOUT): JoinedBy.SESSION,
        serving(2.5, recommendation_id=UUID(int=3), session_id="second"): JoinedBy.TASK,
    }
    found = task_outcome(TASK, servings, [step(0), step(1), step(2, S)])
    assert found is not None
    assert (found.first.arm, found.attempts, found.recommendations) == (Arm.HOLDOUT, 3, 2)
    assert task_outcome(TASK, {}, [step(0)]) is None
    assert task_outcome(TASK, {serving(0): JoinedBy.TASK}, []) is None


def test_a_task_that_was_left_after_the_serving_did_not_succeed() -> None:
    found = task_outcome(TASK, {serving(5): JoinedBy.SESSION}, [step(0), step(1)])
    assert found is not None
    assert (found.succeeded, found.attempts, found.cost_usd) == (False, 0, Decimal(0))


def test_code_written_after_it_was_shown_is_a_use_and_code_from_before_is_not() -> None:
    steps = [step(0), step(1), step(2, S)]
    later, before = steps[1].attempt_id, steps[0].attempt_id
    use = use_of(steps, shown_at=at(0.95), written={later})
    assert use is not None
    assert (use.step.attempt_id, use.reported, use.outcome) == (later, False, S)
    assert use_of(steps, shown_at=at(0.95), written={before, later}) is None
    assert use_of(steps, written={later}) is None
    assert use_of(steps, shown_at=at(0.95)) is None


def test_what_an_attempt_reports_is_a_use_unless_the_task_had_written_it_itself() -> None:
    steps = [step(0), step(1), step(2, F)]
    use = use_of(steps, reported={steps[1].attempt_id}, written={steps[1].attempt_id})
    assert use is not None
    assert (use.reported, use.outcome) == (True, F)
    assert use_of(steps, reported={steps[1].attempt_id}, written={steps[0].attempt_id}) is None
    unknown = use_of([step(0, U)], reported={step(0).attempt_id})
    assert unknown is not None
    assert unknown.outcome is U
