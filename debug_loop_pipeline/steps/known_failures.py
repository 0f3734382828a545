"""What went wrong with requests like this one, what was tried in vain, and what helped (`known_failures` for agents)."""

from __future__ import annotations

from typing import Any

from debug_loop_pipeline.client.redaction import redact
from debug_loop_pipeline.compute.matching.problem_signature import problem_hash, problem_signature
from debug_loop_pipeline.effects.known_failure_store import errors_of_similar_tasks
from debug_loop_pipeline.effects.manifest_store import fixes_of
from debug_loop_pipeline.effects.match_cache import Matcher
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.models.base import FrozenModel
from debug_loop_pipeline.models.matching import MatchQuery
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.stf_matches import match_options

_GROUPS = 5
_CHANGES = 2


class KnownChange(FrozenModel):
    """A change that was made because of an error, and in how many tasks it helped."""

    mapping_id: str
    kind: str
    template: str
    helped_tasks: int
    failed_tasks: int


class KnownFailure(FrozenModel):
    """An error that tasks like this one ran into."""

    error_signature: str
    pattern: str
    error_type: str | None
    category: str
    tasks: int
    tried_and_failed: tuple[KnownChange, ...]
    helped: tuple[KnownChange, ...]


def known_failures(
    database: Database, settings: Settings, match: Matcher | None, request: str
) -> tuple[KnownFailure, ...]:
    """Errors of tasks with the same problem, and of those that wrote a function which matches it. Templates only, no code.

    Args:
        database: the store.
        settings: thresholds.
        match: finds functions of similar requests; None leaves similar problems out.
        request: what is to be done.
    """
    if not settings.serving_enabled:
        return ()
    signature = problem_signature(redact(request), settings.text.signature_chars)
    functions: list[str] = []
    if match is not None:
        options = match_options(settings, settings.manifest.stf_limit)
        functions = [found.stf_id for found in match(MatchQuery(problem_signature=signature), options)]
    groups = errors_of_similar_tasks(database, problem_hash(signature), functions, _GROUPS)
    changes = fixes_of(
        database,
        {group["signature"]: () for group in groups},
        min_wilson=settings.manifest.min_wilson,
        repositories=(),  # templates are all that is told
    )

    def changes_of(group: dict[str, Any], role: str) -> tuple[KnownChange, ...]:
        return _changes([c for c in changes if (c["signature"], c["role"]) == (group["signature"], role)])

    return tuple(
        KnownFailure(
            error_signature=group["signature"],
            pattern=group["pattern"],
            error_type=group["error_type"],
            category=group["category"],
            tasks=group["tasks"],
            tried_and_failed=changes_of(group, "failure"),
            helped=changes_of(group, "fix"),
        )
        for group in groups
    )


def _changes(rows: list[dict[str, Any]]) -> tuple[KnownChange, ...]:
    return tuple(
        KnownChange.model_validate(
            {
                "mapping_id": row["mapping_id"],
                "kind": row["kind"],
                "template": row["template"],
                "helped_tasks": row["success_count"],
                "failed_tasks": row["failure_count"],
            }
        )
        for row in rows[:_CHANGES]
    )
