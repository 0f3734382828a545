"""What our own code fails at stays undone, says so, and keeps nothing else out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline import text
from debug_loop_pipeline.checks.debug_intelligence import TRACE_CHECKS
from debug_loop_pipeline.compute import event_limits
from debug_loop_pipeline.compute.event_errors import event_error_patterns
from debug_loop_pipeline.compute.fixes.credit import credit_task
from debug_loop_pipeline.compute.fixes.lessons import TaskCredit
from debug_loop_pipeline.compute.fixes.resolution import ResolutionLimits
from debug_loop_pipeline.compute.fixes.task_attempts import TaskAttempt
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.step_store import PendingAttempt
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.errors import ErrorPattern
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.orchestrators.debug_loop_orchestrator import DebugLoopOrchestrator
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps import contributions, economy_due, error_patterns, error_success_mappings, versions
from debug_loop_pipeline.steps.forget import forget
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_dirty_days
from tests.support.digests import table_digests
from tests.support.events import CODE, START, attempt, fixed_task, uid

BAD = "task-2"
NO_WORK_FAILED = next(check for check in TRACE_CHECKS if check.name == "no_work_failed")


def events() -> list[ExecutionEvent]:
    return [event for day in range(5) for event in fixed_task(f"task-{day}", day=day)]


@pytest.fixture
def context(store_urls: Callable[[], str], tmp_path: Path) -> Iterator[StepContext]:
    with closing(Database(store_urls())) as database:
        yield StepContext(database, Settings(data_dir=tmp_path))


@pytest.fixture
def reference(store_urls: Callable[[], str], tmp_path: Path) -> dict[str, str]:
    with closing(Database(store_urls())) as database:
        sound = StepContext(database, Settings(data_dir=tmp_path / "sound"))
        ingest_events(sound, events(), "test")
        run_dirty_days(sound)
        return table_digests(database)


@pytest.fixture
def bad_patterns(reference: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The errors of one attempt are such that our code fails at them."""
    failing = fixed_task(BAD, day=2)[0].attempt_id

    def patterns(event: ExecutionEvent) -> Sequence[ErrorPattern]:
        if event.attempt_id == failing:
            raise IndexError("string index out of range")
        return event_error_patterns(event)

    monkeypatch.setattr(error_patterns, "event_error_patterns", patterns)


