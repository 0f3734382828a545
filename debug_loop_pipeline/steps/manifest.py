"""A manifest for a request, an error, or both (DOMAIN 3.11): what is known, above its thresholds and nothing else."""

from __future__ import annotations

from typing import Any

from debug_loop_pipeline.client.redaction import redact
from debug_loop_pipeline.compute.commands.error_cutting import GENERIC, cut_errors
from debug_loop_pipeline.compute.event_errors import pattern_of
from debug_loop_pipeline.compute.matching.problem_category import problem_category
from debug_loop_pipeline.compute.matching.problem_signature import problem_hash, problem_signature
from debug_loop_pipeline.effects import manifest_store
from debug_loop_pipeline.effects.decision_store import group_decisions
from debug_loop_pipeline.effects.match_cache import Matcher
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.models.errors import ErrorPattern
from debug_loop_pipeline.models.execution import ExecutionError
from debug_loop_pipeline.models.manifest import (
    CostAdvice,
    Manifest,
    ManifestFailure,
    ManifestFix,
    ManifestFunction,
    ManifestGoldenState,
)
from debug_loop_pipeline.models.matching import Match, MatchQuery
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.stf_matches import match_options


def build_manifest(
    database: Database,
    settings: Settings,
    match: Matcher | None,
    *,
    request: str | None = None,
    error: str | None = None,
    repository: str | None = None,
    category: str | None = None,
) -> Manifest:
    """What the store knows about a request and an error.

    Args:
        database: the store.
        settings: thresholds and the sharing group.
        match: finds functions; None leaves functions out.
        request: what is to be done.
        error: error text, a traceback or a tool's output.
        repository: where the agent works; code of other repositories is shown inside a sharing group only, their fixes as templates.
        category: restricts the functions to one problem category.
    """
    request = redact(request) if request else None
    if not settings.serving_enabled:
        return Manifest(request=request)
    manifest = Manifest(request=request)
    if request:
        manifest = _for_request(database, settings, match, manifest, request, repository, category)
    if error:
        manifest = _for_error(database, settings, manifest, redact(error), repository)
    return manifest


def _for_request(
    database: Database,
    settings: Settings,
    match: Matcher | None,
    manifest: Manifest,
    request: str,
    repository: str | None,
    category: str | None,
) -> Manifest:
    signature = problem_signature(request, settings.text.signature_chars)
    own_category = problem_category(signature).value
    matches: list[Match] = []
    if match is not None:
        options = match_options(settings, settings.manifest.stf_limit, category)
        found = match(MatchQuery(problem_signature=signature), options)
        matches = [one for one in found if one.composite >= settings.manifest.min_composite]
    rows = manifest_store.functions_by_hash(database, [one.stf_id for one in matches])
    crossing = shown_repositories(settings, repository)

    def may_cross(row: dict[str, Any]) -> bool:
        return crossing is None or row["repository"] in crossing

    shared = [m for m in matches if m.stf_id in rows and may_cross(rows[m.stf_id])]
    similarity = {one.stf_id: one.similarity for one in shared}
    cost = manifest_store.cost_of_problem(database, problem_hash(signature), own_category)
    return manifest.model_copy(
        update={
            "problem_signature": signature,
            "category": own_category,
            "functions": tuple(_function(one, rows[one.stf_id]) for one in shared),
            "golden_states": tuple(
                _golden(row, similarity[row["stf_hash"]])
                for row in manifest_store.golden_of_functions(database, sorted(similarity))
                if may_cross(row)
            ),
            "cost": _cost(cost) if cost else None,
        }
    )


def shown_repositories(settings: Settings, asking: str | None) -> frozenset[str] | None:
    """The repositories whose code may be shown in repository `asking`; None: all, also code of unknown origin.

    Without a sharing group all of the store is one. With one (comma-separated repository names), code stays in its own repository or
    moves between members.
    """
    if settings.sharing_group is None:
        return None
    members = {name.strip() for name in settings.sharing_group.split(",")}
    if asking in members:
        return frozenset(members)
    return frozenset(() if asking is None else (asking,))


