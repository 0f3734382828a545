"""What was served joins with what became of it, reuse is counted, and the rows do not depend on the order of anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.checks.rules import effect_not_harmful
from debug_loop_pipeline.cli.report_tables import report_tables
from debug_loop_pipeline.effects import report_store
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.recommendation_store import RecommendationStore
from debug_loop_pipeline.effects.report_store import effect_rows, latest_effect
from debug_loop_pipeline.effects.statements import execute
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.recommendation import Arm, Occasion, Recommendation
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps import contributions
from debug_loop_pipeline.steps.forget import forget
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_all, run_dirty_days
from tests.support.digests import table_digests
from tests.support.events import CODE, START, attempt, fixed_task, uid

DAY = 24 * 60
SPAN = Span(START.date(), START.date() + timedelta(days=9))
ALIKE = CODE.replace("read_name", "name_of").replace("default", "fallback")


@pytest.fixture
def context(store_urls: Callable[[], str], tmp_path: Path) -> Iterator[StepContext]:
    made = StepContext(Database(store_urls()), Settings(data_dir=tmp_path))
    yield made
    made.database.close()


@pytest.fixture
def function(context: StepContext) -> str:
    """Hash of a function that one task wrote."""
    take_in(context, fixed_task("origin", day=0))
    (row,) = rows(context, "select stf_hash from debug_transform_functions")
    return str(row["stf_hash"])


def take_in(context: StepContext, events: list[ExecutionEvent]) -> None:
    ingest_events(context, events, "test")
    run_dirty_days(context)


def rows(context: StepContext, query: str) -> list[dict[str, Any]]:
    return fetch_rows(context.database, query)


def served(task: str, *, minutes: float, arm: Arm = Arm.TREATMENT, **more: Any) -> Recommendation:
    given: dict[str, Any] = {
        "recommendation_id": uid(f"rec-{task}-{minutes}"),
        "session_id": f"session-{task}",
        "occasion": Occasion.FAILURE,
        "arm": arm,
        "characters": 10,
        "served_at": START + timedelta(minutes=minutes),
    }
    return Recommendation(**(given | more))


def record(context: StepContext, *recommendations: Recommendation) -> None:
    RecommendationStore(context.database).record(recommendations)


def trying(task: str, tries: int, *, day: int = 1, passing: dict[str, Any] | None = None) -> list[ExecutionEvent]:
    """A task that fails at once, then `tries` - 1 times after a change, then passes."""
    begin = day * DAY
    made = [attempt(f"{task}-0", task, minutes=begin, failed=True)]
    for n in range(1, tries):
        edits = [{"path": "config.py", "before": "a = 1", "after": f"a = {n + 1}", "step": (begin + n * 5) * 10 + 1}]
        made.append(attempt(f"{task}-{n}", task, minutes=begin + n * 5, failed=True, edits=edits))
    return [*made, attempt(f"{task}-{tries}", task, minutes=begin + tries * 5, failed=False, **(passing or {}))]


def both_arms(count: int) -> tuple[list[ExecutionEvent], list[Recommendation]]:
    events: list[ExecutionEvent] = []
    told: list[Recommendation] = []
    for n in range(count):
        for arm, tries in ((Arm.TREATMENT, 1 + n % 2), (Arm.HOLDOUT, 4 + n % 3)):
            task = f"{arm}-{n}"
            events += trying(task, tries, day=1 + n % 3)
            told.append(served(task, minutes=(1 + n % 3) * DAY + 1, arm=arm))
    return events, told


def test_both_arms_are_compared_from_the_serving_on(context: StepContext) -> None:
    events, told = both_arms(21)
    record(context, *told)
    take_in(context, events)
    outcomes = rows(context, "select arm, attempts, succeeded, joined_by, cost_usd from recommendation_outcomes")
    assert len(outcomes) == 42
    assert {row["joined_by"] for row in outcomes} == {"session"}
    assert all(row["succeeded"] and row["cost_usd"] > 0 for row in outcomes)
    assert {row["attempts"] for row in outcomes if row["arm"] == "treatment"} == {1, 2}
    effect = {(r["day"].day, r["measure"]): r for r in rows(context, "select * from recommendation_effect")}
    assert len(effect) == 9
    assert effect[2, "attempts"]["status"] == "not enough data"
    assert (effect[2, "attempts"]["tasks_treatment"], effect[2, "attempts"]["p_value"]) == (7, None)
    shown = {row["measure"]: row for row in effect_rows(latest_effect(context.database))}
    assert list(shown) == ["attempts", "succeeded", "cost_usd"]
    assert shown["attempts"]["tasks"] == "21 / 21"
    assert shown["attempts"]["served"].startswith("1.48 (")
    assert {row["served"] for row in effect_rows([effect[2, "attempts"]])} == {"not enough data"}
    titles = [title for title, _, _ in report_tables(report_store.overview(context.database, 5))]
    assert any(title.startswith("does what is served help?") for title in titles)
    whole = effect[4, "attempts"]
    assert (whole["status"], whole["tasks_treatment"], whole["tasks_holdout"]) == ("measured", 21, 21)
    assert whole["treatment"] == pytest.approx(31 / 21)
    assert whole["relative_high"] < -0.4
    assert whole["p_value"] < 0.001
    assert effect[4, "succeeded"]["p_value"] == 1.0


def test_tasks_that_were_given_up_are_no_improvement(context: StepContext) -> None:
    events: list[ExecutionEvent] = []
    for n in range(20):
        left, kept = f"left-{n}", f"kept-{n}"
        events += [attempt(left, left, minutes=DAY, failed=True), *trying(kept, 2)]
        record(context, served(left, minutes=DAY + 1), served(kept, minutes=DAY + 1, arm=Arm.HOLDOUT))
    take_in(context, events)
    effect = {row["measure"]: row for row in latest_effect(context.database)}
    assert effect["succeeded"]["difference_high"] < 0
    assert [(effect[m]["status"], effect[m]["tasks_treatment"]) for m in ("attempts", "cost_usd")] == [
        ("not enough data", 0)
    ] * 2
    found = effect_not_harmful(context.database)
    assert found.passed is False
    assert (found.numbers["succeeded_treatment"], found.numbers["succeeded_holdout"]) == (0, 1)


def test_harm_is_fewer_successes_or_more_attempts_until_them(context: StepContext) -> None:
    def passes(**measured: tuple[float, float]) -> bool | None:
        with context.database.transaction() as connection:
            execute(connection, "delete from recommendation_effect")
            for measure, (low, high) in measured.items():
                execute(
                    connection,
                    "insert into recommendation_effect (day, measure, status, first_day, tasks_treatment, tasks_holdout,"
                    " repositories, resampled, treatment, treatment_low, treatment_high, holdout, holdout_low, holdout_high,"
                    " difference, difference_low, difference_high, p_value) values ('2026-03-02', :measure, 'measured',"
                    " '2026-03-01', 30, 30, 1, 'tasks', 1, 1, 1, 1, 1, 1, :low, :low, :high, 0.5)",
                    {"measure": measure, "low": low, "high": high},
                )
        return effect_not_harmful(context.database).passed

    assert passes() is None
    assert passes(succeeded=(-0.2, 0.1)) is None
    assert passes(succeeded=(-0.2, 0.1), attempts=(-1.0, 1.0)) is True
    assert passes(succeeded=(-0.3, -0.1)) is False
    assert passes(succeeded=(-0.3, -0.1), attempts=(-2.0, -1.0)) is False
    assert passes(succeeded=(0.1, 0.3), attempts=(0.5, 1.0)) is False


def test_the_rows_do_not_depend_on_what_came_first(context: StepContext, store_urls: Callable[[], str]) -> None:
    events, told = both_arms(3)
    ways: list[Callable[[StepContext], None]] = [
        lambda c: (record(c, *told), take_in(c, events)),  # type: ignore[list-item,return-value]
        lambda c: (take_in(c, events), record(c, *told), run_all(c, SPAN)),  # type: ignore[list-item,return-value]
        lambda c: (
            [(take_in(c, [e]), record(c, *told[:n])) for n, e in enumerate(reversed(events))]  # type: ignore[list-item,return-value]
            and (record(c, *told), run_all(c, SPAN))
        ),
    ]
    found = []
    for way in ways:
        other = StepContext(Database(store_urls()), context.settings.model_copy())
        try:
            way(other)
            run_all(other, SPAN)
            digests = table_digests(other.database)
            found.append({table: digests[table] for table in digests if table != "stf_matches"})
            run_all(other, SPAN, full_refresh=True)
            again = table_digests(other.database)
            assert {table: again[table] for table in found[-1]} == found[-1]
        finally:
            other.database.close()
    assert found[0] == found[1] == found[2]
    assert not found[0]["recommendation_outcomes"].startswith("0:")


def test_a_serving_after_the_last_attempt_of_its_day_is_settled_by_the_next_days_run(context: StepContext) -> None:
    take_in(context, [attempt("a-0", "a", minutes=DAY, failed=True)])
    record(context, served("a", minutes=DAY + 1))
    take_in(context, fixed_task("b", day=4))
    (row,) = rows(context, "select succeeded, attempts, day from recommendation_outcomes")
    assert (row["succeeded"], row["attempts"], row["day"].day) == (False, 0, 2)
    take_in(context, [attempt("a-1", "a", minutes=DAY * 5, failed=False)])
    (row,) = rows(context, "select succeeded, attempts, day from recommendation_outcomes")
    assert (row["succeeded"], row["attempts"], row["day"].day) == (True, 1, 2)


def test_a_session_with_two_tasks_gives_each_what_was_served_in_it(context: StepContext) -> None:
    session = {"session_id": "one"}
    events = [
        attempt("a-0", "a", minutes=10, failed=True, **session),
        attempt("a-1", "a", minutes=20, failed=False, **session),
        attempt("b-0", "b", minutes=30, failed=True, **session),
        attempt("b-1", "b", minutes=40, failed=False, **session),
    ]
    by_call = {**session, "tool_call_id": "verify-b-0"}
    record(context, served("a", minutes=11, **session), served("b", minutes=29.99, **by_call))
    take_in(context, events)
    found = {r["correlation_id"]: r for r in rows(context, "select * from recommendation_outcomes")}
    assert {task: (r["joined_by"], r["attempts"]) for task, r in found.items()} == {
        uid("a"): ("session", 1),
        uid("b"): ("tool_call", 1),
    }


def test_reuse_is_recognised_in_the_code_and_counted_for_the_whole_cluster(context: StepContext, function: str) -> None:
    shown = {"stf_hashes": (function,)}
    alike = {"code_written": [{"path": "other.py", "language": "python", "content": ALIKE}], "edits": []}
    record(
        context,
        served("same", minutes=3 * DAY + 1, **shown),
        served("alike", minutes=4 * DAY + 1, **shown),
        served("dark", minutes=5 * DAY + 1, arm=Arm.HOLDOUT, **shown),
        served("late", minutes=6 * DAY + 7, **shown),
    )
    take_in(
        context,
        [
            *trying("same", 1, day=3),
            *trying("alike", 1, day=4, passing=alike),
            *trying("dark", 1, day=5),
            *trying("late", 1, day=6),
            attempt("late-9", "late", minutes=6 * DAY + 50, failed=False),
        ],
    )
    uses = rows(context, "select correlation_id, recognised_by, outcome from stf_uses order by at")
    assert uses == [
        {"correlation_id": uid("same"), "recognised_by": "code", "outcome": "succeeded"},
        {"correlation_id": uid("alike"), "recognised_by": "code", "outcome": "succeeded"},
    ]
    functions = rows(
        context, "select usage_count, success_count, failure_count, cluster_id from debug_transform_functions"
    )
    assert len(functions) == 2
    assert len({f["cluster_id"] for f in functions}) == 1
    assert {(f["usage_count"], f["success_count"], f["failure_count"]) for f in functions} == {(2, 2, 0)}
    contributions.run(context, SPAN)
    told = rows(context, "select attempt_id, subject from contributions where kind = 'reuse' order by occurred_at")
    assert told == [{"attempt_id": uid(f"{task}-1"), "subject": function} for task in ("same", "alike")]


def test_a_shown_function_that_is_tried_in_vain_is_a_failure_of_it(context: StepContext, function: str) -> None:
    record(context, served("vain", minutes=3 * DAY + 1, stf_hashes=(function,)))
    written = {"code_written": [{"path": "other.py", "language": "python", "content": ALIKE}]}
    take_in(
        context,
        [
            attempt("vain-0", "vain", minutes=3 * DAY, failed=True),
            attempt("vain-1", "vain", minutes=3 * DAY + 9, failed=True, **written),
        ],
    )
    (row,) = rows(context, "select usage_count, success_count, failure_count from debug_transform_functions")
    assert row == {"usage_count": 1, "success_count": 0, "failure_count": 1}
    # the task goes on and succeeds: the fold says so, nothing was counted up
    take_in(context, [attempt("vain-2", "vain", minutes=3 * DAY + 20, failed=False, code_written=[])])
    (row,) = rows(context, "select usage_count, success_count, failure_count from debug_transform_functions")
    assert row == {"usage_count": 1, "success_count": 1, "failure_count": 0}


def test_reported_reuse_counts_once_a_task_and_never_of_ones_own_work(context: StepContext, function: str) -> None:
    told = {"stf_ids": [function, "no such function"], "code_written": []}
    take_in(
        context,
        [
            *trying("reports", 1, day=3, passing=told),
            attempt("reports-9", "reports", minutes=3 * DAY + 60, failed=False, **told),
            attempt("origin-9", "origin", minutes=3 * DAY, failed=False, **told),
        ],
    )
    uses = rows(context, "select correlation_id, recognised_by, outcome from stf_uses")
    assert uses == [{"correlation_id": uid("reports"), "recognised_by": "report", "outcome": "succeeded"}]


def test_uses_follow_a_cluster_that_is_joined_later(context: StepContext, function: str) -> None:
    far = CODE.replace("read_name", "name_of").replace(".strip()", ".strip().title().strip()").replace("None", "False")
    written = {"code_written": [{"path": "o.py", "language": "python", "content": far}], "edits": []}
    record(context, served("far", minutes=3 * DAY + 1, stf_hashes=(function,)))
    take_in(context, trying("far", 1, day=3, passing=written))
    before = rows(context, "select distinct cluster_id from debug_transform_functions")
    between = far.replace("False", "None")
    bridge = {"code_written": [{"path": "b.py", "language": "python", "content": between}], "edits": []}
    take_in(context, trying("bridge", 1, day=4, passing=bridge))
    after = rows(context, "select distinct cluster_id from debug_transform_functions")
    if (len(before), len(after)) != (2, 1):
        pytest.fail(f"the sample no longer joins two clusters: {len(before)} -> {len(after)}")
    assert [r["correlation_id"] for r in rows(context, "select correlation_id from stf_uses")] == [uid("far")]
    counted = rows(context, "select usage_count from debug_transform_functions")
    assert [row["usage_count"] for row in counted] == [1, 1, 1]


def test_golden_states_count_their_reuse(context: StepContext) -> None:
    context = StepContext(
        context.database,
        context.settings.model_copy(
            update={
                "golden": context.settings.golden.model_copy(update={"nominate_quality": 0.5, "approve_quality": 0.5})
            }
        ),
    )
    take_in(context, fixed_task("origin", day=0))
    (golden,) = rows(context, "select golden_state_id, stf_hash, state, reuse_count from debug_golden_states")
    assert (golden["state"], golden["reuse_count"]) == ("approved", 0)
    ids = (golden["golden_state_id"],)
    record(context, served("shown", minutes=3 * DAY + 1, golden_state_ids=ids, stf_hashes=(golden["stf_hash"],)))
    take_in(
        context,
        [
            *trying("shown", 1, day=3),
            *trying("told", 1, day=4, passing={"golden_state_ids": [*ids, "garbage"], "code_written": []}),
        ],
    )
    counts = {r["golden_state_id"]: r["reuse_count"] for r in rows(context, "select * from debug_golden_states")}
    assert counts[ids[0]] == 2
    events = rows(context, "select action, actor from golden_events where action = 'record_reuse'")
    assert len(events) == 2


def test_a_served_fix_that_did_not_help_is_registered_once(context: StepContext) -> None:
    take_in(context, fixed_task("origin", day=0))
    (known,) = rows(context, "select * from debug_error_success_mappings")
    record(context, served("vain", minutes=3 * DAY + 1, mapping_ids=(known["mapping_id"],)))
    fix = [
        {
            "path": "config.py",
            "language": "python",
            "before": 'return record["name"]',
            "after": 'return record.get("name", default)',
            "step": 100_000,
        }
    ]
    take_in(
        context,
        [
            attempt("vain-0", "vain", minutes=3 * DAY, failed=True),
            attempt("vain-1", "vain", minutes=3 * DAY + 9, failed=True, edits=fix),
            attempt("vain-2", "vain", minutes=3 * DAY + 19, failed=True),
        ],
    )
    (after,) = rows(context, f"select * from debug_error_success_mappings where mapping_id = '{known['mapping_id']}'")
    assert (after["success_count"], after["failure_count"]) == (1, 1)


def test_forgetting_a_session_takes_its_outcome_and_its_reuse_along(context: StepContext, function: str) -> None:
    record(context, served("same", minutes=3 * DAY + 1, stf_hashes=(function,)))
    take_in(context, trying("same", 4, day=3))
    assert rows(context, "select usage_count from debug_transform_functions")[0]["usage_count"] == 1
    assert len(rows(context, "select * from stuck_loops")) == 1
    forget(context, "session", "session-same")
    for table in ("recommendation_outcomes", "reuse_offers", "stf_uses", "recommendation_effect", "stuck_loops"):
        assert rows(context, f"select * from {table}") == [], table
    assert rows(context, "select usage_count from debug_transform_functions")[0]["usage_count"] == 0


def test_a_loop_is_charged_with_what_repeated_it(context: StepContext) -> None:
    *failing, passing = trying("loops", 4, day=1)
    take_in(context, failing)
    (loop,) = rows(context, "select * from stuck_loops")
    assert (loop["times"], loop["ended"]) == (4, False)
    take_in(context, [passing])
    (loop,) = rows(context, "select * from stuck_loops")
    assert (loop["times"], loop["attempts"], loop["ended"], loop["session_id"]) == (4, 3, True, "session-loops")
    (cost,) = rows(context, "select sum(cost_usd) as usd from execution_costs")
    assert loop["cost_usd"] == pytest.approx(cost["usd"] * 3 / 5)
    take_in(context, trying("works", 1, day=1))
    assert len(rows(context, "select * from stuck_loops")) == 1
