"""Forgets a session, repository or peer: raw and derived rows go, and what they touched is folded anew (DOMAIN 3.14).

The list of imported files stays, so that the next import does not bring back what was forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.match_epoch_files import remove_epochs
from debug_loop_pipeline.effects.match_epoch_store import epochs_folder
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.steps.execution_attempts import COUNT_USAGE_ONCE
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.run_all import run_all

SUBJECTS = {
    "session": "event ->> 'session_id' = :subject",
    "repository": "event -> 'context' ->> 'repository' = :subject",
    "peer": "coalesce(event ->> 'peer_id', cast(:default_peer as text), event ->> 'agent_name') = :subject",
}
"""What can be forgotten, and which execution events that is."""

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


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed."""

    attempts: int
    rows: int
    rejects: int


def forget(context: StepContext, kind: str, subject: str) -> Forgotten:
    """Removes everything of one session, repository or peer. `kind` is one of `SUBJECTS`.

    Raises:
        DebugLoopError: what was derived could not all be computed anew without it.
    """
    rows = fetch_rows(
        context.database,
        f"select distinct attempt_id, day from execution_inbox where {SUBJECTS[kind]} order by day, attempt_id",
        {"subject": subject, "default_peer": context.settings.peer_id} if kind == "peer" else {"subject": subject},
    )
    attempts: list[UUID] = sorted({row["attempt_id"] for row in rows})
    days = sorted({row["day"] for row in rows})
    removed = 0
    with context.database.transaction("forget") as connection:
        rejects = connection.execute(
            text("delete from execution_rejects where position(:subject in payload) > 0"), {"subject": subject}
        ).rowcount
        if attempts:
            params = {"ids": attempts}
            keys = connection.execute(text(_TOUCHED), params).all()
            removed += connection.execute(text(_SERVED), params).rowcount
            removed += connection.execute(text(_JUDGED), params).rowcount
            messages = connection.execute(
                text("select distinct message_id from usage_records where attempt_id = any(:ids)"), params
            ).scalars()
            told_before = list(messages)
            for table in _BY_ATTEMPT:
                removed += connection.execute(
                    text(f"delete from {table} where attempt_id = any(:ids)"), params
                ).rowcount
            moved = (
                connection.execute(text(COUNT_USAGE_ONCE), {"attempts": [], "told_before": told_before}).scalars().all()
            )
            context.store.forget_progress(connection, ["execution_costs"], sorted(set(moved) - set(attempts)))
            for fold, key in keys:
                context.store.mark(connection, fold, [(key, days[0])])
    if attempts:
        remove_epochs(epochs_folder(context.settings))  # the matcher's files hold words of requests
        undone = [name for report in run_all(context, Span(days[0], days[-1])) for name in report.failed]
        if undone:
            raise DebugLoopError(
                f"the events are gone, but what was derived from them may not be: our own code failed at {len(undone)} keys."
                " `debug-loop problems` says where; run `debug-loop materialize --full-refresh` over these days after an upgrade"
            )
    return Forgotten(len(attempts), removed, rejects)


_SERVED = """
delete from recommendations where session_id in (
    select session_id from execution_inbox where attempt_id = any(:ids) and session_id is not null
) or correlation_id in (select correlation_id from execution_inbox where attempt_id = any(:ids))
"""
"""What was served to them, by session or task."""

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
