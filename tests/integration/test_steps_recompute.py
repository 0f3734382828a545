"""Facts and folds: whatever the order and the number of runs, the rows come out equal."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from debug_loop_pipeline.cli.report_tables import report_tables
from debug_loop_pipeline.effects import execution_store, schema
from debug_loop_pipeline.effects.execution_store import ExecutionStore
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.manifest_store import fixes_of
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.report_store import overview, top_errors
from debug_loop_pipeline.effects.step_store import StepStore
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.reducers.golden_state_manager import GoldenStateManagerReducer, GoldenThresholds
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps import error_success_mappings, execution_attempts, framework, golden_states, versions
from debug_loop_pipeline.steps.execution_attempts import ExecutionAttemptsStep
from debug_loop_pipeline.steps.framework import Span, StepContext, run_fact_step
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_all, run_dirty_days
from debug_loop_pipeline.steps.setting_versions import SETTINGS_OF_STEPS
from tests.support.digests import table_digests
from tests.support.events import START, attempt, fixed_task, uid

FIRST = START.date()
SPAN = Span(FIRST, FIRST + timedelta(days=8))


@pytest.fixture
def context(store_urls: Callable[[], str], tmp_path: Path) -> Iterator[StepContext]:
    made = StepContext(Database(store_urls()), Settings(data_dir=tmp_path))
    yield made
    made.database.close()


def events() -> list[ExecutionEvent]:
    return [event for day in range(5) for event in fixed_task(f"task-{day}", day=day)]


def straight(context: StepContext) -> dict[str, str]:
    ingest_events(context, events(), "test")
    run_all(context, SPAN, new_epoch=True)
    return table_digests(context.database)


def rematch(context: StepContext) -> dict[str, str]:
    """Digests with matches at one epoch over the finished registry."""
    with context.database.transaction() as connection:
        connection.execute(text("delete from step_progress where step = 'stf_matches'"))
    run_all(context, SPAN, new_epoch=True)
    return table_digests(context.database)


@pytest.fixture
def reference(context: StepContext) -> dict[str, str]:
    straight(context)
    return rematch(context)


@pytest.fixture
def other(store_urls: Callable[[], str], tmp_path: Path) -> Iterator[StepContext]:
    made = StepContext(Database(store_urls()), Settings(data_dir=tmp_path / "other"))
    yield made
    made.database.close()


def test_something_was_learned_across_midnight(context: StepContext, reference: dict[str, str]) -> None:
    mappings = fetch_rows(context.database, "select success_count, state from debug_error_success_mappings")
    assert [(m["success_count"], m["state"]) for m in mappings] == [(5, "confident")]
    functions = fetch_rows(context.database, "select name, occurrences, approval from debug_transform_functions")
    assert [(f["name"], f["occurrences"], f["approval"]) for f in functions] == [("read_name", 5, "approved")]
    assert fetch_rows(context.database, "select count(*) as n from execution_costs where cost_usd > 0")[0]["n"] == 10


def test_running_twice_changes_nothing(context: StepContext, reference: dict[str, str]) -> None:
    run_all(context, SPAN)
    run_all(context, SPAN, full_refresh=True)
    assert table_digests(context.database) == reference


def test_the_same_events_again_change_nothing(context: StepContext, reference: dict[str, str]) -> None:
    report = ingest_events(context, events(), "test")
    assert (report.new_revisions, report.changed_attempts) == (0, 0)
    assert run_dirty_days(context) != []
    assert table_digests(context.database) == reference


def test_day_by_day_backwards_and_shuffled_equals_one_range(
    context: StepContext, reference: dict[str, str], other: StepContext
) -> None:
    shuffled = events()
    random.Random(7).shuffle(shuffled)
    for event in shuffled:
        ingest_events(other, [event], "test")
        day = event.started_at.date()
        run_all(other, Span(day, day))
    for offset in reversed(range((SPAN.last - SPAN.first).days + 1)):
        day = SPAN.first + timedelta(days=offset)
        run_all(other, Span(day, day))
    assert rematch(other) == reference


def test_killed_midway_and_run_again_equals_a_straight_run(
    context: StepContext, reference: dict[str, str], other: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest_events(other, events(), "test")
    monkeypatch.setattr(framework, "CHUNK", 3)
    written = 0
    record = other.store.record_progress

    def dies_now_and_then(*args, **kwargs):
        nonlocal written
        written += 1
        if written % 4 == 0:
            raise KeyboardInterrupt
        return record(*args, **kwargs)

    monkeypatch.setattr(other.store, "record_progress", dies_now_and_then)
    for _ in range(60):
        try:
            run_all(other, SPAN)
            break
        except KeyboardInterrupt:
            continue
    else:
        pytest.fail("the run never came to an end")
    monkeypatch.undo()
    assert written > 8
    assert rematch(other) == reference


def test_a_later_revision_withdraws_what_the_earlier_one_said(context: StepContext) -> None:
    straight(context)
    last = fixed_task("task-4", day=4)[1]
    failed_after_all = attempt(
        "task-4-2", "task-4", minutes=4 * 24 * 60 + 14 * 60 + 50 + 30, failed=True, evidence_tier="verified"
    )
    assert failed_after_all.attempt_id == last.attempt_id
    ingest_events(context, [failed_after_all], "test")
    run_dirty_days(context)
    mapping = fetch_rows(
        context.database, "select success_count from debug_error_success_mappings where success_count > 0"
    )
    assert [m["success_count"] for m in mapping] == [4]
    functions = fetch_rows(context.database, "select occurrences from debug_transform_functions")
    assert [f["occurrences"] for f in functions] == [4]
    ingest_events(context, [last], "test")  # told again with less evidence: it does not win
    run_dirty_days(context)
    assert fetch_rows(context.database, "select sum(success_count) as n from debug_error_success_mappings")[0]["n"] == 4


def told_by(importer: str, task: str) -> list[ExecutionEvent]:
    """Three failures and a fix, of one run, as one source tells them."""
    events = [attempt(f"moved-{n}", task, minutes=10 * n, failed=n < 3) for n in range(4)]
    return [e.model_copy(update={"source": e.source.model_copy(update={"importer": importer})}) for e in events]


def test_attempts_that_leave_their_task_take_everything_along(
    context: StepContext, store_urls: Callable[[], str]
) -> None:
    other = StepContext(Database(store_urls()), context.settings)
    with closing(other.database):
        ingest_events(other, told_by("logger", "told") + told_by("claude_code", "read"), "test")
        run_dirty_days(other)
        at_once = table_digests(other.database)
    ingest_events(context, told_by("logger", "told"), "test")
    run_dirty_days(context)
    ingest_events(context, told_by("claude_code", "read"), "test")
    run_dirty_days(context)
    assert table_digests(context.database) == at_once


@pytest.mark.parametrize("mended_by", ["full refresh", "upgrade"])
def test_what_attempts_left_behind_in_their_task_before_goes(
    context: StepContext, monkeypatch: pytest.MonkeyPatch, mended_by: str
) -> None:
    ingest_events(context, told_by("logger", "told"), "test")
    run_dirty_days(context)
    left = [{"task": uid("told")}, {"task": uid("read")}]
    tasks = "select distinct correlation_id as task from {}"
    with monkeypatch.context() as before:
        before.setattr(execution_attempts, "_tasks_left", lambda *_: [])
        before.setattr(StepStore, "mark", marking_only(str(uid("read")), StepStore.mark))
        ingest_events(context, told_by("claude_code", "read"), "test")
        run_dirty_days(context)
    for table in ("mapping_events", "stuck_loops"):
        assert [row for row in left if row in fetch_rows(context.database, tasks.format(table))] == left
    if mended_by == "upgrade":
        url = context.database.engine.url.render_as_string(hide_password=False)
        schema.downgrade(url, "0012")
        schema.upgrade(url)
        run_dirty_days(context)
    else:
        run_all(context, Span(START.date(), START.date()), full_refresh=True)
    for table in ("mapping_events", "stuck_loops", "error_cost_items"):
        assert fetch_rows(context.database, tasks.format(table)) == left[1:]
    counts = "select success_count from debug_error_success_mappings where success_count > 0"
    assert fetch_rows(context.database, counts) == [{"success_count": 1}]


def marking_only(key: str, mark: Callable[..., None]) -> Callable[..., None]:
    """As an earlier version marked: the task that an attempt went to, and not the one it left."""

    def only(store: StepStore, connection: Connection, fold: str, keys: Iterable[tuple[str, date]]) -> None:
        tasks = fold in ("error_success_mappings", "error_costs", "stuck_loops")
        mark(store, connection, fold, [(one, day) for one, day in keys if not tasks or one == key])

    return only


def test_no_more_events_are_read_at_once_than_memory_has_room_for(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest_events(context, told_by("logger", "a"), "test")
    rows = fetch_rows(context.database, "select bytes, octet_length(event::text) as real from execution_inbox")
    assert all(0 < row["bytes"] <= row["real"] for row in rows), "the stored text has spaces"
    largest = max(row["bytes"] for row in rows)
    monkeypatch.setattr(execution_store, "READ_BYTES", 2 * largest)
    read: list[int] = []
    events = ExecutionStore._events

    def counted(*args: Any) -> list[ExecutionEvent]:
        read.append(len(found := events(*args)))
        return found

    monkeypatch.setattr(ExecutionStore, "_events", counted)
    run_fact_step(context, ExecutionAttemptsStep(), Span(START.date(), START.date()))
    assert sum(read) == 4
    assert max(read) == 2
    read.clear()
    ids = [e.attempt_id for e in told_by("logger", "a")]
    assert [len(part) for part in context.executions.events_of_attempts_in_parts(ids)] == read
    assert len(read) > 1
    assert [len(part) for part in context.executions.events_of_tasks_in_parts([uid("a"), uid("none")])] == [4, 0]


def test_usage_told_by_two_attempts_is_counted_once(context: StepContext) -> None:
    one = attempt("a", "t", minutes=10, failed=False)
    other = attempt(
        "b", "u", minutes=3_000, failed=False, usage=[{"message_id": "msg-a", "request_id": "r", "tokens_input": 5_000}]
    )
    ingest_events(context, [one], "test")
    run_dirty_days(context)
    ingest_events(context, [other], "test")
    run_dirty_days(context)
    run_dirty_days(context)
    counted = fetch_rows(context.database, "select attempt_id, tokens_input from usage_records where counted")
    assert [(c["attempt_id"], c["tokens_input"]) for c in counted] == [(other.attempt_id, 5_000)]
    costs = {r["attempt_id"]: r for r in fetch_rows(context.database, "select * from execution_costs")}
    assert costs[one.attempt_id]["tokens_input"] == 0
    assert costs[other.attempt_id]["tokens_input"] == 5_000


def test_a_range_of_days_fills_each_of_them(context: StepContext) -> None:
    straight(context)
    days = fetch_rows(context.database, "select distinct day from debug_execution_attempts order by day")
    assert len(days) >= 3
    assert all(isinstance(row["day"], date) for row in days)


def test_a_rejected_event_says_what_is_wrong_and_keeps_its_bytes(context: StepContext, tmp_path: Path) -> None:
    too_old = attempt("old", "t", minutes=0, failed=False).model_copy(
        update={"started_at": START.replace(year=2001), "completed_at": START}
    )
    report = ingest_events(context, [too_old], "test")
    assert "first partition" in report.rejects[0].reason
    stored = context.executions.rejects(10)
    assert len(stored) == 1
    assert str(too_old.attempt_id) in stored[0]["payload"]


def recomputes(context: StepContext) -> list[dict[str, Any]]:
    return fetch_rows(
        context.database,
        "select step, from_version, to_version, first_day, last_day, report -> 'tables' as tables from recompute_reports order by report_id",
    )


def test_other_code_of_a_fold_refolds_the_days_of_a_run_and_tells_what_moved(
    context: StepContext, reference: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recomputes(context) == []
    later = Span(FIRST + timedelta(days=3), SPAN.last)
    before = versions.GOLDEN_STATES
    monkeypatch.setattr(versions, "GOLDEN_STATES", "golden=next")
    monkeypatch.setattr(
        golden_states, "_reducer", lambda limits, **_: GoldenStateManagerReducer(GoldenThresholds(0.1, 2.0))
    )
    golden = "select nominated_at::date as day, state from debug_golden_states order by 1"
    assert {row["state"] for row in fetch_rows(context.database, golden)} == {"approved"}
    run_all(context, later)
    states = [(row["day"] >= later.first, row["state"]) for row in fetch_rows(context.database, golden)]
    assert set(states) == {(False, "approved"), (True, "nominated")}
    [told] = recomputes(context)
    assert (told["step"], told["from_version"], told["to_version"]) == ("golden_states", before, "golden=next")
    assert (told["first_day"], told["last_day"]) == (later.first, later.last)
    assert told["tables"]["debug_golden_states"] == {"added": 0, "removed": 0, "changed": 3, "same": 0}
    run_all(context, later)
    assert len(recomputes(context)) == 1
    run_all(context, SPAN)
    assert {row["state"] for row in fetch_rows(context.database, golden)} == {"nominated"}
    assert [row["tables"]["debug_golden_states"]["changed"] for row in recomputes(context)] == [3, 2]


def test_a_mapping_that_changed_code_credits_otherwise_is_told(
    context: StepContext, reference: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "ERROR_SUCCESS_MAPPINGS", "mappings=next")
    monkeypatch.setattr(error_success_mappings, "credit_tasks", lambda events, decisions, limits: {})
    run_all(context, SPAN)
    [told] = recomputes(context)
    assert told["step"] == "error_success_mappings"
    assert told["tables"]["debug_error_success_mappings"]["removed"] == 1
    assert fetch_rows(context.database, "select from debug_error_success_mappings") == []


def test_another_setting_recomputes_what_depends_on_it_and_the_former_one_brings_it_back(
    context: StepContext, reference: dict[str, str]
) -> None:
    environment = {
        "text": {"signature_chars": 20, "said_chars": 5, "diff_bytes": 60},
        "quality": {"excellent": 1.0, "good": 1.0, "fair": 0.1},
        "mapping": {"confident_successes": 50},
        "cost": {"cheap_below": 1e-9, "moderate_below": 1e-8},
    }
    changed = StepContext(context.database, Settings(data_dir=context.settings.data_dir, **environment))
    run_all(changed, SPAN)
    [mapping] = fetch_rows(context.database, "select state, success_count from debug_error_success_mappings")
    assert (mapping["state"], mapping["success_count"]) == ("tracking", 5)
    [kept] = fetch_rows(context.database, "select said, octet_length(example_diff) as bytes from resolutions")
    assert len(kept["said"] or "") <= 5
    assert kept["bytes"] <= 60
    [costs] = fetch_rows(context.database, "select array_agg(distinct cost_category) as found from execution_costs")
    assert costs["found"] == ["expensive"]
    [tiers] = fetch_rows(
        context.database, "select array_agg(distinct quality_tier) as found from debug_transform_functions"
    )
    assert tiers["found"] == ["fair"]
    longest = "select max(length(problem_signature)) as chars from debug_execution_attempts"
    assert fetch_rows(context.database, longest)[0]["chars"] <= 20
    report = run_all(changed, SPAN)
    assert not any(one.attempts or one.keys for one in report if one.step in SETTINGS_OF_STEPS)
    run_all(context, SPAN)
    assert rematch(context) == reference


def test_cost_is_summed_by_branch_pull_request_agent_and_category(context: StepContext) -> None:
    def told(name: str, minutes: int, agent: str, **where: str) -> ExecutionEvent:
        return attempt(name, name, minutes=minutes, failed=True, agent_name=agent, context=where)

    ingest_events(
        context,
        [
            told("a", 0, "one", repository="r/a", branch="main", pull_request="7"),
            told("b", 10, "one", repository="r/b", branch="main", pull_request="7"),
            told("c", 20, "other", repository="r/a", branch="main"),
            attempt("d", "d", minutes=30, failed=True, agent_name="other", context={}, model_used="nobody-knows-1"),
        ],
        "test",
    )
    run_dirty_days(context)
    found = overview(context.database, 10)
    [price] = {row["cost_usd"] for row in found["cost_by_pull_request"] if row["pull_request"] == "7"}
    assert price > 0
    sums = {
        by: {
            (*([row["repository"]] if "repository" in row else []), row[by]): (row["attempts"], row["cost_usd"])
            for row in found[f"cost_by_{by}"]
        }
        for by in ("branch", "pull_request", "agent", "category")
    }
    assert sums == {
        "branch": {
            ("r/a", "main"): (2, 2 * price),
            ("r/b", "main"): (1, price),
            (None, "(none told)"): (1, None),
        },
        "pull_request": {
            ("r/a", "7"): (1, price),
            ("r/b", "7"): (1, price),
            ("r/a", "(none told)"): (1, price),
            (None, "(none told)"): (1, None),
        },
        "agent": {("one",): (2, 2 * price), ("other",): (2, price)},
        "category": {(found["cost_by_category"][0]["category"],): (4, 3 * price)},
    }
    assert [row["unpriced"] for row in found["cost_by_agent"]] == [0, 1]
    assert [len(rows) for name, rows in overview(context.database, 1).items() if name.startswith("cost_by_b")] == [1]
    *_, (title, columns, rows) = report_tables(found, "branch")
    assert title.startswith("cost by branch")
    assert all(len(row) == len(columns) for row in rows)


def test_a_fix_is_shown_by_an_example_of_its_own_error_with_what_mended_it_first(context: StepContext) -> None:
    def fixed(name: str, minutes: int, error: str, *beside: str) -> list[ExecutionEvent]:
        mended = attempt(f"{name}-2", name, minutes=minutes + 10, failed=False)
        others = [
            {
                "path": path,
                "before": "",
                "after": f"# of {name}",
                "step": (minutes + 10) * 10,
                "tool_call_id": f"beside-{path}",
            }
            for path in beside
        ]
        edits = [*others, *(edit.model_dump() for edit in mended.edits)]
        return [
            attempt(f"{name}-1", name, minutes=minutes, failed=True, error=error),
            attempt(f"{name}-2", name, minutes=minutes + 10, failed=False, edits=edits),
        ]

    of_key, of_attribute = "KeyError: 'name'", "AttributeError: 'NoneType' object has no attribute 'name'"
    told = [
        *fixed("first", 0, of_key, "unrelated.py", "more.py"),
        *fixed("second", 60, of_key),
        *fixed("other", 120, of_attribute),
    ]
    ingest_events(context, told, "test")
    run_dirty_days(context)
    fixes = {
        row["pattern"]: row for row in overview(context.database, 10)["fixes"] if "config.py" in row["example_diff"]
    }
    assert {row["example_diff"].splitlines()[0] for row in fixes.values()} == {"--- config.py"}
    assert not any("unrelated.py" in row["example_diff"] for row in fixes.values())
    stored = fetch_rows(context.database, "select example_diff from resolutions where example_diff like '%config.py%'")
    assert any("unrelated.py" in row["example_diff"] for row in stored), (
        "the resolution's own example is the first of all"
    )
    signature = next(
        row["signature"]
        for row in top_errors(context.database, order="count", limit=10)
        if "Attribute" in row["pattern"]
    )
    [served] = [
        fix for fix in fixes_of(context.database, {signature: ()}, min_wilson=0.2) if "config.py" in fix["example_diff"]
    ]
    assert "unrelated.py" not in served["example_diff"]
