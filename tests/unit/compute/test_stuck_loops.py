"""The same error again and again is a loop; each step forward ends it."""

from __future__ import annotations

from uuid import UUID

from debug_loop_pipeline.compute.errors.error_identity import ErrorKey
from debug_loop_pipeline.compute.fixes.task_attempts import task_attempts
from debug_loop_pipeline.compute.serving.stuck_loops import StuckLoop, next_streak, stuck_loops
from debug_loop_pipeline.models.base import Verdict
from debug_loop_pipeline.models.execution import ExecutionError
from tests.unit.credit_events import START, Task

NAME = "KeyError: 'name'"


def loops(task: Task, after: int = 3) -> list[StuckLoop]:
    return stuck_loops(task_attempts(task.events)[task.task], after=after)


def failing(test: str) -> ExecutionError:
    return ExecutionError(type="AssertionError", message=f"AssertionError: {test} is wrong", test=test)


def test_three_times_the_same_error_is_stuck_and_twice_is_not() -> None:
    task = Task().verify("a", NAME).edit().verify("b", NAME)
    assert loops(task) == []
    task.edit().verify("c", NAME).edit().verify("d", NAME)
    (loop,) = loops(task)
    assert (loop.times, loop.ended, len(loop.attempts)) == (4, False, 4)
    assert loop.stuck_in == task.events[2].attempt_id
    assert (loop.first_at, loop.stuck_at, loop.last_at) == tuple(task.events[n].completed_at for n in (0, 2, 3))


def test_a_rerun_without_a_change_counts() -> None:
    assert len(loops(Task().verify("a", NAME).verify("b", NAME).verify("c", NAME))) == 1


def test_another_missing_name_each_time_is_progress() -> None:
    task = Task()
    for name in ("one", "two", "three", "four"):
        task.verify(name, f"KeyError: '{name}'").edit()
    assert loops(task) == []


def test_one_error_less_each_time_is_progress_and_more_of_them_is_not() -> None:
    task = Task()
    for tests in (("a", "b", "c"), ("a", "b"), ("a",)):
        task.verify("run", *(failing(test) for test in tests)).edit()
    assert loops(task) == []
    more = Task()
    for tests in (("a",), ("a", "b"), ("a", "b", "c")):
        more.verify("run", *(failing(test) for test in tests)).edit()
    assert [loop.times for loop in loops(more)] == [3]


def test_an_error_that_a_covering_check_does_not_show_is_gone() -> None:
    task = Task().verify("a", NAME).edit().verify("b", NAME).edit().verify("c", "ValueError: bad").edit()
    assert loops(task.verify("d", NAME)) == []
    ended = Task().verify("a", NAME).edit().verify("b", NAME).edit().verify("c", NAME).edit().verify("d")
    (loop,) = loops(ended)
    assert (loop.ended, loop.times) == (True, 3)


def test_a_check_of_something_else_or_one_that_says_nothing_ends_no_loop() -> None:
    task = Task().verify("a", NAME, target=("tests/test_a.py",)).edit()
    task.verify("b", target=("tests/test_b.py",)).verify("c", NAME, target=("tests/test_a.py",)).edit()
    task.verify("d", verdict=Verdict.UNCLEAR).verify("e", NAME, target=("tests/test_a.py",))
    (loop,) = loops(task)
    assert loop.times == 3


def test_two_loops_of_one_error_are_told_apart() -> None:
    task = Task()
    for _ in range(2):
        for call in "abc":
            task.verify(call, NAME).edit()
        task.verify("pass").edit()
    assert [(loop.times, loop.ended) for loop in loops(task)] == [(3, True), (3, True)]


def test_other_errors_in_between_do_not_hide_the_one_that_stays() -> None:
    task = Task()
    for other in "abc":
        task.verify(other, NAME, failing(other)).edit()
    assert [loop.times for loop in loops(task)] == [3]


def test_a_streak_begins_anew_when_one_of_its_errors_is_gone() -> None:
    one: ErrorKey = ("s", ("a",), "")
    two: ErrorKey = ("s", ("b",), "")
    streak = next_streak(None, frozenset({one}), START)
    streak = next_streak(streak, frozenset({one, two}), START)
    assert streak.times == 2
    assert next_streak(streak, frozenset({two}), START).times == 1


def test_attempts_of_other_tasks_do_not_matter() -> None:
    events = [event for number in (1, 2, 3) for event in Task(number).verify("a", NAME).events]
    assert all(stuck_loops(attempts) == [] for attempts in task_attempts(events).values())
    assert UUID(int=1) in task_attempts(events)
