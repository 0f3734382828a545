"""Step `stf_registry`: functions folded over all their occurrences, with approval, and clustered by similarity."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from debug_loop_pipeline.effects.debug_stf_storage import FUNCTIONS, DebugSTFStorageEffect
from debug_loop_pipeline.effects.decision_store import approvals
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.step_store import RowChanges
from debug_loop_pipeline.models.base import EvidenceTier
from debug_loop_pipeline.settings import QualitySettings
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.framework import Span, StepContext, StepReport, keys_by, run_fold
from debug_loop_pipeline.steps.stf_clustering import recluster

FOLD = "stf_registry"

_DIMENSIONS = ("completeness", "documentation", "onex_compliance", "metadata", "complexity")


def run(
    context: StepContext, span: Span, *, full_refresh: bool = False, only_keys: Sequence[str] | None = None
) -> StepReport:
    """Folds the functions whose occurrences changed on these days, over all days."""
    return run_fold(
        context,
        FOLD,
        versions.STF_REGISTRY,
        span,
        refold_hashes,
        keys_by("select distinct stf_hash as key from attempt_stfs where day = any(:days)"),
        full_refresh=full_refresh,
        only_keys=only_keys,
    )


def refold_hashes(context: StepContext, connection: Connection, hashes: list[str], span: Span) -> dict[str, RowChanges]:
    """Recomputes some functions from all their occurrences, then the clusters they are in or come near."""
    occurrences = fetch_rows(context.database, _OCCURRENCES, {"hashes": hashes}, connection)
    decided = approvals(context.database, "stf", hashes, connection)
    rows = [
        _row(list(group), decided.get(stf_hash, ()), context.settings.quality)
        for stf_hash, group in groupby(occurrences, key=lambda row: row["stf_hash"])
    ]
    changes = {FUNCTIONS.name: DebugSTFStorageEffect(context.database, context.store).store(connection, rows, hashes)}
    return changes | recluster(context, connection, hashes, span.first)


def approval(
    quality: float,
    evidence: EvidenceTier,
    contains_redaction: bool,
    decisions: Sequence[dict[str, Any]],
    limits: QualitySettings,
) -> tuple[str, str | None]:
    """(approval, by whom): what a person decided last, else approved by quality and measured evidence, else pending.

    Code that holds a redaction is never approved, whoever says so (DOMAIN 3.1).
    """
    if decisions:
        last = decisions[-1]
        wanted = "approved" if last["decision"] == "approve" else "rejected"
        return ("pending", None) if wanted == "approved" and contains_redaction else (wanted, last["decided_by"])
    if not contains_redaction and quality >= limits.auto_approve and evidence.rank >= EvidenceTier.MEASURED.rank:
        return "approved", "pipeline"
    return "pending", None


def _row(
    occurrences: list[dict[str, Any]], decisions: Sequence[dict[str, Any]], limits: QualitySettings
) -> tuple[Any, ...]:
    """The registry row of one hash. `occurrences` come by (completed_at, attempt_id, position)."""
    first, last = occurrences[0], occurrences[-1]
    best = max(occurrences, key=lambda o: o["quality_score"])  # the earliest of equals
    evidence = max((EvidenceTier(o["evidence_tier"]) for o in occurrences), key=lambda tier: tier.rank)
    contains_redaction = any(o["details"]["redacted"] for o in occurrences)
    state, approved_by = approval(best["quality_score"], evidence, contains_redaction, decisions, limits)
    return (
        first["stf_hash"],
        first["language"],
        best["name"],
        best["code"],
        best["details"]["docstring_summary"],
        first["problem_signature"],
        first["category"],
        best["details"],
        best["quality_score"],
        best["tier"],
        {dimension: best[dimension] for dimension in _DIMENSIONS},
        max(o["confidence"] for o in occurrences),
        evidence.value,
        state,
        approved_by,
        contains_redaction,
        len(occurrences),
        first["attempt_id"],
        first["completed_at"],
        last["completed_at"],
        first["peer_id"],
        first["repository"],
    )


_OCCURRENCES = """
select s.stf_hash, s.language, s.name, s.code, s.confidence, s.details, s.attempt_id,
       q.completeness, q.documentation, q.onex_compliance, q.metadata, q.complexity, q.quality_score, q.tier,
       a.completed_at, a.evidence_tier, a.problem_signature, a.category, a.peer_id, a.repository
from attempt_stfs s
join attempt_stf_quality q using (attempt_id, position, stf_hash)
join debug_execution_attempts a using (attempt_id)
where s.stf_hash = any(:hashes)
order by s.stf_hash, a.completed_at, s.attempt_id, s.position
"""
