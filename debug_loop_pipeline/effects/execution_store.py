"""The execution inbox: revisions of execution events, dirty days, rejects and the files that were imported.

Here: every read and write of what comes in. Not here: what is derived from it (`fact_store`, `fold_store`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.event_traces import traces_of, traces_of_payload
from debug_loop_pipeline.compute.outcome import evidence_tier
from debug_loop_pipeline.effects.event_encoding import event_json
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.forgotten_store import forgotten
from debug_loop_pipeline.effects.postgres import Database, stage_and_upsert
from debug_loop_pipeline.effects.statements import execute
from debug_loop_pipeline.models.execution import ExecutionEvent

READ_BYTES = 32 << 20
"""Of events in memory at once, as JSON: as objects they take about three times as much. One attempt has at most 8 MB."""
T = TypeVar("T")

BEST_FIRST = (
    'evidence_rank desc, source_rank desc, run_started_at, execution_id collate "C",'
    " coalesce(completed_at, started_at) desc, steps desc, digest desc"
)
"""Which of an attempt's revisions holds: higher evidence, importer before logger, the run that is first in the order of credit (what a fork
copied stays its parent's, all of it), later completed_at, more steps, greater digest.
"""

_LOCK_BUCKETS = 64
_LOCK_SPACE = 0x696E6278  # keeps these advisory locks apart from others

_INBOX_COLUMNS = (
    "attempt_id",
    "digest",
    "day",
    "correlation_id",
    "execution_id",
    "session_id",
    "started_at",
    "completed_at",
    "evidence_rank",
    "source_rank",
    "run_started_at",
    "steps",
    "bytes",
    "event",
)


_SOURCE_COLUMNS = ("attempt_id", "digest", "importer", "file", "file_sha256")
_SOURCE_KEY = ("attempt_id", "digest", "importer", "file_sha256")


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one batch did to the inbox."""

    events: int
    new_revisions: int
    changed_attempts: int
    """Attempts whose holding revision is another one than before."""
    forgotten: int = 0
    """Events that were left out because they were forgotten before."""


