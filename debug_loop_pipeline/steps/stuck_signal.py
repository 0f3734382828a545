"""Is the task that asks about an error stuck on it? By what the store knows of it, and by what its session asked before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from debug_loop_pipeline.client.redaction import redact
from debug_loop_pipeline.compute.errors.error_identity import ErrorKey, error_key
from debug_loop_pipeline.compute.fixes.task_attempts import task_attempts
from debug_loop_pipeline.compute.serving.stuck_loops import Streak, stuck_loops
from debug_loop_pipeline.effects.decision_store import group_decisions
from debug_loop_pipeline.effects.execution_store import ExecutionStore
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.models.manifest import StuckSignal
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.manifest import errors_in
from debug_loop_pipeline.steps.stuck_loops import repeating_tasks

Asked = Callable[[str, frozenset[ErrorKey], datetime], Streak]
"""(signature, errors of it, now) -> the streak that this question makes in its session."""


def stuck_signal(
    database: Database,
    settings: Settings,
    error: str,
    *,
    task: UUID | None = None,
    session: str | None = None,
    asked: Asked | None = None,
) -> StuckSignal | None:
    """The longest streak of one of the errors in a text, where it is long enough to be called stuck.

    Args:
        database: the store.
        settings: from how many times on.
        error: error text or tool output, as it was shown now.
        task: that asks; else all tasks of the session.
        session: that asks.
        asked: notes the question; what the session asked before counts where its attempts are not in the store yet.
    """
    after, now = settings.loop_guard.stuck_after, datetime.now(UTC)
    decisions = group_decisions(database)
    found = errors_in(redact(error))
    patterns: dict[str, str] = {}
    keys: dict[str, set[ErrorKey]] = {}
    for told, pattern in (
        found[:-1] or found
    ):  # the last one is the text as a whole, for where nothing could be cut out of it
        signature = decisions.signature_of(pattern, told)
        patterns.setdefault(signature, pattern.pattern)
        keys.setdefault(signature, set()).add(error_key(pattern, signature=signature, test=told.test))
    signals: list[StuckSignal] = []
    for signature, shown in keys.items() if asked else ():
        streak = asked(signature, frozenset(shown), now)  # type: ignore[misc]
        signals.append(
            StuckSignal(
                error_signature=signature, error_pattern=patterns[signature], times=streak.times, since=streak.since
            )
        )
    executions = ExecutionStore(database)
    tasks = [task] if task is not None else executions.tasks_of_sessions([session]) if session else []
    repeating = repeating_tasks(database, tasks, after, signatures=sorted(keys)) if tasks else []
    if repeating:
        events = executions.events_of_tasks(repeating)
        signals += [
            StuckSignal(
                error_signature=loop.signature,
                error_pattern=patterns[loop.signature],
                times=loop.times,
                since=loop.first_at,
            )
            for attempts in task_attempts(events, signature_of=decisions.signature_of).values()
            for loop in stuck_loops(attempts, after=after)
            if loop.signature in keys and not loop.ended
        ]
    return max((s for s in signals if s.times >= after), key=lambda s: (s.times, s.error_signature), default=None)
