"""Step `stf_matches`: for each attempt the functions of other attempts that would have been found when it started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.step_store import PendingAttempt, Table
from debug_loop_pipeline.models.matching import MatchOptions, MatchQuery
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.framework import Derived, StepContext

if TYPE_CHECKING:
    from debug_loop_pipeline.effects.match_epoch_store import CurrentIndex

MATCHES = Table(
    "stf_matches",
    ("attempt_id", "rank", "day", "stf_hash", "epoch", "similarity", "quality", "composite"),
    ("attempt_id", "rank"),
)


def match_options(settings: Settings, limit: int | None = None, category: str | None = None) -> MatchOptions:
    """The matching options of the settings.

    Args:
        settings: their group `matching`.
        limit: matches at most; by default as set.
        category: only STFs of this problem category.
    """
    matching = settings.matching
    return MatchOptions(
        algorithm=matching.algorithm,
        min_quality=matching.min_quality,
        min_similarity=matching.min_similarity,
        limit=matching.limit if limit is None else limit,
        similarity_weight=matching.similarity_weight,
        quality_weight=matching.quality_weight,
        usage_boost=matching.usage_boost,
        usage_boost_above=matching.usage_boost_above,
        category=category,
    )


class StfMatchesStep:
    """One row per match; the same index for a whole run.

    Args:
        new_epoch: begin one.
        index_age_s: an index that was looked at within that time will do.
    """

    name = "stf_matches"
    code_version = versions.STF_MATCHES
    upstream: tuple[str, str] | None = ("execution_attempts", versions.EXECUTION_ATTEMPTS)

    def __init__(self, *, new_epoch: bool = False, index_age_s: float = 0.0) -> None:
        self._index: CurrentIndex | None = None
        self._new_epoch = new_epoch
        self._index_age_s = index_age_s

    def derive(self, context: StepContext, chunk: Sequence[PendingAttempt], connection: Connection) -> Derived:
        """Rows of `stf_matches`."""
        if self._index is None:
            self._index = context.epochs().current(force_new=self._new_epoch, max_age_s=self._index_age_s)
        options = match_options(context.settings)
        attempts = fetch_rows(
            context.database,
            "select attempt_id, day, problem_signature, started_at from debug_execution_attempts"
            " where attempt_id = any(:ids) order by attempt_id",
            {"ids": [p.attempt_id for p in chunk]},
            connection,
        )
        rows: list[tuple[Any, ...]] = []
        for attempt in attempts:
            query = MatchQuery(
                problem_signature=attempt["problem_signature"],
                attempt_id=attempt["attempt_id"],
                started_at=attempt["started_at"],
            )
            rows += [
                (
                    attempt["attempt_id"],
                    match.rank,
                    attempt["day"],
                    match.stf_id,
                    self._index.epoch,
                    match.similarity,
                    match.quality,
                    match.composite,
                )
                for match in self._index.match(query, options)
            ]
        return Derived({MATCHES: rows})
