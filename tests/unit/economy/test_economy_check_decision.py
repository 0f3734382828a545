"""What the economy's checks say of the numbers: passed, failed, or not enough data, and nothing in between."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg
import pytest

from debug_loop_pipeline.checks.definition import shown
from debug_loop_pipeline.checks.rules import Finding
from debug_loop_pipeline.checks.token_economy import (
    LEAST_READS,
    METRIC_CHECKS,
    NOT_ENOUGH_DATA,
    cache_hit_finding,
    judge_metric,
    reconciliation_finding,
)
from debug_loop_pipeline.steps.reconcile import Reconciliation

DAY = date(2026, 3, 1)


def row(value: float | None, met: bool | None, status: str = "ok", /, **details: Any) -> dict[str, Any]:
    return {"status": status, "value": value, "met": met, "sample_size": 12, "details": details, "target": None}


def test_a_met_target_passes_and_a_missed_one_fails_with_the_number() -> None:
    assert judge_metric({DAY: {"gini": row(0.3, True, target="< 0.5")}}, "gini").passed is True
    missed = judge_metric({DAY: {"gini": row(0.7, False, target="< 0.5")}}, "gini")
    assert missed.passed is False
    assert missed.numbers["value"] == 0.7
    assert missed.numbers["target"] == "< 0.5"


def test_the_latest_day_counts() -> None:
    days = {date(2026, 2, 1): {"gini": row(0.9, False)}, DAY: {"gini": row(0.1, True)}}
    finding = judge_metric(days, "gini")
    assert finding.passed is True
    assert finding.numbers["day"] == "2026-03-01"


@pytest.mark.parametrize(
    "days",
    [
        {},
        {DAY: {}},
        {DAY: {"gini": row(None, None, "not_enough_data", detail="3 contributors, 10 are needed", value=0.1)}},
    ],
)
def test_not_enough_data_is_a_warning_that_neither_passes_nor_fails(days: dict[date, Any]) -> None:
    finding = judge_metric(days, "gini")
    assert finding.passed is None
    assert finding.numbers["status"] == NOT_ENOUGH_DATA
    result = shown(finding, dg.AssetCheckSeverity.ERROR)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_a_metric_without_a_target_is_information() -> None:
    assert judge_metric({DAY: {"supply": row(12.5, None, unit="tokens")}}, "supply").passed is True


def test_earnings_without_any_spending_say_so_in_words() -> None:
    finding = judge_metric({DAY: {"earnings_vs_spending": row(float("inf"), True)}}, "earnings_vs_spending")
    assert finding.passed is True
    assert finding.numbers["value"] == "nothing was spent"


def test_targets_warn_and_never_stop_a_run() -> None:
    assert {check.severity for check in METRIC_CHECKS} == {dg.AssetCheckSeverity.WARN}
    assert not any(check.blocking for check in METRIC_CHECKS)


def test_few_reads_say_nothing_of_a_cache() -> None:
    assert cache_hit_finding(LEAST_READS - 1, 0).passed is None
    assert cache_hit_finding(81, 19).passed is True
    assert cache_hit_finding(80, 20).passed is False


def test_a_difference_fails_also_where_another_copy_could_not_be_looked_at() -> None:
    assert reconciliation_finding(Reconciliation(accounts=3)).passed is True
    skipped = Reconciliation(skipped=["the cache: gone"])
    assert reconciliation_finding(skipped).passed is None
    assert reconciliation_finding(skipped).numbers["status"] == NOT_ENOUGH_DATA
    skipped.differ("balances = accounts", "ann", 1, 2)
    finding = reconciliation_finding(skipped)
    assert finding.passed is False
    assert finding.offenders == [{"check": "balances = accounts", "subject": "ann", "expected": "1", "found": "2"}]


def test_a_finding_shows_its_worst() -> None:
    result = shown(Finding(False, {"rows": 2}, [{"peer": "eve"}]), dg.AssetCheckSeverity.ERROR)
    assert result.severity is dg.AssetCheckSeverity.ERROR
    assert "eve" in str(result.metadata["offenders"].value)
