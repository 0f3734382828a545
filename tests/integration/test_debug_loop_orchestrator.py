"""One attempt at a time through the orchestrator gives what the batch gives; a failing step costs itself only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.orchestrators import debug_loop_orchestrator as orchestrator
from debug_loop_pipeline.orchestrators.debug_loop_orchestrator import CRITICAL, DebugLoopOrchestrator
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.forget import forget
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_all, run_dirty_days
from tests.support.digests import table_digests
from tests.support.events import attempt, fixed_task

EVENTS = [told for day in range(3) for told in fixed_task(f"task-{day}", day=day)]
SPAN = Span(EVENTS[0].started_at.date(), EVENTS[-1].started_at.date())
STEPS = ["ingest", *(name for name, _ in orchestrator.STEPS)]


@pytest.fixture
def context(store_urls: Callable[[], str], tmp_path: Path) -> Iterator[StepContext]:
    made = StepContext(Database(store_urls()), Settings(data_dir=tmp_path))
    yield made
    made.database.close()


def _tasks(draw: st.DrawFn) -> list[ExecutionEvent]:
    """A few tasks of failing attempts, some of them stuck, each perhaps with a fix in the end; told in any order, some of them again."""
    events: list[ExecutionEvent] = []
    for number in range(draw(st.integers(1, 3))):
        task = f"drawn-{number}"
        day = draw(st.integers(0, 2))
        for place in range(draw(st.integers(0, 4))):
            error = draw(st.sampled_from(("KeyError: 'name'", "ValueError: bad name")))
            minutes = day * 1_440 + place * 10
            events.append(attempt(f"{task}-{place}", task, minutes=minutes, failed=True, error=error))
        if draw(st.booleans()):
            reused = {"stf_ids": ["0" * 64]} if draw(st.booleans()) else {}
            events.append(attempt(f"{task}-fixed", task, minutes=day * 1_440 + 100, failed=False, **reused))
    again = draw(st.lists(st.sampled_from(events), max_size=2)) if events else []
    return list(draw(st.permutations(events + again)))


TASKS = st.composite(_tasks)()
LEFT_TO_RUNS = {"stf_matches", "recommendation_effect"}
"""Matches depend on when the index was looked at, the effect is of whole days."""


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=TASKS)
@example(told=EVENTS)
@example(told=EVENTS[::-1])
def test_one_at_a_time_equals_the_batch(
    store_urls: Callable[[], str], tmp_path: Path, told: list[ExecutionEvent]
) -> None:
    with ExitStack() as open_stores:
        alone, batch = (
            StepContext(open_stores.enter_context(closing(Database(store_urls()))), Settings(data_dir=tmp_path / name))
            for name in ("alone", "batch")
        )
        for event in told:
            result = DebugLoopOrchestrator(alone).process(event)
            assert result.complete, result.failed
        ingest_events(batch, told, "in-process")
        run_dirty_days(batch)
        mine, its = table_digests(alone.database), table_digests(batch.database)
        assert {t: d for t, d in mine.items() if t not in LEFT_TO_RUNS} == {
            t: d for t, d in its.items() if t not in LEFT_TO_RUNS
        }
        assert not alone.store.marks("error_success_mappings", SPAN.first, SPAN.last)
        for store in (alone, batch):  # with one epoch of the same functions
            run_all(store, SPAN, full_refresh=True, new_epoch=True)
        assert table_digests(alone.database) == table_digests(batch.database)


def test_an_attempt_costs_two_commits_and_few_statements(context: StepContext) -> None:
    counted: Counter[str] = Counter()
    loop = DebugLoopOrchestrator(context)
    first, *others = EVENTS
    loop.process(first)  # opens connections, the index and the price list
    event.listen(context.database.engine, "before_cursor_execute", lambda *_: counted.update(["statements"]))
    event.listen(context.database.engine, "commit", lambda *_: counted.update(["commits"]))
    for told in others:
        assert loop.process(told).complete
    assert counted["commits"] <= 3 * len(others)  # with one more where the index is looked at
    assert counted["statements"] <= 95 * len(others)


def test_what_a_run_holds_is_left_to_the_next_run(context: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestrator, "_WAIT_S", 0.2)
    with context.database.transaction() as run:
        context.store.lock_fold(run, "error_success_mappings")
        result = DebugLoopOrchestrator(context).process(EVENTS[0])
    assert [outcome.step for outcome in result.failed] == ["mapping"]
    assert result.milliseconds < 5_000
    assert list(context.store.marks("error_success_mappings", SPAN.first, SPAN.last)) == [str(EVENTS[0].correlation_id)]


def test_a_transaction_that_is_lost_is_told_and_made_up_for(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(loop: orchestrator._Loop) -> None:
        with context.database.transaction() as other:
            pid = loop._database._connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
            other.exec_driver_sql(f"select pg_terminate_backend({pid})")

    steps = tuple((name, cut if name == "cost" else work) for name, work in orchestrator.STEPS)
    monkeypatch.setattr(orchestrator, "STEPS", steps)
    result = DebugLoopOrchestrator(context).process(EVENTS[1])
    assert [o.step for o in result.outcomes] == STEPS
    assert [o.status for o in result.outcomes] == ["done", *["failed"] * len(orchestrator.STEPS)]
    monkeypatch.undo()
    run_dirty_days(context)
    healed = table_digests(context.database)
    run_all(context, SPAN, full_refresh=True)
    assert table_digests(context.database) == healed


@pytest.mark.parametrize("failing", STEPS)
def test_a_failing_step_is_reported_and_the_batch_makes_up_for_it(
    context: StepContext, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("this step is broken")

    if failing == "ingest":
        monkeypatch.setattr(orchestrator, "ingest_events", broken)
    steps = tuple((name, broken if name == failing else work) for name, work in orchestrator.STEPS)
    monkeypatch.setattr(orchestrator, "STEPS", steps)
    result = DebugLoopOrchestrator(context).process(EVENTS[1])
    assert [outcome.step for outcome in result.failed] == [failing]
    assert "this step is broken" in str(result.failed[0].error)
    skipped = [outcome for outcome in result.outcomes if outcome.status == "skipped"]
    assert bool(skipped) == (failing in CRITICAL)
    monkeypatch.undo()
    if failing == "ingest":
        ingest_events(context, [EVENTS[1]], "in-process")
    run_dirty_days(context)
    healed = table_digests(context.database)
    run_all(context, SPAN, full_refresh=True)
    assert table_digests(context.database) == healed


def test_the_result_says_how_long_each_step_took(context: StepContext) -> None:
    result = DebugLoopOrchestrator(context).process(attempt("a", "t", minutes=10, failed=False))
    assert [outcome.step for outcome in result.outcomes] == STEPS
    assert all(outcome.milliseconds > 0 for outcome in result.outcomes)
    assert sum(outcome.milliseconds for outcome in result.outcomes) <= result.milliseconds


def test_an_event_that_is_refused_is_not_told_as_done(context: StepContext) -> None:
    ahead = attempt("ahead", "t", minutes=10, failed=True).model_copy(
        update={"started_at": datetime.now(UTC) + timedelta(days=3), "completed_at": None}
    )
    result = DebugLoopOrchestrator(context).process(ahead)
    assert not result.complete
    assert [outcome.status for outcome in result.outcomes] == ["failed", *["skipped"] * len(orchestrator.STEPS)]
    assert "lies more than a day ahead" in str(result.outcomes[0].error)
    assert len(context.executions.rejects(10)) == 1


def test_an_event_of_what_was_forgotten_is_not_told_as_done(context: StepContext) -> None:
    event = attempt("gone", "t", minutes=10, failed=True)
    assert event.session_id
    forget(context, "session", event.session_id)
    result = DebugLoopOrchestrator(context).process(event)
    assert not result.complete
    assert "was forgotten" in str(result.outcomes[0].error)
