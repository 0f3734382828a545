"""DebugSTFStorageEffect: functions (STFs) in PostgreSQL: store, retrieve, search, update_usage, update_quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, text

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.step_store import RowChanges, StepStore, Table
from debug_loop_pipeline.models.stf import StfQuality

FUNCTIONS = Table(
    "debug_transform_functions",
    (
        "stf_hash",
        "language",
        "name",
        "code",
        "description",
        "problem_signature",
        "category",
        "details",
        "quality_score",
        "quality_tier",
        "quality",
        "confidence",
        "evidence_tier",
        "approval",
        "approved_by",
        "contains_redaction",
        "occurrences",
        "first_attempt_id",
        "first_completed_at",
        "last_completed_at",
        "peer_id",
        "repository",
    ),
    ("stf_hash",),
    scope="stf_hash",
)
"""What a fold writes; cluster, tokens and usage counts are other folds' columns."""


@dataclass(frozen=True, slots=True)
class UsageCounts:
    """How often a function was reused, and how that went."""

    used: int
    succeeded: int
    failed: int


class UnknownFunctionError(LookupError):
    """The store has no such function."""


class DebugSTFStorageEffect:
    """The registry's table. Writes go into the caller's transaction; each is a replacement, so repeating it changes nothing."""

    def __init__(self, database: Database, steps: StepStore | None = None) -> None:
        self._database = database
        self._steps = steps or StepStore(database)

    def store(self, connection: Connection, rows: Sequence[Sequence[Any]], hashes: Sequence[str]) -> RowChanges:
        """Makes the rows of these hashes be exactly `rows` (columns of `FUNCTIONS`)."""
        return self._steps.replace(connection, FUNCTIONS, rows, hashes)

    def retrieve(self, stf_hash: str) -> dict[str, Any]:
        """One function with where it occurred and the others of its cluster.

        Raises:
            UnknownFunctionError: no function has this hash.
        """
        found = fetch_rows(
            self._database, "select * from debug_transform_functions where stf_hash = :h", {"h": stf_hash}
        )
        if not found:
            raise UnknownFunctionError(f"no function has the hash {stf_hash}")
        row = found[0]
        row["occurred_in"] = fetch_rows(
            self._database,
            "select s.attempt_id, s.path, s.start_line, s.end_line, a.completed_at, a.outcome, a.evidence_tier, a.agent_name"
            " from attempt_stfs s join debug_execution_attempts a using (attempt_id) where s.stf_hash = :h"
            " order by a.completed_at, s.attempt_id, s.position limit 50",
            {"h": stf_hash},
        )
        row["cluster"] = fetch_rows(
            self._database,
            "select stf_hash, name, quality_score from debug_transform_functions where cluster_id = :c and stf_hash <> :h"
            " order by quality_score desc, stf_hash limit 20",
            {"c": row["cluster_id"], "h": stf_hash},
        )
        return row

    def search(
        self,
        *,
        approval: str | None = None,
        language: str | None = None,
        tier: str | None = None,
        category: str | None = None,
        min_quality: float = 0.0,
        name_contains: str | None = None,
        limit: int = 20,
    ) -> list[dict[str, Any]]:
        """Functions that pass the filters, best quality first; the order is total."""
        return fetch_rows(
            self._database,
            "select stf_hash, name, language, quality_score, quality_tier, approval, evidence_tier, occurrences, usage_count,"
            " success_count, failure_count, category, cluster_id, description from debug_transform_functions"
            " where quality_score >= :min_quality"
            " and (cast(:approval as text) is null or approval = :approval)"
            " and (cast(:language as text) is null or language = :language)"
            " and (cast(:tier as text) is null or quality_tier = :tier)"
            " and (cast(:category as text) is null or category = :category)"
            " and (cast(:name as text) is null or position(lower(:name) in lower(name)) > 0)"
            " order by quality_score desc, occurrences desc, stf_hash limit :limit",
            {
                "approval": approval,
                "language": language,
                "tier": tier,
                "category": category,
                "min_quality": min_quality,
                "name": name_contains,
                "limit": limit,
            },
        )

    def update_usage(self, connection: Connection, counts: Mapping[str, UsageCounts]) -> int:
        """Sets how often functions were reused, as folded from all their uses. Returns how many rows moved."""
        hashes = sorted(counts)
        return connection.execute(
            text(
                "update debug_transform_functions f set usage_count = t.used, success_count = t.succeeded, failure_count = t.failed"
                " from unnest(cast(:hashes as text[]), cast(:used as int[]), cast(:succeeded as int[]), cast(:failed as int[]))"
                " as t(stf_hash, used, succeeded, failed) where f.stf_hash = t.stf_hash"
                " and (f.usage_count, f.success_count, f.failure_count) is distinct from (t.used, t.succeeded, t.failed)"
            ),
            {
                "hashes": hashes,
                "used": [counts[h].used for h in hashes],
                "succeeded": [counts[h].succeeded for h in hashes],
                "failed": [counts[h].failed for h in hashes],
            },
        ).rowcount

    def update_quality(self, connection: Connection, stf_hash: str, quality: StfQuality) -> bool:
        """Sets the quality of one function. Returns False where it was that already.

        Raises:
            UnknownFunctionError: no function has this hash.
        """
        dimensions = quality.model_dump(mode="json", exclude={"quality_score", "tier"})
        updated = connection.execute(
            text(
                "update debug_transform_functions set quality_score = :score, quality_tier = :tier, quality = cast(:quality as jsonb)"
                " where stf_hash = :h and (quality_score, quality_tier, quality) is distinct from"
                " (:score, :tier, cast(:quality as jsonb))"
            ),
            {
                "score": quality.quality_score,
                "tier": quality.tier.value,
                "quality": orjson.dumps(dimensions).decode(),
                "h": stf_hash,
            },
        ).rowcount
        if not updated and not fetch_rows(
            self._database, "select 1 from debug_transform_functions where stf_hash = :h", {"h": stf_hash}, connection
        ):
            raise UnknownFunctionError(f"no function has the hash {stf_hash}")
        return bool(updated)
