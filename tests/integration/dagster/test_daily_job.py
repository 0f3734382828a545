"""The whole daily job on a real instance: what it writes, what it shows, and that running it again changes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.storage.tags import RESUME_RETRY_TAG

from debug_loop_pipeline.assets import debug_intelligence
from debug_loop_pipeline.assets.plots import MAX_BYTES
from debug_loop_pipeline.checks.debug_intelligence import ALL_CHECKS
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.sensors.dirty_days import RANGE_END, RANGE_START
from debug_loop_pipeline.steps import error_patterns
from debug_loop_pipeline.steps.framework import Span
from tests.integration.dagster.conftest import Pipeline
from tests.support.digests import table_digests
from tests.support.events import START, attempt, fixed_task

FIRST = START.date()
SPAN = Span(FIRST, FIRST + timedelta(days=5))
SHORT = Span(FIRST, FIRST + timedelta(days=2))
"""Where it is not the point how many days there are: a run's cost is mostly that of its days."""
DAILY = {*debug_intelligence.REFRESHABLE, debug_intelligence.CLOSING}
DERIVED = (
    *("step_progress", "fold_marks", "debug_execution_attempts", "usage_records", "attempt_verifications"),
    *("attempt_errors", "attempt_stfs", "attempt_stf_quality", "execution_costs", "match_epochs", "stf_matches"),
    *("stf_clusters", "debug_transform_functions", "stf_bands", "resolutions", "mapping_events"),
    *("debug_error_success_mappings", "error_cost_items", "error_costs", "debug_golden_states", "golden_events"),
    *("recommendation_outcomes", "reuse_offers", "stf_uses", "recommendation_effect", "stuck_loops"),
)
PLOTTED = {
    "execution_attempts",
    "error_patterns",
    "execution_costs",
    "stf_quality",
    "stf_matches",
    "error_success_mappings",
    "error_costs",
}


def events(span: Span = SPAN) -> list[ExecutionEvent]:
    """A task on every day but the last, on which the one of the day before succeeds."""
    days = (span.last - span.first).days
    return [event for day in range(days) for event in fixed_task(f"task-{day}", day=day)]


def materializations(result: dg.ExecuteInProcessResult) -> list[dg.AssetMaterialization]:
    return [e.step_materialization_data.materialization for e in result.get_asset_materialization_events()]


def failed_steps(result: dg.ExecuteInProcessResult) -> list[str]:
    return sorted(event.step_key or "" for event in result.all_events if event.is_step_failure)


