"""Forgets a session, repository or peer: raw and derived rows go, and what they touched is folded anew (DOMAIN 3.14).

It stays forgotten: ingestion leaves out what `forgotten` names, until a person takes that back (docs/decisions/0013).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.event_traces import Subject, traces_of_payload
from debug_loop_pipeline.effects.contribution_store import forget_contributions, lock_decider
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.forgotten_store import (
    keep_out_attempts,
    keep_out_subject,
    let_in_again,
    lock_forgetting,
)
from debug_loop_pipeline.effects.match_epoch_files import remove_epochs
from debug_loop_pipeline.effects.match_epoch_store import epochs_folder
from debug_loop_pipeline.effects.recommendation_outcome_store import tasks_of_recommendations
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.steps.execution_attempts import COUNT_USAGE_ONCE
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.run_all import run_all

_EVENTS = {
    Subject.SESSION: "event ->> 'session_id' = :subject",
    Subject.REPOSITORY: "event -> 'context' ->> 'repository' = :subject",
    Subject.PEER: "coalesce(event ->> 'peer_id', cast(:default_peer as text), event ->> 'agent_name') = :subject",
}
"""Which execution events are of a subject, as `traces_of` tells it of one."""

_BY_ATTEMPT = (
    "execution_inbox",
    "execution_sources",
    "step_progress",
    "usage_records",
    "attempt_verifications",
    "attempt_errors",
    "attempt_stfs",
    "attempt_stf_quality",
    "execution_costs",
    "stf_matches",
    "error_cost_items",
    "debug_execution_attempts",
)


_PAYLOADS = 1_000
"""Of rejects, read at once."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed."""

    attempts: int
    rows: int
    rejects: int


def forget(context: StepContext, kind: str, subject: str) -> Forgotten:
    """Removes everything of one session, repository or peer, and keeps it out. `kind` is one of `Subject`.

    Raises:
        DebugLoopError: what was derived could not all be computed anew without it.
    """
    kind = Subject(kind)
    # First of all, so that nothing comes in between the search, which may take its time, and the removal.
    with context.database.transaction("forget_subject") as connection:
        keep_out_subject(connection, kind, subject)
    params = {"subject": subject} | ({"default_peer": context.settings.peer_id} if kind is Subject.PEER else {})
    rows = fetch_rows(
        context.database,
        f"select distinct attempt_id, day from execution_inbox where {_EVENTS[kind]} order by day, attempt_id",
        params,
    )
    attempts: list[UUID] = sorted({row["attempt_id"] for row in rows})
    days = {row["day"] for row in rows}
    rejects = _rejects_of(context, kind, subject, attempts)
    run_id = f"forget:{uuid4()}"
    with context.database.transaction("forget") as connection:
        lock_decider(connection)
        lock_forgetting(connection)
        keep_out_attempts(connection, kind, subject, attempts)
        removal = _Removal(context, connection, kind, subject, attempts)
        days |= removal.touched(min(days, default=None))
        removal.remove(rejects)
        context.store.mark_dirty(connection, days)  # whoever comes after us does it where we are killed
    if days:
        span = Span(min(days), max(days))
        context.executions.claim_dirty(span.first, span.last, run_id)
        remove_epochs(epochs_folder(context.settings))  # the matcher's files hold words of requests
        undone = [name for report in run_all(context, span) for name in report.failed]
        if undone:
            raise DebugLoopError(
                f"the events are gone, but what was derived from them may not be: our own code failed at {len(undone)} keys."
                " `debug-loop problems` says where; run `debug-loop materialize --full-refresh` over these days after an upgrade"
            )
        context.executions.clear_dirty(span.first, span.last, run_id)
    return Forgotten(len(attempts), removal.rows, sum(map(len, rejects.values())))


def let_in(context: StepContext, kind: str, subject: str) -> bool:
    """Takes a forgetting back: what is imported from now on may be of it again. False: it was not forgotten."""
    with context.database.transaction("let_in") as connection:
        return let_in_again(connection, Subject(kind), subject)


def _rejects_of(context: StepContext, kind: Subject, subject: str, attempts: Sequence[UUID]) -> dict[str, list[int]]:
    """Table -> refused payloads that are of a subject, by their fields. Of contributions a peer is what they say."""
    known = set(attempts)
    found: dict[str, list[int]] = {}
    for table, default_peer in (("execution_rejects", context.settings.peer_id), ("contribution_rejects", None)):
        found[table], last = [], 0
        query = f"select reject_id, payload from {table} where reject_id > :last order by reject_id limit {_PAYLOADS}"
        while rows := fetch_rows(context.database, query, {"last": last}):
            last = rows[-1]["reject_id"]
            for row in rows:
                traces = traces_of_payload(row["payload"], default_peer)
                if traces.subjects.get(kind) == subject or traces.attempt_id in known:
                    found[table].append(row["reject_id"])
    return found


