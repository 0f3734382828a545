"""Step `stf_quality`: the five-dimension score of each extracted function, as it occurred."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.compute.code.source_tree import SourceError
from debug_loop_pipeline.compute.stf_quality import QualityInputs, TierLimits, quality
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
        limits = context.settings.quality
        tiers = TierLimits(limits.excellent, limits.good, limits.fair)
        rows: list[tuple[Any, ...]] = []
        problems: dict[UUID, str] = {}
        for row in found:
            event = events[row["attempt_id"]]
            try:
                scores = CODE_SCORES.score(row["code"], row["language"], limits.cache_ttl_seconds)
            except SourceError as error:
                problems[row["attempt_id"]] = f"{row['stf_hash'][:12]}: {error}"
                continue
            scored = quality(
                scores,
                QualityInputs(
                    version_known=event.context.commit is not None,
                    description=row["details"]["docstring_summary"] or event.user_request,
                    author_known=bool(event.peer_id or event.agent_name),
                ),
                tiers,
            )
            rows.append(
                (
                    row["attempt_id"],
                    row["position"],
                    row["day"],
                    row["stf_hash"],
                    scored.completeness,
                    scored.documentation,
                    scored.onex_compliance,
                    scored.metadata,
                    scored.complexity,
                    scored.quality_score,
                    scored.tier.value,
                )
            )
        return Derived(
            {QUALITY: rows},
            problems,
            marks={
                "stf_registry": [(row[3], row[2]) for row in rows],
                "golden_states": [(str(attempt), day) for attempt, day in days.items()],
            },
        )