@dataclass(frozen=True, slots=True)
class Reject:
    """An event or line that was not taken, with what is needed to mend it. `payload` is already redacted."""

    reason: str
    source: str
    position: str | None
    payload: str


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file as it was imported; `path` is resolved."""

    path: str
    importer: str
    size: int
    sha256: str
    summary: dict[str, Any]


def _inbox_row(event: ExecutionEvent) -> tuple[Any, ...]:
    stored = event_json(event)
    return (
        event.attempt_id,
        hashlib.sha256(stored).hexdigest(),
        event.started_at.date(),
        event.correlation_id,
        event.execution_id,
        event.session_id,
        event.started_at,
        event.completed_at,
        evidence_tier(event).rank,
        0 if event.source.importer == "logger" else 1,
        event.run_started_at,
        len(event.tools_used),
        len(stored),
        stored,
    )


def _source_rows(digested: Iterable[tuple[ExecutionEvent, tuple[Any, ...]]]) -> Iterable[tuple[Any, ...]]:
    """Where each revision was read; logger events come from no file."""
    found = {}
    for event, row in digested:
        source = event.source
        if source.sha256 is not None:
            found[(row[0], row[1], source.importer, source.sha256)] = (
                row[0],
                row[1],
                source.importer,
                source.file,
                source.sha256,
            )
    return found.values()


class ExecutionStore:
    """Reads and writes of the inbox, on one database.

    Args:
        database: where.
        default_peer: whose the events are that do not say it (`Settings.peer_id`); to be told by whoever writes.
    """

    def __init__(self, database: Database, default_peer: str | None = None) -> None:
        self._database = database
        self._default_peer = default_peer

    def ingest_in(self, connection: Connection, events: Sequence[ExecutionEvent]) -> Ingested:
        """Adds revisions, settles which one holds, and marks the days that changed as dirty.

        Which revision of an attempt holds (`BEST_FIRST`) does not depend on arrival (DOMAIN 3.1). Events must be redacted already. What
        was forgotten stays out.
        """
        if not events:
            return Ingested(0, 0, 0)
        told = len(events)
        gone = forgotten(connection, [traces_of(event, self._default_peer) for event in events])
        events = [event for event, out in zip(events, gone, strict=True) if not out]
        if not events:
            return Ingested(0, 0, 0, told)
        digested = [(event, _inbox_row(event)) for event in events]
        rows = {(row[0], row[1]): row for _, row in digested}
        attempts = sorted({row[0] for row in rows.values()})
        self.lock_attempts(connection, attempts)
        counts = stage_and_upsert(
            connection, "execution_inbox", _INBOX_COLUMNS, rows.values(), key=("attempt_id", "digest"), update=None
        )
        sources = _source_rows(digested)
        stage_and_upsert(connection, "execution_sources", _SOURCE_COLUMNS, sources, key=_SOURCE_KEY, update=None)
        changed = execute(connection, _SETTLE, {"attempts": attempts}).one()
        return Ingested(len(events), counts.inserted, changed.attempts, told - len(events))

    def lock_attempts(self, connection: Connection, attempts: Iterable[UUID]) -> None:
        """Lets the writers of one attempt take turns. In bucket order, as the array has them: two such calls cannot deadlock."""
        buckets = sorted({attempt.int % _LOCK_BUCKETS for attempt in attempts})
        execute(
            connection,
            "select pg_advisory_xact_lock(:space, bucket) from unnest(cast(:buckets as integer[])) as bucket",
            {"space": _LOCK_SPACE, "buckets": buckets},
        )

    def reject_in(self, connection: Connection, rejects: Iterable[Reject]) -> int:
        """Keeps what was refused; the same bytes from the same source again count once, and what was forgotten stays out.

        Returns how many were new.
        """
        rejects = list(rejects)
        if not rejects:
            return 0
        gone = forgotten(connection, [traces_of_payload(r.payload, self._default_peer) for r in rejects])
        rows = [
            (hashlib.sha256(r.payload.encode(errors="replace")).hexdigest(), r.reason, r.source, r.position, r.payload)
            for r, out in zip(rejects, gone, strict=True)
            if not out
        ]
        if not rows:
            return 0
        return stage_and_upsert(
            connection,
            "execution_rejects",
            ("payload_sha256", "reason", "source", "position", "payload"),
            {(row[0], row[2]): row for row in rows}.values(),
            key=("payload_sha256", "source"),
            update=None,
        ).inserted

    def rejects(self, limit: int) -> list[dict[str, Any]]:
        """The latest rejects, newest first."""
        query = "select * from execution_rejects order by rejected_at desc, reject_id desc limit :limit"
        return fetch_rows(self._database, query, {"limit": limit})

    def imported_files(self, paths: Sequence[str]) -> dict[str, tuple[int, str]]:
        """Path -> (size, sha256) of files as they were imported last; those never imported are left out."""
        query = "select path, size, sha256 from import_files where path = any(:paths)"
        rows = fetch_rows(self._database, query, {"paths": list(paths)})
        return {row["path"]: (row["size"], row["sha256"]) for row in rows}

    def record_files(self, files: Iterable[ImportedFile]) -> None:
        """Remembers that files were imported as they are now."""
        rows = {f.path: (f.path, f.importer, f.size, f.sha256, f.summary, datetime.now(UTC)) for f in files}
        if rows:
            with self._database.transaction() as connection:
                stage_and_upsert(
                    connection,
                    "import_files",
                    ("path", "importer", "size", "sha256", "summary", "imported_at"),
                    rows.values(),
                    key=("path",),
                )

    def dirty_days(self) -> list[date]:
        """Every day with something to compute, oldest first."""
        return [row["day"] for row in fetch_rows(self._database, "select distinct day from dirty_days order by day")]

    def days(self) -> list[date]:
        """Every day with an attempt, oldest first."""
        return [
            row["day"] for row in fetch_rows(self._database, "select distinct day from execution_inbox order by day")
        ]

    def claim_dirty(self, first: date, last: date, run_id: str) -> int:
        """Notes on the marks of a range of days that this run saw them at its start. Returns how many.

        By row and not by number: marks commit out of order, so "all up to the newest" could take one away that was never seen.
        """
        with self._database.transaction("claim_dirty") as connection:
            return connection.execute(
                text("update dirty_days set claimed_by = :run where day between :first and :last"),
                {"first": first, "last": last, "run": run_id},
            ).rowcount

    def clear_dirty(self, first: date, last: date, run_id: str) -> int:
        """Takes away the marks a run saw at its start, when it is done; later ones stay. Returns how many."""
        with self._database.transaction("clear_dirty") as connection:
            return connection.execute(
                text("delete from dirty_days where day between :first and :last and claimed_by = :run"),
                {"first": first, "last": last, "run": run_id},
            ).rowcount

    def events_of_attempts(
        self, attempts: Sequence[UUID], connection: Connection | None = None
    ) -> list[ExecutionEvent]:
        """The holding revisions of some attempts, by (started_at, attempt_id)."""
        ids = list(attempts)
        return self._database.stable(
            ("events", *ids), lambda: self._events("attempt_id = any(:ids)", {"ids": ids}, connection)
        )

    def events_of_tasks(self, tasks: Sequence[UUID], connection: Connection | None = None) -> list[ExecutionEvent]:
        """The holding revisions of all attempts of some tasks, by (started_at, attempt_id)."""
        ids = list(tasks)
        return self._database.stable(
            ("events of tasks", *ids), lambda: self._events("correlation_id = any(:ids)", {"ids": ids}, connection)
        )

    def events_of_attempts_in_parts(
        self, attempts: Sequence[UUID], connection: Connection | None = None
    ) -> Iterator[list[ExecutionEvent]]:
        """`events_of_attempts`, as many at a time as memory has room for."""
        for part in self._parts("attempt_id", attempts, connection):
            yield self.events_of_attempts(part, connection)

    def events_of_tasks_in_parts(
        self, tasks: Sequence[UUID], connection: Connection | None = None
    ) -> Iterator[list[ExecutionEvent]]:
        """`events_of_tasks`, as many whole tasks at a time as memory has room for."""
        for part in self._parts("correlation_id", tasks, connection):
            yield self.events_of_tasks(part, connection)

    def _parts(self, column: str, ids: Sequence[UUID], connection: Connection | None) -> Iterator[list[UUID]]:
        if len(ids) <= 1:  # whatever its size, and in process no question more
            yield from ([one] for one in ids)
            return
        query = f"select {column} as id, sum(bytes) as bytes from execution_inbox where holds and {column} = any(:ids) group by 1"
        bytes_of = {
            row["id"]: row["bytes"] for row in fetch_rows(self._database, query, {"ids": list(ids)}, connection)
        }
        yield from parts(ids, len(ids), lambda one: int(bytes_of.get(one, 0)))

    def tasks_of_sessions(self, sessions: Sequence[str]) -> list[UUID]:
        """The tasks that some sessions worked on."""
        rows = fetch_rows(
            self._database,
            "select distinct correlation_id from execution_inbox where holds and session_id = any(:ids) order by 1",
            {"ids": list(sessions)},
        )
        return [row["correlation_id"] for row in rows]

    def sessions_with_attempts_of(self, sessions: Sequence[str]) -> list[str]:
        """The sessions that hold what some others tell as well (a fork and its parent, where neither says which it is)."""
        rows = fetch_rows(
            self._database,
            "select distinct h.session_id from execution_inbox o join execution_inbox h on h.attempt_id = o.attempt_id and h.holds"
            " where not o.holds and o.session_id = any(:ids) and h.session_id <> o.session_id order by 1",
            {"ids": list(sessions)},
        )
        return [row["session_id"] for row in rows]

    def day_span(self) -> tuple[date, date] | None:
        """First and last day that hold an execution."""
        row = fetch_rows(self._database, "select min(day) as first, max(day) as last from execution_inbox where holds")[
            0
        ]
        return (row["first"], row["last"]) if row["first"] else None

    def _events(self, condition: str, params: dict[str, Any], connection: Connection | None) -> list[ExecutionEvent]:
        query = f"select event::text as event from execution_inbox where holds and {condition} order by started_at, attempt_id"
        rows = fetch_rows(self._database, query, params, connection)
        return [ExecutionEvent.model_validate_json(row["event"]) for row in rows]


def parts(items: Sequence[T], most: int, bytes_of: Callable[[T], int]) -> Iterator[list[T]]:
    """Consecutive slices of at most `most` items and, unless it is a single one, `READ_BYTES`."""
    part: list[T] = []
    size = 0
    for item in items:
        its = bytes_of(item)
        if part and (len(part) >= most or size + its > READ_BYTES):
            yield part
            part, size = [], 0
        part.append(item)
        size += its
    if part:
        yield part


_SETTLE = f"""
with ranked as (
    select attempt_id, digest, day, holds,
           row_number() over (partition by attempt_id order by {BEST_FIRST}) = 1 as best
    from execution_inbox
    where attempt_id = any(:attempts)
),
-- two statements in one would meet the unique index on (attempt_id) where holds row by row, so the losers go first
lost as (
    update execution_inbox i set holds = false
    from ranked r
    where i.attempt_id = r.attempt_id and i.digest = r.digest and r.holds and not r.best
    returning i.attempt_id, i.day
),
won as (
    update execution_inbox i set holds = true
    from ranked r
    where i.attempt_id = r.attempt_id and i.digest = r.digest and r.best and not r.holds
      and (select count(*) from lost) >= 0
    returning i.attempt_id, i.day
),
marked as (
    insert into dirty_days (day) select distinct day from (select day from lost union select day from won) d returning day
)
select (select count(distinct attempt_id) from won) as attempts, (select count(*) from marked) as days
"""
