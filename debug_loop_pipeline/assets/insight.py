"""What the tables say about a range of days, for the metadata of a materialization: counts, samples, plots."""

from __future__ import annotations

from typing import Any

from debug_loop_pipeline.assets.daily import table_sample
from debug_loop_pipeline.assets.plots import bar_plot, histogram, line_plot
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.steps.framework import Span

_SAMPLE = 8


class DayInsight:
    """Reads for one run's span."""

    def __init__(self, database: Database, span: Span) -> None:
        self._database = database
        self._days = {"first": span.first, "last": span.last, "sample": _SAMPLE}

    def _rows(self, query: str) -> list[dict[str, Any]]:
        return fetch_rows(self._database, query, self._days, operation="insight")

    def attempts(self) -> dict[str, Any]:
        """Attempts by outcome and evidence."""
        rows = self._rows(
            "select outcome, evidence_tier, count(*) as attempts from debug_execution_attempts"
            " where day between :first and :last group by 1, 2 order by 1, 2"
        )
        total = sum(row["attempts"] for row in rows)
        return {"dagster/partition_row_count": total, "by_outcome": table_sample(rows)}

    def errors(self) -> dict[str, Any]:
        """The most frequent error patterns."""
        rows = self._rows(
            "select left(signature, 12) as signature, min(category) as category, min(left(pattern, 90)) as pattern, count(*) as errors"
            " from attempt_errors where day between :first and :last and origin = 'agent_action'"
            " group by 1 order by errors desc, 1 limit :sample"
        )
        metadata: dict[str, Any] = {"top_errors": table_sample(rows), **self._count("attempt_errors")}
        if rows:
            metadata["plot"] = bar_plot(
                [r["pattern"] for r in rows], [r["errors"] for r in rows], "most frequent errors", "errors"
            )
        return metadata

    def costs(self) -> dict[str, Any]:
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
        metadata: dict[str, Any] = {
            "cost_usd": sum(row["usd"] for row in per_day),
            "by_model": table_sample(per_model),
            **self._count("execution_costs"),
        }
        if per_day:
            metadata["plot"] = line_plot(
                [r["day"] for r in per_day], [r["usd"] for r in per_day], "cost per day", "USD"
            )
        return metadata

    def functions(self) -> dict[str, Any]:
        """A sample of extracted functions."""
        rows = self._rows(
            "select language, name, end_line - start_line + 1 as lines, round(confidence::numeric, 2) as confidence"
            " from attempt_stfs where day between :first and :last order by confidence desc, name, attempt_id, position limit :sample"
        )
        return {"sample": table_sample(rows), **self._count("attempt_stfs")}

    def quality(self) -> dict[str, Any]:
        """Distribution of the quality score."""
        rows = self._rows("select quality_score from attempt_stf_quality where day between :first and :last")
        metadata = self._count("attempt_stf_quality")
        if rows:
            metadata["plot"] = histogram(
                [r["quality_score"] for r in rows], "quality of extracted functions", "quality"
            )
        return metadata

    def registry(self) -> dict[str, Any]:
        """Functions by tier and approval, over all days: the registry spans them."""
        rows = self._rows(
            "select quality_tier, approval, count(*) as functions, count(distinct cluster_id) as clusters"
            " from debug_transform_functions group by 1, 2 order by 1, 2"
        )
        return {"dagster/row_count": sum(row["functions"] for row in rows), "by_tier": table_sample(rows)}

    def mappings(self) -> dict[str, Any]:
        """The best fixes and the distribution of confidence, over all days."""
        rows = self._rows(
            "select left(pattern, 80) as error, success_count as worked, failure_count as failed,"
            " round(wilson_lower_bound::numeric, 2) as lower_bound, state"
            " from debug_error_success_mappings order by wilson_lower_bound desc, mapping_id limit :sample"
        )
        confidences = self._rows("select confidence from debug_error_success_mappings")
        metadata: dict[str, Any] = {"dagster/row_count": len(confidences), "best_fixes": table_sample(rows)}
        if confidences:
            metadata["plot"] = histogram([r["confidence"] for r in confidences], "confidence of mappings", "confidence")
        return metadata

    def error_costs(self) -> dict[str, Any]:
        """The dearest errors of these days."""
        rows = self._rows(
            "select left(signature, 12) as signature, sum(failed_attempts) as failed, sum(retry_attempts) as retries,"
            " round(sum(cost_usd), 4) as usd, round(sum(cost_after_fix_known_usd), 4) as usd_after_fix_known"
            " from error_costs where day between :first and :last group by 1 order by usd desc, 1 limit :sample"
        )
        return {"dearest_errors": table_sample(rows), **self._count("error_costs")}

    def golden(self) -> dict[str, Any]:
        """Golden states by state, over all days."""
        rows = self._rows("select state, count(*) as golden_states from debug_golden_states group by 1 order by 1")
        return {"dagster/row_count": sum(row["golden_states"] for row in rows), "by_state": table_sample(rows)}

    def _count(self, table: str) -> dict[str, Any]:
        rows = self._rows(f"select count(*) as rows from {table} where day between :first and :last")
        return {"dagster/partition_row_count": rows[0]["rows"]}
