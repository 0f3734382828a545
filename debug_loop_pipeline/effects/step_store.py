"""What each step still has to do and has done: pending attempts, progress, fold marks, and the writing of facts.

A fact belongs to one attempt and is replaced with it; a fold belongs to a key that spans days and is recomputed from all facts
of that key (docs/architecture.md, "facts, folds, decisions"). Everything a step writes goes through here, so that "twice gives
equal rows" and "killed midway and run again gives equal rows" hold for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.recompute_diff import RecomputeDiff
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database, advisory_lock, stage_and_upsert


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a step owns: its columns in row order, its key, and the column whose values scope a replacement."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    scope: str = "attempt_id"


@dataclass(slots=True)
class RowChanges:
    """Rows that moved in one table."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def add(self, other: RowChanges) -> None:
        """Adds another chunk's counts."""
        self.inserted += other.inserted
        self.updated += other.updated
        self.deleted += other.deleted

    @property
    def total(self) -> int:
        """All rows that are not what they were."""
        return self.inserted + self.updated + self.deleted


@dataclass(frozen=True, slots=True)
class PendingAttempt:
    """An attempt a step has to work on, with the revision that holds and what the step did it with before."""

    attempt_id: UUID
    digest: str
    day: date
    previous_version: str | None


@dataclass(frozen=True, slots=True)
class FoldMarks:
    """The keys of one fold that have to be recomputed, and the marks to take away when that is done."""

    keys: list[str]
    mark_ids: list[int] = field(repr=False)


