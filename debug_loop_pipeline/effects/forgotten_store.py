"""What was forgotten and must not come in again (docs/decisions/0013): ids alone, of attempts and of what they were forgotten by.

Here: the marks, and the lock that lets whoever writes what comes in or is derived from it, and whoever forgets, take turns. Not here: what
forgetting removes (`steps/forget`).
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.compute.event_traces import Subject, Traces, subject_id
from debug_loop_pipeline.effects.postgres import advisory_lock, shared_lock
from debug_loop_pipeline.effects.statements import execute

_LOCK = "forgetting"


def lock_forgetting(connection: Connection) -> None:
    """Waits until nobody writes what comes in or facts of it; they wait until this transaction ends."""
    advisory_lock(connection, _LOCK)


def forgotten(connection: Connection, traces: Sequence[Traces]) -> list[bool]:
    """Which of some events are forgotten, each by one of its ids. Until the transaction ends nothing else is.

    A session and an attempt stay out for good; of a repository or a peer what began before it was forgotten: work goes on there.
    """
    if not traces:
        return []
    ids = [one.ids() for one in traces]
    asked = sorted({id for some in ids for id in some})
    rows = {row.id: row for row in execute(connection, _FORGOTTEN, {"ids": asked})}
    if not rows:
        return [False] * len(traces)
    return [
        any(
            id in rows and (rows[id].for_good or one.began is None or one.began <= rows[id].forgotten_at) for id in some
        )
        for one, some in zip(traces, ids, strict=True)
    ]


def still_held(connection: Connection, attempts: Sequence[UUID]) -> set[UUID]:
    """Those of some attempts of which a revision holds. Until the transaction ends none of them is forgotten."""
    return {row.attempt_id for row in execute(connection, _HELD, {"ids": list(attempts)})}


def keep_out_subject(connection: Connection, kind: Subject, name: str) -> None:
    """Has a session, repository or peer stay out from now on."""
    lock_forgetting(connection)
    execute(connection, _KEEP_OUT_SUBJECT, {"id": subject_id(kind, name), "kind": kind.value})


def keep_out_attempts(connection: Connection, kind: Subject, name: str, attempts: Sequence[UUID]) -> None:
    """Has attempts stay out that were forgotten with a session, repository or peer."""
    execute(connection, _KEEP_OUT_ATTEMPTS, {"subject": subject_id(kind, name), "ids": list(attempts)})


def let_in_again(connection: Connection, kind: Subject, name: str) -> bool:
    """Lets a session, repository or peer come in again, with the attempts that were forgotten with it. False: it was not kept out."""
    lock_forgetting(connection)
    return execute(connection, _LET_IN, {"subject": subject_id(kind, name)}).rowcount > 0


_FORGOTTEN = f"""
{shared_lock(_LOCK)};
select id, kind in ('attempt', 'session') as for_good, forgotten_at from forgotten where id = any(:ids)
"""

_HELD = f"""
{shared_lock(_LOCK)};
select attempt_id from execution_inbox where holds and attempt_id = any(:ids)
"""

_KEEP_OUT_SUBJECT = """
insert into forgotten (id, kind, forgotten_with) values (:id, :kind, :id)
on conflict (id) do update set forgotten_at = clock_timestamp()
"""

_KEEP_OUT_ATTEMPTS = """
insert into forgotten (id, kind, forgotten_with)
select id, 'attempt', :subject from unnest(cast(:ids as uuid[])) as t (id) on conflict (id) do nothing
"""

_LET_IN = "delete from forgotten where forgotten_with = :subject"