def _for_error(
    database: Database, settings: Settings, manifest: Manifest, error: str, repository: str | None
) -> Manifest:
    decisions = group_decisions(database)
    shown: dict[str, list[ErrorPattern]] = {}
    for told, pattern in errors_in(error):
        shown.setdefault(decisions.signature_of(pattern, told), []).append(pattern)
    found = manifest_store.fixes_of(
        database,
        {signature: [pattern.subjects for pattern in patterns] for signature, patterns in shown.items()},
        min_wilson=settings.manifest.min_wilson,
        repositories=shown_repositories(settings, repository),
    )
    known = {row["signature"] for row in found}
    told_of = next((signature for signature in shown if signature in known), next(iter(shown)))
    return manifest.model_copy(
        update={
            "error_signature": told_of,
            "error_pattern": shown[told_of][0].pattern,
            "fixes": tuple(_fix(row) for row in found if row["role"] == "fix"),
            "tried_and_failed": tuple(_failure(row) for row in found if row["role"] == "failure"),
        }
    )


def errors_in(text: str) -> list[tuple[ExecutionError, ErrorPattern]]:
    """The errors of a pasted text: those that a tool's output shows, then the text as one error."""
    cut, _ = cut_errors(text)
    errors = [
        ExecutionError(
            type=c.type, message=c.message, stacktrace=c.stacktrace, tool=c.tool, test=c.test, path=c.path, line=c.line
        )
        for c in cut
        if c.type != GENERIC
    ]
    errors.append(ExecutionError(message=text))
    return [(error, pattern_of(error)) for error in errors]


def _fix(row: dict[str, Any]) -> ManifestFix:
    return ManifestFix(
        mapping_id=row["mapping_id"],
        resolution_id=row["resolution_id"],
        kind=row["kind"],
        template=row["template"],
        example_diff=row["example_diff"],
        said=row["said"],
        success_count=row["success_count"],
        failure_count=row["failure_count"],
        wilson_lower_bound=row["wilson_lower_bound"],
        state=row["state"],
        same_slots=row["same_slots"],
        seen_values=row["seen_values"],
        peer_id=row["peer_id"],
    )


def _failure(row: dict[str, Any]) -> ManifestFailure:
    return ManifestFailure(
        mapping_id=row["mapping_id"],
        kind=row["kind"],
        template=row["template"],
        example_diff=row["example_diff"],
        failure_count=row["failure_count"],
        success_count=row["success_count"],
        peer_id=row["peer_id"],
    )


def _function(match: Match, row: dict[str, Any]) -> ManifestFunction:
    used = row["success_count"] + row["failure_count"]
    return ManifestFunction(
        stf_hash=row["stf_hash"],
        name=row["name"],
        language=row["language"],
        code=row["code"],
        description=row["description"],
        similarity=match.similarity,
        quality=match.quality,
        composite=match.composite,
        success_rate=row["success_count"] / used if used else None,
        peer_id=row["peer_id"],
        repository=row["repository"],
    )


def _golden(row: dict[str, Any], similarity: float) -> ManifestGoldenState:
    return ManifestGoldenState(
        golden_state_id=row["golden_state_id"],
        user_request=row["user_request"],
        name=row["stf_name"],
        language=row["language"],
        quality=row["quality_score"],
        evidence_tier=row["evidence_tier"],
        reuse_count=row["reuse_count"],
        similarity=similarity,
        peer_id=row["peer_id"],
    )


def _cost(row: dict[str, Any]) -> CostAdvice:
    cheapest = row["cheapest"]
    return CostAdvice(
        attempts=row["attempts"],
        average_cost_usd=row["average"],
        cheapest_model=cheapest["model"] if cheapest else None,
        cheapest_model_cost_usd=cheapest["average"] if cheapest else None,
    )
