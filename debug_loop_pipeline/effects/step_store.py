"""What each step still has to do and has done: pending attempts, progress, fold marks, and the writing of facts.

A fact belongs to one attempt and is replaced with it; a fold belongs to a key that spans days and is recomputed from all facts
of that key (docs/architecture.md, "facts, folds, decisions"). Everything a step writes goes through here, so that "twice gives
equal rows" and "killed midway and run again gives equal rows" hold for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.recompute_diff import RecomputeDiff
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database, advisory_lock, stage_and_upsert
from debug_loop_pipeline.effects.statements import execute

FAILED = "failed: "
"""How the problem of an attempt begins that a step did not do at all."""


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
    bytes: int = 0
    """Of its event."""


class FoldMarks(dict[str, list[int]]):
    """The keys of one fold that have to be recomputed, in order, each with its marks, which go when that is done."""

    @classmethod
    def of(cls, keys: Iterable[str]) -> FoldMarks:
        """Keys without marks."""
        return cls((key, []) for key in keys)

    def ids(self, keys: Iterable[str] | None = None) -> list[int]:
        """The marks of some keys, or of all."""
        return [mark for key in (self if keys is None else keys) for mark in self.get(key, ())]


class Notes:
    """What the steps of one transaction note, to be written once, at its end: what was done, and the keys to recompute.

    A key that is recomputed in the same transaction needs no mark.
    """

    def __init__(self) -> None:
        self.progress: list[tuple[Any, ...]] = []
        self.marks: dict[tuple[str, str, date], None] = {}

    @contextmanager
    def kept_if_done(self) -> Iterator[None]:
        """Forgets what the body noted where it ends in an error."""
        progress, marks = len(self.progress), dict(self.marks)
        try:
            yield
        except Exception:
            del self.progress[progress:]
            self.marks = marks
            raise


class StepStore:
    """Progress, marks and facts, on one database.

    Args:
        database: where.
        diff: is told what moves in every replacement.
        notes: progress and marks go there, for `write_notes`, instead of being written at once.
        lock_wait_s: longest wait for the lock of a fold; None: as the transaction has it.
    """

    def __init__(
        self,
        database: Database,
        diff: RecomputeDiff | None = None,
        *,
        notes: Notes | None = None,
        lock_wait_s: float | None = 300.0,
    ) -> None:
        self.database = database
        self._diff = diff
        self._notes = notes
        self._lock_wait_s = lock_wait_s

    def observed(self, diff: RecomputeDiff) -> StepStore:
        """The same, with every replacement told to `diff`."""
        return StepStore(self.database, diff, notes=self._notes, lock_wait_s=self._lock_wait_s)

    def pending(
        self,
        step: str,
        first: date,
        last: date,
        code_version: str,
        *,
        upstream: tuple[str, str] | None,
        full_refresh: bool,
    ) -> list[PendingAttempt]:
        """Attempts of a range of days whose holding revision this step has not done with this code version.

        `upstream` = (step, code version) that must have done the same revision before. Ordered by (day, attempt_id).
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
        rows = fetch_rows(self.database, query, params)
        return [PendingAttempt(r["attempt_id"], r["digest"], r["day"], r["code_version"], r["bytes"]) for r in rows]

    def holding(self, attempt: UUID, steps: Sequence[str]) -> dict[str, PendingAttempt]:
        """The revision of an attempt that holds, as each of some steps has to work on it; empty where none does."""
        rows = fetch_rows(self.database, _HOLDING, {"attempt": attempt, "steps": list(steps)})
        return {r["step"]: PendingAttempt(r["attempt_id"], r["digest"], r["day"], r["code_version"]) for r in rows}

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
        rows = [(step, a.attempt_id, a.day, a.digest, code_version, problems.get(a.attempt_id)) for a in attempts]
        if self._notes is not None:
            self._notes.progress += rows
        else:
            _write_progress(connection, rows)

    def record_failed(self, step: str, code_version: str, failed: Sequence[tuple[PendingAttempt, str]]) -> None:
        """Says why attempts were left undone. No revision is done by that: the next run over their day tries them again."""
        rows = [(step, a.attempt_id, a.day, "", code_version, f"{FAILED}{why}") for a, why in failed]
        if rows:
            with self.database.transaction("record_failed") as connection:
                _write_progress(connection, rows)

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

    def forget_samples(self, connection: Connection) -> None:
        """Takes out of the reports on recomputing what is no fact of an attempt that is still there: other samples may speak of any attempt."""
        execute(connection, _FORGET_SAMPLES)

    def mark(self, connection: Connection, fold: str, keys: Iterable[tuple[str, date]]) -> None:
        """Marks keys of a fold for recomputing, each under the day of the attempt that touched it."""
        rows = [(fold, key, day) for key, day in sorted(set(keys))]
        if self._notes is not None:
            self._notes.marks.update(dict.fromkeys(rows))
        else:
            _write_marks(connection, rows)

    def noted(self, fold: str) -> list[str]:
        """The keys of a fold that were noted in this transaction and not recomputed since, in key order."""
        return sorted({key for of, key, _ in self._notes.marks if of == fold}) if self._notes is not None else []

    @contextmanager
    def notes_kept_if_done(self) -> Iterator[None]:
        """Forgets what the body noted where it ends in an error; without notes nothing."""
        with nullcontext() if self._notes is None else self._notes.kept_if_done():
            yield

    def write_notes(self, connection: Connection) -> None:
        """Writes what was noted, at the end of its transaction."""
        if self._notes is not None:
            _write_progress(connection, self._notes.progress)
            _write_marks(connection, list(self._notes.marks))
            self._notes = Notes()

    def mark_dirty(self, connection: Connection, days: Iterable[date]) -> None:
        """Asks for a run over some days."""
        rows = sorted(set(days))
        if rows:
            connection.execute(
                text("insert into dirty_days (day) select unnest(cast(:days as date[]))"),
                {"days": rows},
            )

    def marks(self, fold: str, first: date, last: date) -> FoldMarks:
        """The keys of a fold that were marked under a range of days."""
        rows = fetch_rows(
            self.database,
            "select key, mark_id from fold_marks where fold = :fold and day between :first and :last order by key, mark_id",
            {"fold": fold, "first": first, "last": last},
        )
        found = FoldMarks()
        for row in rows:
            found.setdefault(row["key"], []).append(row["mark_id"])
        return found

    def clear_marks(self, connection: Connection, fold: str, keys: Iterable[str], mark_ids: Sequence[int]) -> None:
        """Takes away the marks of recomputed keys that a fold has seen, and those it failed at before; others made since stay."""
        done = set(keys)
        if mark_ids:
            execute(connection, "delete from fold_marks where mark_id = any(:ids)", {"ids": list(mark_ids)})
        if self._notes is None:
            execute(connection, _CLEAR_FAILED, {"fold": fold, "keys": sorted(done)})
        else:
            self._notes.marks = {mark: None for mark in self._notes.marks if mark[0] != fold or mark[1] not in done}

    def record_failed_keys(self, fold: str, day: date, failed: Sequence[tuple[str, Sequence[int], str]]) -> None:
        """Says why keys (each with the marks it has) were left undone; one without a mark gets one under `day`, so that it is tried again."""
        if not failed:
            return
        with self.database.transaction("record_failed_keys") as connection:
            for key, mark_ids, why in failed:
                told = {"fold": fold, "key": key, "day": day, "ids": list(mark_ids), "why": why}
                execute(connection, _TELL_MARKS if mark_ids else _MARK_FAILED, told)

    def problems(self, limit: int) -> list[dict[str, Any]]:
        """What steps could not work on: attempts in whole (`failed: ...`) or in part, and keys of folds. Newest day first."""
        return fetch_rows(self.database, _PROBLEMS, {"limit": limit})

    def folded_days(self, fold: str, first: date, last: date) -> dict[date, str]:
        """Days of a range that a fold was run over -> the code version it had then."""
        rows = fetch_rows(
            self.database,
            "select day, code_version from fold_days where fold = :fold and day between :first and :last",
            {"fold": fold, "first": first, "last": last},
        )
        return {row["day"]: row["code_version"] for row in rows}

    def record_folded_days(self, connection: Connection, fold: str, days: Sequence[date], code_version: str) -> None:
        """Says that a fold was run over some days with this code version."""
        if not days:
            return
        stage_and_upsert(
            connection,
            "fold_days",
            ("fold", "day", "code_version"),
            [(fold, day, code_version) for day in days],
            key=("fold", "day"),
        )

    def lock_fold(self, connection: Connection, fold: str) -> None:
        """One writer of a fold at a time, until the transaction ends."""
        advisory_lock(connection, f"fold:{fold}", self._lock_wait_s)

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


