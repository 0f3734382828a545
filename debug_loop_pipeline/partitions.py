"""The partitions of the assets: one a day from the configured start, today included."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import dagster as dg

from debug_loop_pipeline.settings import load_settings
from debug_loop_pipeline.steps.framework import Span

DATE_FORMAT = "%Y-%m-%d"


@lru_cache(maxsize=1)
def daily_partitions() -> dg.DailyPartitionsDefinition:
    """Daily partitions in UTC from the configured start; `end_offset=1` makes today one of them.

    One object for all assets: Dagster remembers in it what it has worked out about its days.
    """
    start = load_settings().first_partition
    return dg.DailyPartitionsDefinition(start_date=start.strftime(DATE_FORMAT), timezone="UTC", end_offset=1)


def span_of(context: dg.AssetExecutionContext) -> Span:
    """The contiguous days of a run, be it one partition or a range."""
    keys = context.partition_keys
    return Span(date.fromisoformat(min(keys)), date.fromisoformat(max(keys)))
