"""What comes in while a run is under way: whatever step it meets, the next run makes the rows that one run over everything makes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_all, run_dirty_days, steps_over
from tests.support.digests import table_digests
from tests.support.events import attempt

# A task that is stuck and then goes on, and a function that two attempts of other tasks wrote: the third failure of three, the
# success, and the better of the two are what comes late.
EVENTS = [
    *(attempt(f"stuck-{n}", "stuck", minutes=10 * n, failed=True) for n in range(3)),
    attempt("stuck-3", "stuck", minutes=30, failed=False),
    attempt("other-1", "other", minutes=40, failed=True),
    attempt("other-2", "other", minutes=50, failed=False),
]
DAY = EVENTS[0].started_at.date()
SPAN = Span(DAY, DAY)
COMPARED_NOT = {"stf_matches"}  # of another epoch


@pytest.fixture
def make_context(store_urls: Callable[[], str], tmp_path: Path) -> Callable[[], StepContext]:
    return lambda: StepContext(Database(store_urls()), Settings(data_dir=tmp_path))


@pytest.mark.parametrize("late", [EVENTS[2:3], EVENTS[3:4], EVENTS[4:]], ids=["third failure", "success", "whole task"])
def test_an_event_between_any_two_steps_costs_no_row(
    make_context: Callable[[], StepContext], late: list[object]
) -> None:
    straight = make_context()
    with closing(straight.database):
        ingest_events(straight, EVENTS, "test")
        run_all(straight, SPAN)
        wanted = compared(straight)
    for met in range(1, len(steps_over(straight, SPAN))):
        context = make_context()
        with closing(context.database):
            ingest_events(context, [event for event in EVENTS if event not in late], "test")
            for number, step in enumerate(steps_over(context, SPAN)):
                if number == met:
                    ingest_events(context, [event for event in EVENTS if event in late], "test")
                step()
            run_dirty_days(context)
            assert compared(context) == wanted, f"before step {met}"


def compared(context: StepContext) -> dict[str, str]:
    return {table: digest for table, digest in table_digests(context.database).items() if table not in COMPARED_NOT}
