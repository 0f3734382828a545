"""Step `stf_quality`: the five-dimension score of each extracted function, as it occurred."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from debug_loop_pipeline.compute.stf_quality import OccurrenceMetadata, score_quality
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.step_store import PendingAttempt, Table
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.code_scores import CODE_SCORES
from debug_loop_pipeline.steps.framework import Derived, StepContext

QUALITY = Table(
    "attempt_stf_quality",
    (
        "attempt_id",
        "position",
        "day",
        "stf_hash",
        "completeness",
        "documentation",
        "onex_compliance",
        "metadata",
        "complexity",
        "quality_score",
        "tier",
    ),
    ("attempt_id", "position"),
)


class StfQualityStep:
    """One row per extracted function."""

    name = "stf_quality"
    code_version = versions.STF_QUALITY
    upstream: tuple[str, str] | None = ("extracted_stfs", versions.EXTRACTED_STFS)

    def derive(self, context: StepContext, chunk: Sequence[PendingAttempt], connection: Connection) -> Derived:
        """Rows of `attempt_stf_quality`; the hashes and attempts concerned are marked for their folds."""
        ids = [p.attempt_id for p in chunk]
        days = {p.attempt_id: p.day for p in chunk}
        events = {e.attempt_id: e for e in context.executions.events_of_attempts(ids, connection)}
        found = fetch_rows(
            context.database,
            "select attempt_id, position, day, stf_hash, language, code, details from attempt_stfs"
            " where attempt_id = any(:ids) order by attempt_id, position",
            {"ids": ids},
            connection,
        )
        rows: list[tuple[Any, ...]] = []
        for row in found:
            event = events[row["attempt_id"]]
            quality = score_quality(
                CODE_SCORES.score(row["code"], row["language"]),
                OccurrenceMetadata(
                    version_known=event.context.commit is not None,
                    description_known=bool(row["details"].get("docstring_summary") or event.user_request.strip()),
                    author_known=bool(event.peer_id or event.agent_name),
                ),
            )
            rows.append(
                (
                    row["attempt_id"],
                    row["position"],
                    row["day"],
                    row["stf_hash"],
                    quality.completeness,
                    quality.documentation,
                    quality.onex_compliance,
                    quality.metadata,
                    quality.complexity,
                    quality.quality_score,
                    quality.tier.value,
                )
            )
        return Derived(
            {QUALITY: rows},
            marks={
                "stf_registry": [(row[3], row[2]) for row in rows],
                "golden_states": [(str(attempt), day) for attempt, day in days.items()],
            },
        )
