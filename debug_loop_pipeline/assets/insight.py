"""What the tables say about a range of days, for the metadata of a materialization: counts, samples, plots.

Here: reads for people who look at an asset in the UI. Not here: what must hold of the rows (`checks/`), reports (`cli/report`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import dagster as dg

from debug_loop_pipeline.assets.plots import bar_plot, histogram, interval_plot, line_plot
from debug_loop_pipeline.assets.tables import table_sample
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.report_store import effect_rows
from debug_loop_pipeline.steps.framework import Span

_SAMPLE = 8
_BINS = 10


@dataclass(slots=True)
class Insight:
    """Metadata beside the counts of the step."""

    numbers: dict[str, Any] = field(default_factory=dict)
    """Of the whole run or the whole table."""
    rows_of_day: dict[str, int] | None = None
    """Rows per partition, where rows belong to a day."""
    shown: dict[str, dg.MetadataValue[Any]] = field(default_factory=dict)
    """Samples and plots. A range shows them once, on its last partition, or each partition would store its own copy."""


class DayInsight:
    """Reads for one run's span."""

    def __init__(self, database: Database, span: Span, *, plots: bool = True) -> None:
        """Describe what to read.

        Args:
            database: of the pipeline.
            span: the days of the run.
            plots: whether to draw; a plot costs as much as a step over a few attempts.
        """
        self._database = database
        self._plots = plots
        self._params = {"first": span.first, "last": span.last, "sample": _SAMPLE, "bins": _BINS}

    def attempts(self) -> Insight:
        """Attempts by outcome and evidence."""
        rows = self._rows(
            "select outcome, evidence_tier, count(*) as attempts from debug_execution_attempts"
            " where day between :first and :last group by 1, 2 order by 1, 2"
        )
        per_day = self._per_day("debug_execution_attempts")
        found = Insight(rows_of_day=per_day, shown={"by_outcome": table_sample(rows)})
        if len(per_day) > 1:
            self._draw(found, lambda: line_plot(list(per_day), list(per_day.values()), "attempts per day", "attempts"))
        return found

    def errors(self) -> Insight:
        """The most frequent error patterns."""
        rows = self._rows(
            "select left(signature, 12) as signature, min(category) as category, min(left(pattern, 200)) as pattern, count(*) as errors"
            " from attempt_errors where day between :first and :last and origin = 'agent_action'"
            " group by 1 order by errors desc, 1 limit :sample"
        )
        found = Insight(rows_of_day=self._per_day("attempt_errors"), shown={"top_errors": table_sample(rows)})
        if rows:
            labels, counts = [r["pattern"] for r in rows], [r["errors"] for r in rows]
            self._draw(found, lambda: bar_plot(labels, counts, "most frequent errors", "errors"))
        return found

    def costs(self) -> Insight:
        """Cost per day and per model."""
        per_day = self._rows(
            "select day::text as day, coalesce(sum(cost_usd), 0)::float8 as usd from execution_costs"
            " where day between :first and :last group by 1 order by 1"
        )
        per_model = self._rows(
            "select coalesce(model, '(none)') as model, count(*) as attempts, round(coalesce(sum(cost_usd), 0), 4) as usd,"
            " count(*) filter (where cost_usd is null) as unpriced"
            " from execution_costs where day between :first and :last group by 1 order by usd desc, 1 limit :sample"
        )
        found = Insight(
            numbers={"cost_usd": round(sum(row["usd"] for row in per_day), 6)},
            rows_of_day=self._per_day("execution_costs"),
            shown={"by_model": table_sample(per_model)},
        )
        if per_day:
            days, dollars = [r["day"] for r in per_day], [r["usd"] for r in per_day]
            self._draw(found, lambda: line_plot(days, dollars, "cost per day", "USD"))
        return found

    def functions(self) -> Insight:
        """A sample of extracted functions."""
        rows = self._rows(
            "select language, name, end_line - start_line + 1 as lines, round(confidence::numeric, 2) as confidence"
            " from attempt_stfs where day between :first and :last order by confidence desc, name, attempt_id, position limit :sample"
        )
        return Insight(rows_of_day=self._per_day("attempt_stfs"), shown={"sample": table_sample(rows)})

    def quality(self) -> Insight:
        """Distribution of the quality score."""
        found = Insight(rows_of_day=self._per_day("attempt_stf_quality"))
        self._histogram(
            found, "quality_score", "attempt_stf_quality where day between :first and :last", "quality of functions"
        )
        return found

    def registry(self) -> Insight:
        """Functions by tier and approval, over all days: the registry spans them."""
        rows = self._rows(
            "select quality_tier, approval, count(*) as functions, count(distinct cluster_id) as clusters"
            " from debug_transform_functions group by 1, 2 order by 1, 2"
        )
        return Insight(
            numbers={"dagster/row_count": sum(row["functions"] for row in rows)},
            shown={"by_tier": table_sample(rows)},
        )

    def matches(self) -> Insight:
        """The best matches of these days."""
        rows = self._rows(
            "select left(a.user_request, 200) as request, f.name as function, round(m.similarity::numeric, 2) as similarity,"
            " round(m.composite::numeric, 2) as composite"
            " from stf_matches m join debug_execution_attempts a using (attempt_id) join debug_transform_functions f using (stf_hash)"
            " where m.day between :first and :last order by m.composite desc, m.attempt_id, m.rank limit :sample"
        )
        found = Insight(rows_of_day=self._per_day("stf_matches"), shown={"best_matches": table_sample(rows)})
        self._histogram(found, "composite", "stf_matches where day between :first and :last", "score of matches")
        return found

    def mappings(self) -> Insight:
        """The best fixes and the distribution of confidence, over all days."""
        rows = self._rows(
            "select left(pattern, 200) as error, success_count as worked, failure_count as failed,"
            " round(wilson_lower_bound::numeric, 2) as lower_bound, state"
            " from debug_error_success_mappings order by wilson_lower_bound desc, mapping_id limit :sample"
        )
        states = self._rows(
            "select state, count(*) as mappings from debug_error_success_mappings group by 1 order by 1"
        )
        found = Insight(
            numbers={"dagster/row_count": sum(row["mappings"] for row in states)},
            shown={"best_fixes": table_sample(rows), "by_state": table_sample(states)},
        )
        self._histogram(found, "confidence", "debug_error_success_mappings", "confidence of mappings")
        return found

    def error_costs(self) -> Insight:
        """The dearest errors of these days."""
        rows = self._rows(
            "select left(c.signature, 12) as signature, min(left(e.pattern, 200)) as pattern, sum(c.failed_attempts) as failed,"
            " sum(c.retry_attempts) as retries, round(sum(c.cost_usd), 4) as usd,"
            " round(sum(c.cost_after_fix_known_usd), 4) as usd_after_fix_known"
            " from error_costs c"
            " left join lateral (select pattern from attempt_errors e where e.signature = c.signature limit 1) e on true"
            " where c.day between :first and :last group by 1 order by usd desc, 1 limit :sample"
        )
        found = Insight(rows_of_day=self._per_day("error_costs"), shown={"dearest_errors": table_sample(rows)})
        if rows:
            labels, dollars = [r["pattern"] or r["signature"] for r in rows], [float(r["usd"]) for r in rows]
            self._draw(found, lambda: bar_plot(labels, dollars, "dearest errors", "USD"))
        return found

    def golden(self) -> Insight:
        """Golden states by state, over all days."""
        rows = self._rows("select state, count(*) as golden_states from debug_golden_states group by 1 order by 1")
        return Insight(
            numbers={"dagster/row_count": sum(row["golden_states"] for row in rows)},
            shown={"by_state": table_sample(rows)},
        )

    def effect(self) -> Insight:
        """Both arms up to the last day of the range on which anything began, and the tasks behind them."""
        rows = self._rows(
            "select * from recommendation_effect where day = (select max(day) from recommendation_effect where day <= :last)"
            " order by measure"
        )
        found = Insight(
            numbers={f"{row['measure']}_status": row["status"] for row in rows},
            rows_of_day=self._per_day("recommendation_effect"),
            shown={"arms": table_sample(effect_rows(rows))},
        )
        for row in rows:
            if row["p_value"] is not None:
                found.numbers[f"{row['measure']}_p_value"] = row["p_value"]
                if row["measure"] == "attempts":
                    arms = ["treatment", "holdout"]
                    means = [(row[arm], row[f"{arm}_low"], row[f"{arm}_high"]) for arm in arms]
                    self._draw(
                        found,
                        partial(
                            interval_plot, arms, means, "attempts to success", "attempts per task, with 95 % interval"
                        ),
                    )
        return found

    def stuck(self) -> Insight:
        """The dearest loops of these days."""
        rows = self._rows(
            "select left(s.signature, 12) as signature, (select left(e.pattern, 200) from attempt_errors e"
            " where e.signature = s.signature order by e.at, e.attempt_id limit 1) as pattern, count(*) as loops, sum(s.times) as times,"
            " round(sum(s.cost_usd), 4) as usd from stuck_loops s where s.day between :first and :last"
            " group by s.signature order by usd desc, loops desc, 1 limit :sample"
        )
        return Insight(rows_of_day=self._per_day("stuck_loops"), shown={"dearest_loops": table_sample(rows)})

    def _rows(self, query: str) -> list[dict[str, Any]]:
        return fetch_rows(self._database, query, self._params, operation="insight")

    def _per_day(self, table: str) -> dict[str, int]:
        rows = self._rows(
            f"select day::text as day, count(*) as rows from {table} where day between :first and :last group by 1 order by 1"
        )
        return {row["day"]: row["rows"] for row in rows}

    def _draw(self, found: Insight, plot: Callable[[], dg.MarkdownMetadataValue]) -> None:
        if self._plots:
            found.shown["plot"] = plot()

    def _histogram(self, found: Insight, column: str, source: str, title: str) -> None:
        """Adds a histogram of a column between 0 and 1, counted by the server: a range may hold millions of rows."""
        if not self._plots:
            return
        rows = self._rows(
            f"select least(width_bucket({column}, 0, 1, :bins), :bins) as bin, count(*) as rows from {source} group by 1 order by 1"
        )
        if rows:
            counts = {row["bin"]: row["rows"] for row in rows}
            self._draw(found, lambda: histogram([counts.get(bin, 0) for bin in range(1, _BINS + 1)], title, column))