class StepStore:
    """Progress, marks and facts, on one database. With a `diff`, every replacement tells it what moves."""

    def __init__(self, database: Database, diff: RecomputeDiff | None = None) -> None:
        self.database = database
        self._diff = diff

    def pending(
        self,
        step: str,
        first: date,
        last: date,
        code_version: str,
        *,
        upstream: tuple[str, str] | None,
        full_refresh: bool,
        attempts: Sequence[UUID] | None = None,
    ) -> list[PendingAttempt]:
        """Attempts of a range of days whose holding revision this step has not done with this code version.

        `upstream` = (step, code version) that must have done the same revision before. `attempts` restricts the answer. Ordered by
        (day, attempt_id).
        """
        query = _PENDING
        params: dict[str, Any] = {
            "step": step,
            "first": first,
            "last": last,
        }
        if not full_refresh:
            query = query.replace("/*not done*/", _NOT_DONE)
            params["version"] = code_version
        if upstream is not None:
            query = query.replace("/*upstream*/", _UPSTREAM)
            params |= {"upstream_step": upstream[0], "upstream_version": upstream[1]}
        if attempts is not None:
            query = query.replace("/*attempts*/", "and i.attempt_id = any(:attempts)")
            params["attempts"] = list(attempts)
        rows = fetch_rows(self.database, query, params)
        return [PendingAttempt(r["attempt_id"], r["digest"], r["day"], r["code_version"]) for r in rows]

    def replace_facts(
        self,
        connection: Connection,
        facts: Mapping[Table, Sequence[Sequence[Any]]],
        attempts: Sequence[PendingAttempt],
    ) -> dict[str, RowChanges]:
        """Makes the facts of these attempts be exactly `facts`: equal rows stay untouched, vanished ones go."""
        ids = [a.attempt_id for a in attempts]
        return {table.name: self.replace(connection, table, rows, ids) for table, rows in facts.items()}

    def replace(
        self, connection: Connection, table: Table, rows: Iterable[Sequence[Any]], scope: Sequence[Any]
    ) -> RowChanges:
        """Makes the rows of `table` whose scope column is in `scope` be exactly `rows`."""
        if self._diff is not None:
            rows = list(rows)
            query = f"select {', '.join(table.columns)} from {table.name} where {table.scope} = any(:scope)"
            before = fetch_rows(self.database, query, {"scope": list(scope)}, connection)
            self._diff.compare(table.name, table.columns, table.key, before, rows)
        counts = stage_and_upsert(
            connection, table.name, table.columns, rows, key=table.key, delete_missing_scope={table.scope: scope}
        )
        return RowChanges(counts.inserted, counts.updated, counts.deleted)

    def record_progress(
        self,
        connection: Connection,
        step: str,
        code_version: str,
        attempts: Sequence[PendingAttempt],
        problems: Mapping[UUID, str],
    ) -> None:
        """Says that a step did these revisions; goes into the transaction that wrote their facts."""
        stage_and_upsert(
            connection,
            "step_progress",
            ("step", "attempt_id", "day", "digest", "code_version", "problem"),
            [(step, a.attempt_id, a.day, a.digest, code_version, problems.get(a.attempt_id)) for a in attempts],
            key=("step", "attempt_id"),
        )

    def forget_progress(
        self, connection: Connection, steps: Sequence[str], attempts: Sequence[UUID], *, because: str | None = None
    ) -> None:
        """Makes steps do some attempts again and marks their days dirty (a decision or a price changed under them).

        With `because` ("new prices") the run that does them reports what moves, as after a change of code.
        """
        if not attempts:
            return
        connection.execute(
            text(
                "delete from step_progress where step = any(:steps) and attempt_id = any(:attempts)"
                if because is None
                else "update step_progress set code_version = split_part(code_version, ' ', 1) || ' before ' || :because"
                " where step = any(:steps) and attempt_id = any(:attempts)"
            ),
            {"steps": list(steps), "attempts": list(attempts), "because": because},
        )
        connection.execute(
            text(
                "insert into dirty_days (day) select distinct day from execution_inbox"
                " where holds and attempt_id = any(:attempts) order by day"
            ),
            {"attempts": list(attempts)},
        )

    def mark(self, connection: Connection, fold: str, keys: Iterable[tuple[str, date]]) -> None:
        """Marks keys of a fold for recomputing, each under the day of the attempt that touched it."""
        rows = sorted(set(keys))
        if rows:
            connection.execute(
                text(
                    "insert into fold_marks (fold, key, day)"
                    " select :fold, k, d from unnest(cast(:keys as text[]), cast(:days as date[])) as t(k, d)"
                ),
                {"fold": fold, "keys": [r[0] for r in rows], "days": [r[1] for r in rows]},
            )

    def mark_dirty(self, connection: Connection, days: Iterable[date]) -> None:
        """Asks for a run over some days."""
        rows = sorted(set(days))
        if rows:
            connection.execute(
                text("insert into dirty_days (day) select unnest(cast(:days as date[]))"),
                {"days": rows},
            )

    def marks(self, fold: str, first: date, last: date, keys: Sequence[str] | None = None) -> FoldMarks:
        """The keys of a fold that were marked under a range of days (of these keys only, where some are given), in key order."""
        rows = fetch_rows(
            self.database,
            "select key, mark_id from fold_marks where fold = :fold and day between :first and :last"
            " and (cast(:keys as text[]) is null or key = any(:keys)) order by key, mark_id",
            {"fold": fold, "first": first, "last": last, "keys": None if keys is None else list(keys)},
        )
        return FoldMarks(list(dict.fromkeys(r["key"] for r in rows)), [r["mark_id"] for r in rows])

    def clear_marks(self, connection: Connection, mark_ids: Sequence[int]) -> None:
        """Takes away the marks a fold has seen; marks made since stay."""
        if mark_ids:
            connection.execute(text("delete from fold_marks where mark_id = any(:ids)"), {"ids": list(mark_ids)})

    def folded_days(self, fold: str, first: date, last: date) -> dict[date, str]:
        """Days of a range that a fold was run over -> the code version it had then."""
        rows = fetch_rows(
            self.database,
            "select day, code_version from fold_days where fold = :fold and day between :first and :last",
            {"fold": fold, "first": first, "last": last},
        )
        return {row["day"]: row["code_version"] for row in rows}

    def record_folded_days(self, connection: Connection, fold: str, days: Iterable[date], code_version: str) -> None:
        """Says that a fold was run over some days with this code version."""
        stage_and_upsert(
            connection,
            "fold_days",
            ("fold", "day", "code_version"),
            [(fold, day, code_version) for day in days],
            key=("fold", "day"),
        )

    def lock_fold(self, connection: Connection, fold: str) -> None:
        """One writer of a fold at a time, until the transaction ends."""
        advisory_lock(connection, f"fold:{fold}")

    def add_recompute_report(
        self, step: str, from_version: str, to_version: str, first: date, last: date, report: Mapping[str, Any]
    ) -> None:
        """Keeps what moved when a step ran with another code version (DOMAIN 3.13)."""
        with self.database.transaction() as connection:
            connection.execute(
                text(
                    "insert into recompute_reports (step, from_version, to_version, first_day, last_day, report)"
                    " values (:step, :from_version, :to_version, :first, :last, cast(:report as jsonb))"
                ),
                {
                    "step": step,
                    "from_version": from_version,
                    "to_version": to_version,
                    "first": first,
                    "last": last,
                    "report": orjson.dumps(report).decode(),
                },
            )


_UPSTREAM = (
    "cross join lateral (select from step_progress u where u.step = :upstream_step and u.attempt_id = t.attempt_id"
    " and u.digest = t.digest and u.code_version = :upstream_version limit 1) upstream"
)

_NOT_DONE = (
    "and not exists (select from step_progress d where d.step = :step and d.day between :first and :last and d.day = i.day"
    " and d.attempt_id = i.attempt_id and d.digest = i.digest and d.code_version = :version)"
)

# First what is not done, by two indexes in one order: a day may hold a hundred thousand attempts that are done. Then a look-up
# for each that is not; without LIMIT the planner would read the day's progress again.
_PENDING = """
with todo as materialized (
    select i.attempt_id, i.digest, i.day from execution_inbox i
    where i.holds and i.day between :first and :last /*attempts*/ /*not done*/
)
select t.attempt_id, t.digest, t.day, p.code_version
from todo t
left join lateral (
    select d.code_version from step_progress d where d.step = :step and d.attempt_id = t.attempt_id limit 1
) p on true
/*upstream*/
order by t.day, t.attempt_id
"""