_FORGET_SAMPLES = """
with kept as (
    select r.report_id, coalesce(jsonb_agg(s.sample order by s.n) filter (where s.holds), '[]') as samples
    from recompute_reports r
    cross join lateral (
        select sample, n, exists (
            select from execution_inbox i, jsonb_array_elements_text(sample -> 'key') as k (part)
            where i.holds and i.attempt_id = case when k.part ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then cast(k.part as uuid) end
        ) as holds
        from jsonb_array_elements(r.report -> 'samples') with ordinality as t (sample, n)
    ) s
    group by r.report_id
    having not bool_and(s.holds)
)
update recompute_reports r set report = jsonb_set(r.report, '{samples}', kept.samples) from kept where r.report_id = kept.report_id
"""


def _write_progress(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    columns = ("step", "attempt_id", "day", "digest", "code_version", "problem")
    stage_and_upsert(connection, "step_progress", columns, rows, key=("step", "attempt_id"))


def _write_marks(connection: Connection, rows: Sequence[tuple[str, str, date]]) -> None:
    if not rows:
        return
    folds, keys, days = map(list, zip(*rows, strict=True))
    statement = (
        "insert into fold_marks (fold, key, day)"
        " select * from unnest(cast(:folds as text[]), cast(:keys as text[]), cast(:days as date[]))"
    )
    execute(connection, statement, {"folds": folds, "keys": keys, "days": days})


_TELL_MARKS = "update fold_marks set problem = :why where mark_id = any(:ids)"
_MARK_FAILED = "insert into fold_marks (fold, key, day, problem) values (:fold, :key, :day, :why)"

_CLEAR_FAILED = "delete from fold_marks where problem is not null and fold = :fold and key = any(:keys)"

LEFT_UNDONE = f"""
select step, attempt_id::text as subject, day, problem from step_progress where problem is not null and digest = ''
union all
select fold, key, max(day), '{FAILED}' || max(problem) from fold_marks where problem is not null group by fold, key
"""
"""Attempts and keys that our own code failed at."""

_PROBLEMS = f"""
select step, attempt_id::text as subject, day, problem from step_progress where problem is not null and digest <> ''
union all
{LEFT_UNDONE}
order by day desc, step, subject
limit :limit
"""

_HOLDING = """
select t.step, i.attempt_id, i.digest, i.day, p.code_version
from execution_inbox i
cross join unnest(cast(:steps as text[])) as t(step)
left join step_progress p on p.step = t.step and p.attempt_id = i.attempt_id
where i.holds and i.attempt_id = :attempt
"""

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
    where i.holds and i.day between :first and :last /*not done*/
)
select t.attempt_id, t.digest, t.day, p.code_version, s.bytes
from todo t
cross join lateral (
    select i.bytes from execution_inbox i where i.attempt_id = t.attempt_id and i.digest = t.digest limit 1
) s
left join lateral (
    select d.code_version from step_progress d where d.step = :step and d.attempt_id = t.attempt_id limit 1
) p on true
/*upstream*/
order by t.day, t.attempt_id
"""