class _Removal:
    """What one transaction removes, in the order of its methods."""

    def __init__(
        self, context: StepContext, connection: Connection, kind: Subject, subject: str, attempts: Sequence[UUID]
    ) -> None:
        self._context = context
        self._connection = connection
        self._kind = kind
        self._subject = subject
        self._attempts = attempts
        self._known = set(attempts)
        self._params: dict[str, Any] = {"ids": list(attempts), "kind": kind.value, "subject": subject}
        self._served: list[UUID] = []
        self.rows = 0

    def touched(self, first: date | None) -> set[date]:
        """Marks what rests on it, under the first of its days where it has any. Returns the days of the marks."""
        marks: defaultdict[str, list[tuple[str, date]]] = defaultdict(list)
        if first is not None:
            for row in self._all(_TOUCHED):
                marks[row.fold].append((row.key, first))
        self._served = [row.recommendation_id for row in self._all(_SERVED)]
        tasks = tasks_of_recommendations(self._context.database, self._connection, self._served)
        days = self._all(
            "select correlation_id, min(day) as day from execution_inbox where correlation_id = any(:tasks) group by 1",
            tasks=tasks,
        )
        marks["recommendation_outcomes"] += [(str(row.correlation_id), row.day) for row in days]
        for fold, keys in marks.items():
            self._context.store.mark(self._connection, fold, keys)
        return {day for keys in marks.values() for _, day in keys}

    def remove(self, rejects: Mapping[str, Sequence[int]]) -> None:
        """Removes the rows, and some of tables of rejects."""
        self._delete("delete from recommendations where recommendation_id = any(:served)", served=self._served)
        for table, ids in rejects.items():
            statement = f"delete from {table} where reject_id = any(:rejects)"
            self._connection.execute(text(statement), {"rejects": ids})
        self.rows += forget_contributions(
            self._connection, self._attempts, self._subject if self._kind is Subject.PEER else None
        )
        if not self._attempts:
            return
        self._delete(_JUDGED)
        told_before = [row.message_id for row in self._all(_MESSAGES)]
        for table in _BY_ATTEMPT:
            self._delete(f"delete from {table} where attempt_id = any(:ids)")
        moved = {row.attempt_id for row in self._all(COUNT_USAGE_ONCE, attempts=[], told_before=told_before)}
        self._context.store.forget_progress(self._connection, ["execution_costs"], sorted(moved - self._known))
        self._context.store.forget_samples(self._connection)

    def _all(self, query: str, **params: Any) -> Sequence[Any]:
        return self._connection.execute(text(query), self._params | params).all()

    def _delete(self, statement: str, **params: Any) -> None:
        self.rows += self._connection.execute(text(statement), self._params | params).rowcount


_MESSAGES = "select distinct message_id from usage_records where attempt_id = any(:ids)"

_SERVED = """
select recommendation_id from recommendations r
where (:kind = 'session' and r.session_id = :subject) or (:kind = 'repository' and r.repository = :subject)
   or (:kind <> 'repository' or r.repository is null) and (
       r.session_id in (select session_id from execution_inbox where attempt_id = any(:ids) and session_id is not null)
       or r.session_id is null and r.correlation_id in (select correlation_id from execution_inbox where attempt_id = any(:ids))
   )
"""
"""What was served to it: by its own name; to its attempts' sessions, or tasks where no session is known, unless in another repository."""

_JUDGED = """
delete from verdicts v where exists (
    select 1 from execution_inbox i, jsonb_array_elements_text(coalesce(i.event #> '{metadata,verdicts}', '[]')) as told (id)
    where i.attempt_id = any(:ids) and told.id = cast(v.verdict_id as text)
) and not exists (
    select 1 from execution_inbox i, jsonb_array_elements_text(coalesce(i.event #> '{metadata,verdicts}', '[]')) as told (id)
    where i.attempt_id <> all(:ids) and i.holds and told.id = cast(v.verdict_id as text)
)
"""
"""Verdicts, with the messages of their failing tests, that speak of nothing else."""

_TOUCHED = """
select 'stf_registry' as fold, stf_hash as key from attempt_stfs where attempt_id = any(:ids)
union select 'golden_states', attempt_id::text from execution_inbox where attempt_id = any(:ids)
union select 'error_success_mappings', correlation_id::text from execution_inbox where attempt_id = any(:ids)
union select 'error_costs', correlation_id::text from execution_inbox where attempt_id = any(:ids)
union select 'stuck_loops', correlation_id::text from execution_inbox where attempt_id = any(:ids)
union select 'recommendation_outcomes', correlation_id::text from execution_inbox where attempt_id = any(:ids)
union select 'error_costs_by_signature', signature from error_cost_items where attempt_id = any(:ids)
order by 1, 2
"""
