"""Verdicts from outside, and the revisions of attempts that hold them.

A revision with verdicts outranks one without by its evidence, so a transcript that is imported again does not take them away. One
whose verdicts are not the newest any more is removed: two of them would be told apart by their digests alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.fixes.outside_verdicts import APPLIED, pull_request_number
from debug_loop_pipeline.effects.execution_store import BEST_FIRST
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.verdict import COMMIT_PREFIX, Verdict, VerdictKind

_NUMBER = "substring(event #>> '{context,pull_request}' from '([0-9]+)/?$')"
_FIELDS = ", ".join(Verdict.model_fields)


class VerdictStore:
    """Reads and writes of `verdicts`, on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, connection: Connection, verdict: Verdict) -> bool:
        """Keeps a verdict in place of an earlier one of the same check. Returns False where a later one is known."""
        row = verdict.model_dump(mode="json", include={"failures"}, exclude_defaults=True)
        found = connection.execute(
            text(_RECORD),
            verdict.model_dump(exclude={"failures"})
            | {
                "verdict_id": verdict.verdict_id,
                "kind": verdict.kind.value,
                "failures": _json(row.get("failures", [])),
            },
        )
        return found.rowcount > 0

    def about(self, connection: Connection, events: Iterable[ExecutionEvent]) -> list[Verdict]:
        """Verdicts that may speak of some attempts; `speaks_of` decides."""
        told = list(events)
        commits = {e.context.commit[:COMMIT_PREFIX].lower() for e in told if e.context.commit}
        numbers = {pull_request_number(e.context.pull_request) for e in told} - {None}
        rows = fetch_rows(
            self._database,
            f"select {_FIELDS} from verdicts where (kind = 'commit' and left(subject, {COMMIT_PREFIX}) = any(:commits))"
            " or (kind = 'pull_request' and subject = any(:numbers)) or (kind = 'correlation' and subject = any(:tasks))",
            {
                "commits": sorted(commits),
                "numbers": sorted(str(number) for number in numbers),
                "tasks": sorted({str(e.correlation_id) for e in told}),
            },
            connection,
        )
        return [Verdict.model_validate(row) for row in rows]

    def tasks_of(self, verdict: Verdict) -> list[UUID]:
        """Tasks that hold attempts which a verdict may speak of."""
        condition = {
            VerdictKind.COMMIT: f"left(event #>> '{{context,commit}}', {COMMIT_PREFIX}) = left(:subject, {COMMIT_PREFIX})",
            VerdictKind.PULL_REQUEST: f"{_NUMBER} = :subject",
            VerdictKind.CORRELATION: "correlation_id = cast(:subject as uuid)",
        }[verdict.kind]
        rows = fetch_rows(
            self._database,
            f"select distinct correlation_id from execution_inbox where holds and {condition} order by 1",
            {"subject": verdict.subject},
        )
        return [row["correlation_id"] for row in rows]

    def repositories_of_pull_request(self, number: str) -> list[str]:
        """The repositories in which attempts name a pull request of this number."""
        rows = fetch_rows(
            self._database,
            "select distinct coalesce(event #>> '{context,repository}',"
            "   substring(event #>> '{context,pull_request}' from '([^/]+/[^/#]+)(/pulls?/|#)[0-9]+/?$')) as repository"
            " from execution_inbox where holds"
            f" and {_NUMBER} = :number order by 1",
            {"number": number},
        )
        return [row["repository"] for row in rows if row["repository"]]

    def without_verdicts(self, connection: Connection, attempts: Sequence[UUID]) -> dict[UUID, ExecutionEvent]:
        """The best revision of each attempt that holds no verdict of ours."""
        rows = fetch_rows(self._database, _BASES, {"attempts": list(attempts), "key": APPLIED}, connection)
        return {row["attempt_id"]: ExecutionEvent.model_validate_json(row["event"]) for row in rows}

    def remove_superseded(self, connection: Connection, kept: Mapping[UUID, str | None]) -> int:
        """Removes the revisions with verdicts of some attempts, but for the digest that each keeps. Returns how many.

        The caller holds the attempts' locks and lets the revisions settle afterwards (`ExecutionStore.ingest_in`).
        """
        return connection.execute(
            text(_REMOVE),
            {
                "attempts": list(kept),
                "digests": [digest or "" for digest in kept.values()],
                "key": APPLIED,
            },
        ).rowcount


def _json(value: object) -> str:
    from debug_loop_pipeline.effects.bulk_write import encode_json

    return encode_json(value).decode()


_RECORD = """
insert into verdicts (verdict_id, kind, subject, repository, name, passed, tests, failures, failures_not_kept, decided_at, recorded_by)
values (:verdict_id, :kind, :subject, :repository, :name, :passed, :tests, cast(:failures as jsonb), :failures_not_kept,
        :decided_at, :recorded_by)
on conflict (verdict_id) do update
set passed = excluded.passed, tests = excluded.tests, failures = excluded.failures,
    failures_not_kept = excluded.failures_not_kept, decided_at = excluded.decided_at, recorded_by = excluded.recorded_by,
    recorded_at = now()
where verdicts.decided_at <= excluded.decided_at
"""

_BASES = f"""
select distinct on (attempt_id) attempt_id, event::text as event
from execution_inbox
where attempt_id = any(:attempts) and not coalesce(event -> 'metadata', '{{}}') ? :key
order by attempt_id, {BEST_FIRST}
"""

_REMOVE = """
delete from execution_inbox i
using unnest(cast(:attempts as uuid[]), cast(:digests as text[])) as kept (attempt_id, digest)
where i.attempt_id = kept.attempt_id and i.digest <> kept.digest and coalesce(i.event -> 'metadata', '{}') ? :key
"""
