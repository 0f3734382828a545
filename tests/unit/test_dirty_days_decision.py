"""Which days the sensor asks for: the decision alone, without Dagster and database."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from debug_loop_pipeline.sensors.dirty_days import (
    FIRST_WAIT,
    LONGEST_WAIT,
    MAX_DAYS_PER_RUN,
    MAX_RUNS_PER_TICK,
    REMEMBERED,
    EndedRun,
    Plan,
    plan_runs,
    span_of_tags,
)
from debug_loop_pipeline.steps.framework import MAX_STEP, Span

FIRST, TODAY = date(2024, 1, 1), date(2026, 3, 10)
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def day(number: int) -> date:
    return date(2026, 3, number)


def days(first: int, last: int) -> Span:
    return Span(day(first), day(last))


def plan(dirty: list[date], in_flight: list[Span] | None = None, ended: list[EndedRun] | None = None) -> Plan:
    return plan_runs(dirty, in_flight or [], ended or [], FIRST, TODAY, NOW)


def failed(first: int, last: int, ago: timedelta) -> EndedRun:
    return EndedRun(days(first, last), True, NOW - ago)


def succeeded(first: int, last: int, ago: timedelta) -> EndedRun:
    return EndedRun(days(first, last), False, NOW - ago)


@pytest.mark.parametrize(
    ("dirty", "wanted"),
    [
        ([], []),
        ([3], [(3, 3)]),
        ([3, 4, 5], [(3, 5)]),
        ([5, 3, 4, 4], [(3, 5)]),
        ([10], [(10, 10)]),
    ],
)
def test_contiguous_days_make_one_range_oldest_first(dirty: list[int], wanted: list[tuple[int, int]]) -> None:
    assert list(plan([day(n) for n in dirty]).ranges) == [days(*pair) for pair in wanted]


def test_a_few_clean_days_are_taken_along_and_many_are_not() -> None:
    start = day(1) - timedelta(days=100)
    near, far = start + timedelta(days=MAX_STEP), start + timedelta(days=2 * MAX_STEP + 1)
    assert plan([start, near, far]).ranges == (Span(start, near), Span(far, far))


def test_no_range_runs_over_a_day_that_is_in_a_run_or_waits() -> None:
    dirty = [day(1), day(3), day(5), day(7)]
    found = plan(dirty, [days(3, 3)], [failed(5, 5, timedelta(0))])
    assert found.ranges == (days(1, 1), days(7, 7))


def test_a_range_goes_on_over_the_end_of_a_month_and_a_leap_day() -> None:
    dirty = [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]
    assert plan(dirty).ranges == (Span(date(2024, 2, 28), date(2024, 3, 1)),)


@pytest.mark.parametrize(
    ("in_flight", "wanted"),
    [
        ([days(1, 9)], []),
        ([days(3, 3)], [(1, 2), (4, 5)]),
        ([days(1, 2)], [(3, 5)]),
        ([days(5, 9)], [(1, 4)]),
        ([days(6, 9)], [(1, 5)]),
        ([days(1, 1), days(5, 5)], [(2, 4)]),
    ],
)
def test_days_of_a_run_in_flight_are_left_to_it(in_flight: list[Span], wanted: list[tuple[int, int]]) -> None:
    found = plan([day(n) for n in range(1, 6)], in_flight)
    assert list(found.ranges) == [days(*pair) for pair in wanted]
    assert found.in_flight == 5 - sum(last - first + 1 for first, last in wanted)


def test_days_outside_the_partitions_are_not_asked_for() -> None:
    found = plan([FIRST - timedelta(days=1), FIRST, TODAY, TODAY + timedelta(days=1)])
    assert found.ranges == (Span(FIRST, FIRST), Span(TODAY, TODAY))
    assert found.outside == 2


def test_a_long_range_is_cut_and_the_pieces_lie_side_by_side() -> None:
    count = MAX_DAYS_PER_RUN + 30
    found = plan([TODAY - timedelta(days=n) for n in range(count)])
    assert [(span.last - span.first).days + 1 for span in found.ranges] == [MAX_DAYS_PER_RUN, 30]
    assert found.ranges[1].first - found.ranges[0].last == timedelta(days=1)


def test_a_tick_asks_for_a_bounded_number_of_runs_and_the_next_ones_for_the_rest() -> None:
    dirty = [TODAY - timedelta(days=(MAX_STEP + 1) * n) for n in range(11)]
    asked: list[Span] = []
    for _ in range(10):
        found = plan(dirty, asked)
        assert len(found.ranges) <= MAX_RUNS_PER_TICK
        asked += found.ranges
    assert {span.first for span in asked} == set(dirty)
    assert len(asked) == len(dirty)


def test_a_day_that_just_failed_waits_and_others_do_not() -> None:
    found = plan([day(1), day(2), day(3)], ended=[failed(2, 2, FIRST_WAIT / 2)])
    assert found.ranges == (days(1, 1), days(3, 3))
    assert found.waiting == 1
    assert found.next_try == NOW + FIRST_WAIT / 2


def test_a_day_that_failed_is_asked_for_again_after_the_wait() -> None:
    assert plan([day(2)], ended=[failed(2, 2, FIRST_WAIT)]).ranges == (days(2, 2),)


def test_each_failure_in_a_row_doubles_the_wait_up_to_a_limit() -> None:
    waits = []
    for failures in range(1, 12):
        ended = [failed(1, 5, timedelta(seconds=n)) for n in range(failures)]
        next_try = plan([day(3)], ended=ended).next_try
        assert next_try is not None
        waits.append(next_try - NOW)
    assert waits[:3] == [FIRST_WAIT, FIRST_WAIT * 2, FIRST_WAIT * 4]
    assert waits[-1] == waits[-2] == LONGEST_WAIT
    assert waits == sorted(waits)


def test_a_success_ends_the_waiting() -> None:
    minute = timedelta(seconds=1)
    assert plan([day(3)], ended=[failed(3, 3, minute * 3), succeeded(1, 5, minute)]).ranges == (days(3, 3),)
    assert plan([day(3)], ended=[failed(3, 3, minute), succeeded(1, 5, minute * 3)]).ranges == ()


def test_a_day_that_always_fails_is_asked_for_a_bounded_number_of_times() -> None:
    ended: list[EndedRun] = []
    asked = 0
    for tick in range(0, 24 * 3600, 5):
        now = NOW + timedelta(seconds=tick)
        remembered = [run for run in ended if now - run.at < REMEMBERED]
        if plan_runs([day(3)], [], remembered, FIRST, TODAY, now).ranges:
            asked += 1
            ended.append(EndedRun(days(3, 3), True, now))
    assert 24 * 2 <= asked <= 24 * 2 + 10  # about one in the longest wait, a few more at the start


def test_the_reason_for_skipping_names_every_cause() -> None:
    dirty = [day(1), day(2), day(3), TODAY + timedelta(days=1)]
    found = plan(dirty, [days(1, 2)], [failed(3, 3, timedelta(0))])
    assert found.ranges == ()
    assert found.why_nothing() == (
        "dirty days: 2 in a run already, 1 failed lately and wait until 12:00:30 UTC or longer, 1 outside the partitions"
    )
    assert plan([]).why_nothing() == "no day has new or changed executions"


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_dirty_is_asked_for_waits_or_is_in_a_run_and_never_twice(seed: int) -> None:
    draw = random.Random(seed)
    dirty = {TODAY - timedelta(days=draw.randrange(-2, 200)) for _ in range(draw.randrange(1, 40))}
    starts = [TODAY - timedelta(days=draw.randrange(200)) for _ in range(3)]
    in_flight = [Span(start, start + timedelta(days=draw.randrange(4))) for start in starts]
    ended = [EndedRun(Span(s, s + timedelta(days=2)), draw.random() < 0.7, NOW - timedelta(seconds=9)) for s in starts]
    found = plan(sorted(dirty), in_flight, ended)
    listed = [span.first + timedelta(days=n) for span in found.ranges for n in range((span.last - span.first).days + 1)]
    assert len(listed) == len(set(listed))
    asked = dirty & set(listed)
    assert not any(span.first <= one <= span.last for span in in_flight for one in asked)
    assert all(span.first in dirty and span.last in dirty for span in found.ranges)
    told = len(asked) + found.in_flight + found.outside + found.waiting
    assert told == len(dirty) or (told < len(dirty) and len(found.ranges) == MAX_RUNS_PER_TICK)


def test_the_days_of_a_run_are_read_from_its_tags() -> None:
    assert span_of_tags({"dagster/partition": "2026-03-02"}) == days(2, 2)
    start, end = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    assert span_of_tags({start: "2026-03-02", end: "2026-03-05"}) == days(2, 5)
    assert span_of_tags({"dagster/backfill": "x"}) is None