def check_results(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def shown(result: dg.ExecuteInProcessResult, asset: str, partition: str) -> dict[str, Any]:
    [found] = [
        m.metadata for m in materializations(result) if m.asset_key == dg.AssetKey(asset) and m.partition == partition
    ]
    return {key: value.value for key, value in found.items()}


def digests(pipeline: Pipeline) -> dict[str, str]:
    """What the tables hold, matches left out: which epoch they are made in depends on the order (test_steps_recompute pins it)."""
    return {
        table: digest for table, digest in table_digests(pipeline.context.database).items() if table != "stf_matches"
    }


def test_a_range_materialises_every_asset_and_day_with_metadata_and_passing_checks(pipeline: Pipeline) -> None:
    assert pipeline.seed_prices().success
    pipeline.ingest(events())
    assert len(pipeline.dirty()) == 6
    result = pipeline.run(SPAN, whole=True)
    assert failed_steps(result) == []
    days = [(SPAN.first + timedelta(days=n)).isoformat() for n in range(6)]
    told = materializations(result)
    assert sorted((m.asset_key.to_user_string(), m.partition) for m in told) == sorted(
        (asset, day) for asset in DAILY for day in days
    )
    assert pipeline.dirty() == []

    attempts_of = {day: shown(result, "execution_attempts", day)["dagster/partition_row_count"] for day in days}
    assert list(attempts_of.values()) == [1, 2, 2, 2, 2, 1]
    assert shown(result, "execution_attempts", days[0])["attempts"] == 10
    assert shown(result, "stf_registry", days[-1])["dagster/row_count"] == 1
    assert shown(result, "execution_costs", days[-1])["cost_usd"] > 0
    assert shown(result, "error_patterns", days[-1])["seconds"] > 0

    plots = [
        (m.asset_key.to_user_string(), m.partition, m.metadata["plot"].value) for m in told if "plot" in m.metadata
    ]
    assert {(asset, partition) for asset, partition, _ in plots} == {(asset, days[-1]) for asset in PLOTTED}
    for asset, _, plot in plots:
        assert "data:image/png;base64," in plot, asset
        assert len(plot) <= MAX_BYTES, asset
    assert "read_name" in shown(result, "extracted_stfs", days[-1])["sample"].replace("\\", "")
    assert "&lt;VALUE&gt;" in shown(result, "error_patterns", days[-1])["top_errors"]

    checks = check_results(result)
    daily_checks = {s.name for c in ALL_CHECKS for s in c.check_specs if s.asset_key.to_user_string() in DAILY}
    assert set(checks) == daily_checks
    not_passed = {name: check.metadata for name, check in checks.items() if not check.passed}
    assert set(not_passed) == {
        "unpriced_share",
        "weak_evidence_share",
        "stuck_share",
        "what_is_served_does_no_harm",
    }
    assert {check["status"].value for check in not_passed.values()} == {"not enough data"}


def test_too_few_rows_warn_that_there_is_not_enough_data_instead_of_passing_or_failing(pipeline: Pipeline) -> None:
    day = Span(FIRST, FIRST)
    pipeline.ingest([attempt(f"few-{n}", "few", minutes=n, failed=False) for n in range(10)])
    asset = ("execution_attempts",)  # whose check it is
    check = check_results(pipeline.run(day, only=asset, whole=True))["weak_evidence_share"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["status"].value == "not enough data"
    assert check.metadata["whole"].value == 10
    pipeline.ingest([attempt(f"more-{n}", "more", minutes=n, failed=False) for n in range(10)])
    assert check_results(pipeline.run(day, only=asset, whole=True))["weak_evidence_share"].passed


def test_day_by_day_backwards_the_same_range_again_and_from_nothing_give_equal_rows(pipeline: Pipeline) -> None:
    assert pipeline.seed_prices().success
    pipeline.ingest([event for event in events() if event.started_at.date() <= SHORT.last])
    for offset in (2, 1, 0):
        day = FIRST + timedelta(days=offset)
        assert pipeline.run(Span(day, day)).success
    backwards = digests(pipeline)
    assert pipeline.run(SHORT).success
    assert digests(pipeline) == backwards
    pipeline.execute(f"truncate {', '.join(DERIVED)}")
    assert pipeline.run(SHORT).success
    assert digests(pipeline) == backwards


def test_a_full_refresh_computes_again_what_did_not_change(pipeline: Pipeline) -> None:
    pipeline.ingest(events(SHORT))
    assert pipeline.run(SHORT).success
    day = SHORT.last.isoformat()
    again = pipeline.run(SHORT)
    assert shown(again, "execution_attempts", day)["attempts"] == 0
    assert shown(again, "stf_registry", day)["keys"] == 0
    refreshed = pipeline.run(SHORT, full_refresh=("execution_attempts", "stf_registry"))
    assert shown(refreshed, "execution_attempts", day)["attempts"] == 4
    assert shown(refreshed, "execution_attempts", day)["rows_updated"] == 0
    assert shown(refreshed, "stf_registry", day)["keys"] == 1
    assert shown(refreshed, "error_patterns", day)["attempts"] == 0


def test_an_event_that_comes_in_during_a_run_keeps_its_day_dirty(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.ingest(events(SHORT))
    derive = error_patterns.ErrorPatternsStep.derive

    def late(self, context, chunk, connection):  # the day's attempts are read already
        ingest = [attempt("late", "late", minutes=60, failed=False)]
        if not context.executions.events_of_attempts([ingest[0].attempt_id]):
            pipeline.ingest(ingest)
        return derive(self, context, chunk, connection)

    monkeypatch.setattr(error_patterns.ErrorPatternsStep, "derive", late)
    assert pipeline.run(SHORT).success
    assert pipeline.dirty() == [FIRST]
    assert pipeline.run(Span(FIRST, FIRST)).success
    assert pipeline.dirty() == []
    assert pipeline.rows("select count(*) as n from debug_execution_attempts")[0]["n"] == 5


def test_a_run_that_fails_leaves_its_days_dirty_and_the_next_one_settles_them(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.ingest(events(SHORT))

    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(error_patterns.ErrorPatternsStep, "derive", fails)
        result = pipeline.run(SHORT)
    assert failed_steps(result) == ["error_patterns"]
    assert len(pipeline.dirty()) == 3
    assert pipeline.run(SHORT).success
    assert pipeline.dirty() == []


def test_a_retry_from_the_failed_step_settles_the_marks_that_the_failed_run_saw(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.ingest(events(SHORT))

    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(error_patterns.ErrorPatternsStep, "derive", fails)
        first = pipeline.run(SHORT)
    repository = ReconstructableRepository.for_module("debug_loop_pipeline.definitions", "defs")
    job = repository.get_reconstructable_job("debug_intelligence_gated_job")
    from_failure = dg.ReexecutionOptions.from_failure(first.run_id, pipeline.instance)
    # the tags that the daemon's retry and the UI's "from failure" give
    tags = {tag: first.dagster_run.tags[tag] for tag in (RANGE_START, RANGE_END)} | {RESUME_RETRY_TAG: "true"}
    with dg.execute_job(job, pipeline.instance, tags=tags, reexecution_options=from_failure) as retried:
        assert retried.success
        started = {event.step_key for event in retried.all_events if event.is_step_start}
    assert "execution_attempts" not in started
    assert {"error_patterns", "settled_days"} <= started
    assert pipeline.dirty() == []


def test_a_blocking_check_that_fails_holds_back_what_is_downstream_in_the_same_run(pipeline: Pipeline) -> None:
    pipeline.ingest(events(SHORT))
    assert pipeline.run(SHORT).success
    pipeline.execute("update attempt_errors set pattern = '' where position = 0")
    pipeline.ingest([attempt("one-more", "one-more", minutes=30, failed=True)])
    result = pipeline.run(SHORT)
    assert not result.success
    assert not check_results(result)["errors_in_range"].passed
    done = {m.asset_key.to_user_string() for m in materializations(result)}
    assert done & {"error_success_mappings", "error_costs", "settled_days"} == set()
    assert {"error_patterns", "execution_costs", "stf_registry", "golden_states"} <= done
    assert pipeline.dirty() == [FIRST]


def test_another_code_version_recomputes_and_reports_what_moved(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.ingest(events(SHORT))
    pipeline.ingest([attempt("value", "value", minutes=90, failed=True, error="ValueError: bad value 7")])
    assert pipeline.run(SHORT).success
    before = pipeline.rows("select distinct signature from attempt_errors order by 1")
    assert len(before) == 2
    patterns = error_patterns.event_error_patterns

    def regrouped(event: ExecutionEvent) -> Any:
        """The KeyErrors in two groups by the day's parity, the ValueError in one of them."""
        group = "ab"[event.started_at.day % 2] * 64
        return [pattern.model_copy(update={"signature": group}) for pattern in patterns(event)]

    monkeypatch.setattr(error_patterns, "event_error_patterns", regrouped)
    monkeypatch.setattr(error_patterns.ErrorPatternsStep, "code_version", "errors=next")
    result = pipeline.run(SHORT)
    assert result.success
    [report] = pipeline.rows(
        "select step, from_version, to_version, first_day, last_day, report from recompute_reports"
    )
    assert (report["step"], report["from_version"], report["to_version"]) == (
        "error_patterns",
        error_patterns.versions.ERROR_PATTERNS,
        "errors=next",
    )
    assert (report["first_day"], report["last_day"]) == (SHORT.first, SHORT.last)
    told = report["report"]
    assert told["tables"]["attempt_errors"] == {"added": 0, "removed": 0, "changed": 3, "same": 0}
    assert told["groups"]["attempt_errors"] == {"split": 1, "merged": 1, "renamed": 2}
    assert told["samples"][0]["columns"].keys() >= {"signature"}
    assert shown(result, "error_patterns", SHORT.last.isoformat())["recompute"] == told
    assert "recompute" not in shown(result, "error_patterns", SHORT.first.isoformat())


def test_attempts_that_came_before_the_prices_are_costed_when_the_prices_come(pipeline: Pipeline) -> None:
    pipeline.ingest(events(SHORT))
    assert pipeline.run(SHORT).success
    unpriced = "select count(*) as n from execution_costs where cost_usd is null"
    assert pipeline.rows(unpriced)[0]["n"] == 4
    assert pipeline.seed_prices().success
    assert len(pipeline.dirty()) == 3
    assert pipeline.run(SHORT).success
    assert (pipeline.rows(unpriced)[0]["n"], pipeline.dirty()) == (0, [])
    assert pipeline.seed_prices().success
    assert pipeline.dirty() == []