@pytest.fixture
def bad_credit(reference: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One task is such that our code fails at crediting it."""

    def credit(task: Sequence[TaskAttempt], limits: ResolutionLimits) -> TaskCredit:
        if any(attempt.correlation_id == uid(BAD) for attempt in task):
            raise AssertionError("never thought of")
        return credit_task(task, limits)

    monkeypatch.setattr(error_success_mappings, "credit_task", credit)


def successes(context: StepContext) -> list[int]:
    return [row["success_count"] for row in fetch_rows(context.database, "select * from debug_error_success_mappings")]


def problems(context: StepContext) -> list[dict[str, Any]]:
    return context.store.problems(10)


@pytest.mark.usefixtures("bad_patterns")
def test_an_attempt_that_a_step_fails_at_keeps_no_other_out_and_is_done_when_the_code_is_mended(
    context: StepContext, reference: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest_events(context, events(), "test")
    reports = {report.step: report for report in run_dirty_days(context)}
    assert list(reports["error_patterns"].failed) == [str(fixed_task(BAD, day=2)[0].attempt_id)]
    assert reports["error_patterns"].attempts == len(events()) - 1
    [told] = problems(context)
    assert told["step"] == "error_patterns"
    assert told["problem"].startswith("failed: IndexError at ")
    finding = NO_WORK_FAILED.decide(context.database)
    assert (finding.passed, finding.numbers["violations"]) == (False, 1)

    ingest_events(context, [attempt("more", "other", minutes=3 * 24 * 60, failed=False)], "test")
    assert not any(report.failed for report in run_dirty_days(context)), "only runs over its day try it again"

    monkeypatch.undo()
    with context.database.transaction() as connection:
        context.store.mark_dirty(connection, [told["day"]])
    assert forget(context, "session", "session-other").attempts == 1
    run_dirty_days(context)
    assert problems(context) == []
    assert NO_WORK_FAILED.decide(context.database).passed
    assert table_digests(context.database) == reference


@pytest.mark.usefixtures("bad_credit")
def test_a_key_that_a_fold_fails_at_keeps_no_other_out_and_is_done_when_the_code_is_mended(
    context: StepContext, reference: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest_events(context, events(), "test")
    reports = {report.step: report for report in run_dirty_days(context)}
    assert successes(context) == [4]
    assert list(reports["error_success_mappings"].failed) == [str(uid(BAD))]
    [told] = problems(context)
    assert (told["step"], told["subject"]) == ("error_success_mappings", str(uid(BAD)))
    assert told["problem"].startswith("failed: AssertionError at ")
    assert not NO_WORK_FAILED.decide(context.database).passed

    monkeypatch.undo()
    with context.database.transaction() as connection:
        context.store.mark_dirty(connection, [told["day"]])
    run_dirty_days(context)
    assert successes(context) == [5]
    assert problems(context) == []
    assert table_digests(context.database) == reference


def test_a_key_that_an_upgrade_fails_at_stays_as_it_was_and_marked(
    context: StepContext, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    ingest_events(context, events(), "test")
    run_dirty_days(context)
    request.getfixturevalue("bad_credit")
    monkeypatch.setattr(versions, "ERROR_SUCCESS_MAPPINGS", "mappings=next")
    with context.database.transaction() as connection:
        context.store.mark_dirty(connection, [event.started_at.date() for event in events()])
    run_dirty_days(context)
    assert successes(context) == [5]
    [told] = problems(context)
    assert told["subject"] == str(uid(BAD))
    reports = fetch_rows(context.database, "select report -> 'tables' as tables from recompute_reports")
    [moved] = [row["tables"]["mapping_events"] for row in reports]
    assert moved == {"added": 0, "removed": 0, "changed": 0, "same": 4}, "each key is counted once"


@pytest.mark.usefixtures("bad_credit", "bad_patterns")
def test_in_process_a_step_that_fails_is_told_as_failed(context: StepContext) -> None:
    result = DebugLoopOrchestrator(context).process(fixed_task(BAD, day=2)[0])
    assert {"error_pattern"} <= {outcome.step for outcome in result.failed}


def test_what_is_left_undone_makes_no_day_due_for_ever(context: StepContext) -> None:
    day = START.date()
    undone = PendingAttempt(uid("undone"), "digest", day, None)
    step, version = contributions.UPSTREAM, versions.STF_QUALITY
    context.store.record_failed(step, version, [(undone, "KeyError at x.py:1: 'y'")])
    assert economy_due.due_days(context, day) == []
    with context.database.transaction() as connection:
        context.store.record_progress(connection, step, version, [undone], {})
    assert economy_due.due_days(context, day) == [day]


@pytest.mark.usefixtures("bad_credit")
def test_forgetting_says_when_what_was_derived_may_be_left(context: StepContext) -> None:
    ingest_events(context, [*events(), attempt("also", BAD, minutes=99, failed=True, session_id="kept")], "test")
    run_dirty_days(context)
    with pytest.raises(DebugLoopError, match="debug-loop problems"):
        forget(context, "session", f"session-{BAD}")


def test_a_value_that_no_index_takes_costs_its_attempt_only(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "NAME_CHARS", 100_000)  # as if ingestion had let it in
    monkeypatch.setattr(event_limits, "NAME_CHARS", 100_000)
    digits = "".join(sha256(str(n).encode()).hexdigest() for n in range(600))
    told = [
        attempt("sound", "task", minutes=1, failed=True),
        attempt("bad", "task", minutes=2, failed=True, model_used=digits, context={"repository": digits}),
    ]
    ingest_events(context, told, "test")
    reports = {report.step: report for report in run_dirty_days(context)}
    assert list(reports["execution_attempts"].failed) == [str(uid("bad"))]
    assert fetch_rows(context.database, "select attempt_id from debug_execution_attempts") == [
        {"attempt_id": uid("sound")}
    ]


def test_an_attempt_with_long_names_is_done_like_any_other(context: StepContext) -> None:
    digits = "".join(sha256(str(n).encode()).hexdigest() for n in range(600))
    name = "read_" + digits
    more: dict[str, Any] = {
        "context": {"repository": digits, "commit": digits, "pull_request": digits},
        "model_used": digits,
        "recommendation_id": digits,
        "stf_ids": [digits],
        "golden_state_ids": [digits],
        "usage": [{"message_id": digits, "request_id": digits}],
        "code_written": [{"path": digits, "content": CODE.replace("read_name", name)}],
    }
    ingest_events(context, [attempt("long", "task", minutes=1, failed=False, **more)], "test")
    assert not any(report.failed for report in run_dirty_days(context))
    assert problems(context) == []
