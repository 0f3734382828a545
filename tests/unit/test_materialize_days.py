"""Which days `debug-loop materialize` asks Dagster for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from debug_loop_pipeline.cli.materialize import _spans
from debug_loop_pipeline.steps.framework import Span


def test_days_that_are_no_partition_today_are_left_out() -> None:
    today, earliest = datetime.now(UTC).date(), date(2026, 1, 1)
    days = [earliest - timedelta(days=1), earliest, today, today + timedelta(days=1)]
    assert _spans(days, None, None, earliest) == [Span(earliest, earliest), Span(today, today)]
