"""Explains sessions from the inbox alone: the same credit as the fold's, traced to tool calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from debug_loop_pipeline.compute.fixes.explain import explain_sessions as explain_events
from debug_loop_pipeline.effects.decision_store import group_decisions
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.steps.framework import StepContext

_NOTHING: dict[str, list[Any]] = {"verifications": [], "fixes": [], "failed_tries": []}


def explain_sessions(context: StepContext, sessions: Sequence[str]) -> dict[str, Any]:
    """Session id -> its verifications, fixes and failed tries; nothing of a session in which no agent did anything.

    A session that is not in the store does not keep the others from being explained: it is named in a warning.

    Raises:
        DebugLoopError: none of the sessions is in the store.
    """
    tasks = context.executions.tasks_of_sessions(sessions)
    events = context.executions.events_of_tasks(tasks)
    known = {event.session_id for event in events}
    if missing := [session for session in sessions if session not in known]:
        told = f"no execution of session {', '.join(missing)} is in the store; import it first (`debug-loop import`)"
        if others := context.executions.sessions_with_attempts_of(missing):
            told = f"what session {', '.join(missing)} did is told as session {', '.join(others)}: one is a copy of the other"
        if len(missing) == len(sessions):
            raise DebugLoopError(told)
        structlog.get_logger("explain").warning("explain.not_in_store", sessions=missing, hint=told)
    explained = explain_events(events, signature_of=group_decisions(context.database).signature_of)
    return {session: explained.get(session, _NOTHING) for session in sessions}
