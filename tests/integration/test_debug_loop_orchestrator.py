"""One attempt at a time through the orchestrator gives what the batch gives; a failing step costs itself only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.orchestrators.debug_loop_orchestrator import CRITICAL, DebugLoopOrchestrator, _Run
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_all, run_dirty_days
from tests.support.digests import table_digests
from tests.support.events import attempt, fixed_task

EVENTS = [event for day in range(3) for event in fixed_task(f"task-{day}", day=day)]
SPAN = Span(EVENTS[0].started_at.date(), EVENTS[-1].started_at.date())
STEPS = [name for name, _ in _Run(None, SPAN, EVENTS[0].attempt_id).steps(EVENTS[0])]  # type: ignore[arg-type]


@pytest.fixture
def context(store_urls: Callable[[], str], tmp_path: Path) -> Iterator[StepContext]:
    made = StepContext(Database(store_urls()), Settings(data_dir=tmp_path))
    yield made
    made.database.close()


def test_one_at_a_time_equals_the_batch(context: StepContext, store_urls: Callable[[], str]) -> None:
    batch = StepContext(Database(store_urls()), Settings(data_dir=context.settings.data_dir / "batch"))
    try:
        for event in EVENTS:
            result = DebugLoopOrchestrator(context).process(event)
            assert result.complete, result.failed
        ingest_events(batch, EVENTS, "in-process")
        run_all(batch, SPAN)
        for store in (context, batch):
            run_all(store, SPAN, full_refresh=True, new_epoch=True)
        assert table_digests(context.database) == table_digests(batch.database)
    finally:
        batch.database.close()


@pytest.mark.parametrize("failing", STEPS)
def test_a_failing_step_is_reported_and_the_batch_makes_up_for_it(
    context: StepContext, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: _Run, event):
        def raises() -> None:
            raise RuntimeError("this step is broken")

        return [(name, raises if name == failing else work) for name, work in original(self, event)]

    original = _Run.steps
    monkeypatch.setattr(_Run, "steps", broken)
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
