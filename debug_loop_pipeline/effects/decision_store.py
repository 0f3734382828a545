"""What people decided: merged and split error groups, approvals, suppressions. Made once, never recomputed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.errors.error_groups import GroupDecision, GroupDecisions
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.step_store import StepStore


def group_decisions(database: Database, connection: Connection | None = None) -> GroupDecisions:
    """Every merge, split and undo, oldest first."""
    query = "select kind, signature, into_signature, split_by from error_group_decisions order by decision_id"
    return database.stable(
        query,
        lambda: GroupDecisions([GroupDecision(**row) for row in fetch_rows(database, query, connection=connection)]),
    )


def approvals(
    database: Database, subject_kind: str, subjects: Sequence[str], connection: Connection | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Subject id -> its decisions by people, oldest first."""
    rows = fetch_rows(
        database,
        "select subject_id, decision, reason, decided_by, decided_at from approvals"
        " where subject_kind = :kind and subject_id = any(:subjects) order by approval_id",
        {"kind": subject_kind, "subjects": list(subjects)},
        connection,
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["subject_id"], []).append(row)
    return found


class DecisionStore:
    """Writes decisions and marks what has to be computed again because of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._steps = StepStore(database)

    def merge_groups(self, signature: str, into_signature: str, reason: str, decided_by: str) -> int:
        """Counts errors of one group as another's from now on. Returns how many attempts are computed again."""
        return self._decide_group("merge", signature, into_signature, None, reason, decided_by)

    def split_group(self, signature: str, split_by: str, reason: str, decided_by: str) -> int:
        """Tells a group's errors apart by a slot, test, path, tool or stack. Returns how many attempts are computed again."""
        return self._decide_group("split", signature, None, split_by, reason, decided_by)

    def undo_group(self, signature: str, reason: str, decided_by: str) -> int | None:
        """Takes back that a group was merged or split. Returns how many attempts are computed again; None where nothing holds."""
        held = fetch_rows(
            self._database,
            "select kind from error_group_decisions where signature = :s order by decision_id desc limit 1",
            {"s": signature},
        )
        if not held or held[0]["kind"] == "undo":
            return None
        return self._decide_group("undo", signature, None, None, reason, decided_by)

    def _decide_group(
        self, kind: str, signature: str, into: str | None, split_by: str | None, reason: str, decided_by: str
    ) -> int:
        with self._database.transaction("decide_error_group") as connection:
            connection.execute(
                text(
                    "insert into error_group_decisions (kind, signature, into_signature, split_by, reason, decided_by)"
                    " values (:kind, :signature, :into, :split_by, :reason, :decided_by)"
                ),
                {
                    "kind": kind,
                    "signature": signature,
                    "into": into,
                    "split_by": split_by,
                    "reason": reason,
                    "decided_by": decided_by,
                },
            )
            attempts: list[UUID] = list(connection.execute(text(_TOUCHED), {"s": signature}).scalars())
            self._steps.forget_progress(connection, ["error_patterns"], attempts)
        return len(attempts)

    def decide(
        self,
        subject_kind: str,
        subject_id: str,
        decision: str,
        reason: str,
        decided_by: str,
        decided_at: datetime,
        days: Sequence[Any],
    ) -> None:
        """A person's approval or rejection of an STF or golden state; the fold it belongs to follows it on its next run."""
        fold = {"stf": "stf_registry", "golden_state": "golden_states"}[subject_kind]
        with self._database.transaction("decide") as connection:
            connection.execute(
                text(
                    "insert into approvals (subject_kind, subject_id, decision, reason, decided_by, decided_at)"
                    " values (:subject_kind, :subject_id, :decision, :reason, :decided_by, :decided_at)"
                ),
                {
                    "subject_kind": subject_kind,
                    "subject_id": subject_id,
                    "decision": decision,
                    "reason": reason,
                    "decided_by": decided_by,
                    "decided_at": decided_at,
                },
            )
            self._steps.mark(connection, fold, [(subject_id, day) for day in days])
            self._steps.mark_dirty(connection, days)

    def suppress(self, subject_kind: str, subject_id: str, reason: str, decided_by: str) -> bool:
        """Keeps something out of every manifest from now on. Returns False where it was suppressed already."""
        with self._database.transaction("suppress") as connection:
            return bool(
                connection.execute(
                    text(
                        "insert into suppressions (subject_kind, subject_id, reason, decided_by)"
                        " values (:kind, :id, :reason, :by) on conflict do nothing"
                    ),
                    {"kind": subject_kind, "id": subject_id, "reason": reason, "by": decided_by},
                ).rowcount
            )

    def unsuppress(self, subject_kind: str, subject_id: str) -> bool:
        """Takes a suppression back. Returns False where there was none."""
        with self._database.transaction("unsuppress") as connection:
            return bool(
                connection.execute(
                    text("delete from suppressions where subject_kind = :kind and subject_id = :id"),
                    {"kind": subject_kind, "id": subject_id},
                ).rowcount
            )

    def suppressions(self) -> list[dict[str, Any]]:
        """Everything that is suppressed, newest first."""
        return fetch_rows(
            self._database, "select * from suppressions order by decided_at desc, subject_kind, subject_id"
        )


_TOUCHED = """
select distinct attempt_id from attempt_errors
where signature = :s or own_signature = :s
   or ((select count(*) from error_group_decisions where signature = :s) > 1
       and own_signature in (select signature from error_group_decisions))
order by 1
"""
"""Attempts that a decision about a group concerns. One that replaces another may concern
what came to the group by other decisions, and went on from there."""
