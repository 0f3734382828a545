"""The matcher's index over the registry: which epoch is current, and the functions changed since it was built (DOMAIN 3.6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.stf_matcher import MatchIndex
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database, advisory_lock
from debug_loop_pipeline.models.matching import MatchCandidate
from debug_loop_pipeline.settings import Settings


def current_epoch(database: Database, settings: Settings, *, force_new: bool = False) -> tuple[int, MatchIndex]:
    """(epoch number, index with its tail). A new epoch is begun at most every `matching.epoch_seconds`.

    The epoch's own documents are those of the registry as they were when it was built; what changed since is the tail.
    """
    with database.transaction("match_epoch") as connection:
        advisory_lock(connection, "match_epoch")
        latest = fetch_rows(
            database, "select epoch, built_at from match_epochs order by epoch desc limit 1", connection=connection
        )
        due = not latest or datetime.now(UTC) - latest[0]["built_at"] >= timedelta(
            seconds=settings.matching.epoch_seconds
        )
        if force_new or due:
            index = MatchIndex.build(_candidates(database, connection, None))
            epoch = connection.execute(
                text(
                    "insert into match_epochs (registry_digest, functions, built_at) values (:digest, :functions, clock_timestamp())"
                    " returning epoch"
                ),
                {"digest": index.epoch_id, "functions": len(index)},
            ).scalar_one()
            return epoch, index
        built_at = latest[0]["built_at"]
        index = MatchIndex.build(_candidates(database, connection, ("updated_at <= :at", built_at)))
        return latest[0]["epoch"], index.followed_by(_candidates(database, connection, ("updated_at > :at", built_at)))


def _candidates(database: Database, connection: Connection, only: tuple[str, datetime] | None) -> list[MatchCandidate]:
    query, params = _CANDIDATES, {}
    if only is not None:
        query, params = f"{query} where {only[0]}", {"at": only[1]}
    return [match_candidate(row) for row in fetch_rows(database, query, params, connection)]


def match_candidate(row: dict[str, Any]) -> MatchCandidate:
    """A registry row as the matcher sees it."""
    used = row["success_count"] + row["failure_count"]
    return MatchCandidate(
        stf_id=row["stf_hash"],
        problem_signature=row["problem_signature"],
        name=row["name"],
        description=row["description"] or "",
        category=row["category"],
        quality=row["quality_score"],
        usage_count=row["usage_count"],
        success_rate=row["success_count"] / used if used else 0.0,
        attempt_id=row["first_attempt_id"],
        completed_at=row["first_completed_at"],
    )


_CANDIDATES = """
select stf_hash, problem_signature, name, description, category, quality_score, usage_count, success_count, failure_count,
       first_attempt_id, first_completed_at
from v_recommended_stfs
"""
