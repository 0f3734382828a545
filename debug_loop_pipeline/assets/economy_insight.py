"""What the economy's tables say, for the metadata of a materialization: counts, samples, plots.

Here: reads for people who look at an asset in the UI. Not here: what must hold (`checks/token_economy`).
"""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg

from debug_loop_pipeline.assets.insight import Insight
from debug_loop_pipeline.assets.plots import bar_plot, curve_plot, line_plot
from debug_loop_pipeline.assets.tables import table_sample
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.models.economic_metrics import METRIC_MEANINGS
from debug_loop_pipeline.models.token import MILLITOKENS_PER_TOKEN
from debug_loop_pipeline.steps.framework import Span

_SAMPLE = 8
_PLOTTED_DAYS = 90


class EconomyInsight:
    """Reads for one run's span."""

    def __init__(self, database: Database, span: Span) -> None:
        self._database = database
        self._last = span.last
        self._params = {"first": span.first, "last": span.last, "sample": _SAMPLE, "unit": MILLITOKENS_PER_TOKEN}

    def contributions(self) -> Insight:
        """Contributions by kind and status."""
        rows = self._rows(
            "select kind, status, count(*) as contributions, count(distinct peer_id) as peers from contributions"
            " where attempt_day between :first and :last group by 1, 2 order by 1, 2"
        )
        return Insight(
            rows_of_day=self._per_day("contributions", "attempt_day"), shown={"by_kind_and_status": table_sample(rows)}
        )

    def rewards(self) -> Insight:
        """What was paid, for what and to whom, and why the rest was not."""
        paid = self._rows(
            "select kind, count(*) as rewarded, round(sum(amount)::numeric / :unit, 3) as tokens from contributions"
            " where status = 'rewarded' and attempt_day between :first and :last group by 1 order by tokens desc, 1"
        )
        refused = self._rows(
            "select coalesce(decision #>> '{validation,reasons,0}', decision #>> '{reward,explanation}') as why, count(*) as contributions"
            " from contributions where status in ('rejected', 'unrewarded', 'rate_limited')"
            " and attempt_day between :first and :last group by 1 order by 2 desc, 1 limit :sample"
        )
        top = self._rows(
            "select peer_id, round(sum(amount)::numeric / :unit, 3)::float8 as tokens from contributions"
            " where status = 'rewarded' and attempt_day between :first and :last group by 1 order by 2 desc, 1 limit :sample"
        )
        found = Insight(shown={"paid": table_sample(paid), "not_paid": table_sample(refused)})
        if top:
            found.shown["plot"] = bar_plot(
                [row["peer_id"] for row in top], [row["tokens"] for row in top], "who earned", "tokens"
            )
        return found

    def spending(self) -> Insight:
        """Who was charged."""
        rows = self._rows(
            "select t.peer_id, count(*) as attempts, round(sum(t.spent)::numeric / :unit, 3) as tokens,"
            " round(sum(t.uncovered)::numeric / :unit, 3) as uncovered from token_charges t join execution_costs c using (attempt_id)"
            " where c.day between :first and :last group by 1 order by tokens desc, 1 limit :sample"
        )
        return Insight(shown={"charged": table_sample(rows)})

    def metrics(self) -> Insight:
        """The last day's numbers, and how they moved."""
        days = metric_days(self._database, self._last)
        if not days:
            return Insight()
        day = max(days)
        shown: dict[str, dg.MetadataValue[Any]] = {
            "metrics": table_sample(
                {
                    "metric": name,
                    "value": _told(row["value"]),
                    "target": row["details"].get("target") or "-",
                    "target met": {True: "yes", False: "no", None: "-"}[row["met"]],
                    "status": row["status"].replace("_", " "),
                    "what it is": METRIC_MEANINGS.get(name, ""),
                }
                for name, row in sorted(days[day].items())
            )
        }
        for name in ("supply", "velocity"):
            plot = metric_plot(days, name)
            if plot is not None:
                shown[f"{name}_plot"] = plot
        return Insight(numbers={"day": day.isoformat()}, shown=shown)

    def _rows(self, query: str) -> list[dict[str, Any]]:
        return fetch_rows(self._database, query, self._params, operation="insight")

    def _per_day(self, table: str, column: str) -> dict[str, int]:
        rows = self._rows(
            f"select {column}::text as day, count(*) as rows from {table} where {column} between :first and :last group by 1"
        )
        return {row["day"]: row["rows"] for row in rows}


MetricDays = dict[date, dict[str, dict[str, Any]]]
"""Day -> metric -> its row."""


def metric_days(database: Database, last: date | None = None) -> MetricDays:
    """The latest days whose metrics are known, oldest first."""
    rows = fetch_rows(
        database,
        "select day, metric, status, value, target, met, sample_size, details from economic_metrics where day in"
        " (select distinct day from economic_metrics where cast(:last as date) is null or day <= :last order by day desc limit :days)"
        " order by day, metric",
        {"last": last, "days": _PLOTTED_DAYS},
    )
    days: MetricDays = {}
    for row in rows:
        days.setdefault(row["day"], {})[row["metric"]] = row
    return days


def _told(value: float | None) -> str:
    if value is None:
        return "-"
    return "nothing was spent" if value == float("inf") else str(round(value, 4))


def metric_plot(days: MetricDays, name: str) -> dg.MarkdownMetadataValue | None:
    """A metric by day, the days left out that have no finite value; None where none has."""
    points = [(day.isoformat(), rows[name]["value"]) for day, rows in days.items() if name in rows]
    points = [(day, value) for day, value in points if value is not None and value != float("inf")]
    if not points:
        return None
    unit = "tokens" if "unit" in days[max(days)][name]["details"] else name
    return line_plot([day for day, _ in points], [value for _, value in points], f"{name} by day", unit)


def lorenz_plot(points: list[list[float]]) -> dg.MarkdownMetadataValue | None:
    """The Lorenz curve of earnings; None without one."""
    if not points:
        return None
    return curve_plot([(x, y) for x, y in points], "Lorenz curve of earnings", "contributors", "earnings")
