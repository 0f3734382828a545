"""Step `stuck_loops`: where a task showed one error signature again and again without progress, and what the repetitions cost.

The cost of a loop is that of the attempts that repeated it: the first one that showed the error had to be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.compute.fixes.task_attempts import TaskAttempt, task_attempts
from debug_loop_pipeline.compute.serving.stuck_loops import StuckLoop, stuck_loops
from debug_loop_pipeline.effects.decision_store import group_decisions
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.step_store import RowChanges, Table
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.framework import Span, StepContext, StepReport, keys_by, run_fold

FOLD = "stuck_loops"

LOOPS = Table(
    "stuck_loops",
    (
        "correlation_id",
        "signature",
        "position",
        "day",
        "attempt_id",
        "first_at",
        "stuck_at",
        "last_at",
        "times",
        "ended",
        "attempts",
        "unpriced_attempts",
        "cost_usd",
        "agent_name",
        "session_id",
        "repository",
    ),
    ("correlation_id", "signature", "position"),
    scope="correlation_id",
)


def run(
    context: StepContext, span: Span, *, full_refresh: bool = False, only_keys: Sequence[str] | None = None
) -> StepReport:
    """Folds the loops of the tasks that were touched on these days, across all days."""
    return run_fold(
        context,
        FOLD,
        versions.STUCK_LOOPS,
        span,
        refold_tasks,
        keys_by(
            "select correlation_id::text as key from attempt_errors where day = any(:days)"
            " union select correlation_id::text from stuck_loops where day = any(:days)"
        ),
        full_refresh=full_refresh,
        only_keys=only_keys,
    )


def refold_tasks(context: StepContext, connection: Connection, tasks: list[str], span: Span) -> dict[str, RowChanges]:
    """Recomputes the loops of some tasks. Only those that showed a signature often enough are read whole."""
    ids, after = [UUID(task) for task in tasks], context.settings.loop_guard.stuck_after
    repeating = repeating_tasks(context.database, ids, after, connection)
    decisions = group_decisions(context.database, connection)
    rows = [
        row
        for events in context.executions.events_of_tasks_in_parts(repeating, connection)
        for task, attempts in task_attempts(events, signature_of=decisions.signature_of).items()
        for row in _rows(context, connection, task, attempts, after)
    ]
    return {LOOPS.name: context.store.replace(connection, LOOPS, rows, ids)}


def repeating_tasks(
    database: Database,
    tasks: Sequence[UUID],
    after: int,
    connection: Connection | None = None,
    signatures: Sequence[str] | None = None,
) -> list[UUID]:
    """Of some tasks those in which at least `after` verifications showed one signature (one of `signatures`, where told)."""
    rows = fetch_rows(
        database,
        _REPEATING,
        {"tasks": list(tasks), "after": after, "signatures": None if signatures is None else list(signatures)},
        connection,
    )
    return [row["correlation_id"] for row in rows]


def _rows(
    context: StepContext, connection: Connection, task: UUID, attempts: Sequence[TaskAttempt], after: int
) -> list[tuple[Any, ...]]:
    known = {row["attempt_id"]: row for row in fetch_rows(context.database, _ATTEMPTS, {"tasks": [task]}, connection)}
    # A day that is still to be materialised marks the task again.
    loops = stuck_loops([attempt for attempt in attempts if attempt.attempt_id in known], after=after)
    positions: dict[str, count[int]] = {}
    return [_row(task, loop, next(positions.setdefault(loop.signature, count())), known) for loop in loops]


def _row(task: UUID, loop: StuckLoop, position: int, known: dict[UUID, dict[str, Any]]) -> tuple[Any, ...]:
    stuck_in = known[loop.stuck_in]
    costs = [known[attempt]["cost_usd"] for attempt in loop.attempts[1:]]
    priced = [cost for cost in costs if cost is not None]
    return (
        task,
        loop.signature,
        position,
        stuck_in["day"],
        loop.stuck_in,
        loop.first_at,
        loop.stuck_at,
        loop.last_at,
        loop.times,
        loop.ended,
        len(costs),
        len(costs) - len(priced),
        sum(priced, Decimal(0)),
        stuck_in["agent_name"],
        stuck_in["session_id"],
        stuck_in["repository"],
    )


_REPEATING = """
select distinct correlation_id from (
    select correlation_id, signature
    from attempt_errors
    where correlation_id = any(:tasks) and origin = 'agent_action'
      and (cast(:signatures as text[]) is null or signature = any(:signatures))
    group by correlation_id, signature
    having count(distinct (attempt_id, coalesce(verification, -1))) >= :after
) r
order by 1
"""

_ATTEMPTS = """
select a.attempt_id, a.day, a.agent_name, a.session_id, a.repository, c.cost_usd
from debug_execution_attempts a left join execution_costs c using (attempt_id)
where a.correlation_id = any(:tasks)
"""
