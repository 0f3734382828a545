"""What was served to agents (`recommendations`), and what they said about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database, stage_and_upsert
from debug_loop_pipeline.effects.resilience import Retry
from debug_loop_pipeline.effects.step_store import StepStore
from debug_loop_pipeline.models.recommendation import Arm, Recommendation, ReportedOutcome

SERVED = "served"
"""Fold under whose name what was served is marked, by recommendation id: its tasks are to be looked at again."""
_COLUMNS = tuple(Recommendation.model_fields)


class RecommendationStore:
    """Reads and writes of `recommendations`, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, recommendations: Sequence[Recommendation]) -> None:
        """Adds what was served; one that is there already stays as it is."""
        rows = [tuple(getattr(r, column) for column in _COLUMNS) for r in recommendations]
        marks = [(str(r.recommendation_id), r.served_at.date()) for r in recommendations if r.arm is not Arm.NONE]

        def write(connection: Connection) -> None:
            stage_and_upsert(connection, "recommendations", _COLUMNS, rows, key=("recommendation_id",), update=None)
            StepStore(self._database).mark(connection, SERVED, marks)

        self._database.run("record_recommendations", write, retry=Retry.ALWAYS)

    def report_outcome(self, recommendation_id: UUID, outcome: ReportedOutcome, note: str | None) -> bool:
        """Keeps what an agent says; a later word replaces an earlier one. `note` is redacted already.

        Returns False where no such recommendation is known.
        """
        statement = text(
            "update recommendations set outcome = :outcome, outcome_note = :note, outcome_at = :at"
            " where recommendation_id = :id"
        )
        params = {"id": recommendation_id, "outcome": outcome.value, "note": note, "at": datetime.now(UTC)}
        return self._database.run(
            "report_outcome", lambda connection: connection.execute(statement, params).rowcount > 0, retry=Retry.ALWAYS
        )

    def of_session(self, session_id: str) -> list[dict[str, Any]]:
        """Everything served in a session, oldest first."""
        return fetch_rows(
            self._database,
            "select * from recommendations where session_id = :session order by served_at, recommendation_id",
            {"session": session_id},
        )
