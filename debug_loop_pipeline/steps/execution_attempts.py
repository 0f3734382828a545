"""Step `execution_attempts`: the holding revision of each attempt as rows, its verifications and its token usage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.event_errors import event_error_patterns
from debug_loop_pipeline.compute.event_traces import peer_of
from debug_loop_pipeline.compute.matching.problem_category import problem_category
from debug_loop_pipeline.compute.matching.problem_signature import problem_hash, problem_signature
from debug_loop_pipeline.compute.outcome import evidence_tier, outcome
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.recommendation_outcome_store import tasks_served
from debug_loop_pipeline.effects.step_store import PendingAttempt, Table
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.framework import Derived, StepContext

ATTEMPTS = Table(
    "debug_execution_attempts",
    (
        "attempt_id",
        "digest",
        "day",
        "correlation_id",
        "execution_id",
        "session_id",
        "run_started_at",
        "parent_attempt_id",
        "parent_correlation_id",
        "peer_id",
        "agent_name",
        "agent_type",
        "importer",
        "user_request",
        "problem_signature",
        "problem_hash",
        "category",
        "status",
        "outcome",
        "evidence_tier",
        "started_at",
        "completed_at",
        "time_estimated",
        "duration_ms",
        "model_used",
        "provider",
        "tokens_input",
        "tokens_cache_read",
        "tokens_cache_write_5m",
        "tokens_cache_write_1h",
        "tokens_output",
        "usage_estimated",
        "quality_score",
        "approach_description",
        "repository",
        "branch",
        "commit_sha",
        "pull_request",
        "cwd",
        "tools_used",
        "files_modified",
        "stf_ids",
        "golden_state_ids",
        "recommendation_id",
    ),
    ("attempt_id",),
)
VERIFICATIONS = Table(
    "attempt_verifications",
    (
        "attempt_id",
        "position",
        "day",
        "correlation_id",
        "session_id",
        "step",
        "tool_call_id",
        "command",
        "goal",
        "exit_code",
        "passed",
        "failed",
        "verdict",
        "outside",
        "at",
    ),
    ("attempt_id", "position"),
)
USAGE = Table(
    "usage_records",
    (
        "message_id",
        "request_id",
        "attempt_id",
        "day",
        "model",
        "provider",
        "at",
        "tokens_input",
        "tokens_cache_read",
        "tokens_cache_write_5m",
        "tokens_cache_write_1h",
        "tokens_output",
        "estimated",
    ),
    ("message_id", "request_id", "attempt_id"),
)


class ExecutionAttemptsStep:
    """One row per attempt; usage claimed by several attempts is counted once (DOMAIN 3.1)."""

    name = "execution_attempts"
    code_version = versions.EXECUTION_ATTEMPTS
    upstream: tuple[str, str] | None = None

    def derive(self, context: StepContext, chunk: Sequence[PendingAttempt], connection: Connection) -> Derived:
        """Rows of the attempt, verification and usage tables."""
        digests = {p.attempt_id: p.digest for p in chunk}
        events = context.executions.events_of_attempts(list(digests), connection)
        before = fetch_rows(context.database, _BEFORE, {"attempts": list(digests)}, connection)
        told_before = [row["message_id"] for row in before if row["message_id"] is not None]
        left = _tasks_left(before, events)
        attempts: list[tuple[Any, ...]] = []
        verifications: list[tuple[Any, ...]] = []
        usage: list[tuple[Any, ...]] = []
        tasks: list[tuple[str, date]] = []
        for event in events:
            day = event.started_at.date()
            attempts.append(_attempt_row(event, digests[event.attempt_id], context.settings))
            tasks.append((str(event.correlation_id), day))
            verifications += [
                (
                    event.attempt_id,
                    position,
                    day,
                    event.correlation_id,
                    event.session_id,
                    v.step,
                    v.tool_call_id,
                    v.command,
                    v.goal,
                    v.exit_code,
                    v.passed,
                    v.failed,
                    v.verdict.value,
                    v.outside,
                    v.at,
                )
                for position, v in enumerate(event.verifications)
            ]
            best: dict[tuple[str, str], tuple[Any, ...]] = {}
            for record in event.usage:
                row = (
                    record.message_id,
                    record.request_id,
                    event.attempt_id,
                    day,
                    record.model or event.model_used,
                    record.provider or event.provider,
                    record.at or event.started_at,
                    record.tokens_input,
                    record.tokens_cache_read,
                    record.tokens_cache_write_5m,
                    record.tokens_cache_write_1h,
                    record.tokens_output,
                    record.estimated,
                )
                key = (record.message_id, record.request_id)
                if key not in best or sum(row[7:12]) > sum(best[key][7:12]):
                    best[key] = row
            usage += best.values()
        served = tasks_served(context.database, connection, events)
        return Derived(
            {ATTEMPTS: attempts, VERIFICATIONS: verifications, USAGE: usage},
            marks={
                "error_success_mappings": tasks + left,
                "error_costs": left,
                "stuck_loops": left,
                "golden_states": [(str(e.attempt_id), e.started_at.date()) for e in events],
                "recommendation_outcomes": [(str(task), chunk[0].day) for task in served] + left,
            },
            settle=_count_usage_once(context, told_before, list(digests)),
        )


def _tasks_left(before: Sequence[dict[str, Any]], events: Sequence[ExecutionEvent]) -> list[tuple[str, date]]:
    """The tasks that attempts belonged to by the revision before and no longer do, each under the attempt's day."""
    known = {row["attempt_id"]: row["correlation_id"] for row in before}
    return [
        (str(known[event.attempt_id]), event.started_at.date())
        for event in events
        if known.get(event.attempt_id) not in (None, event.correlation_id)
    ]


def _count_usage_once(
    context: StepContext, told_before: list[str], attempts: list[UUID]
) -> Callable[[Connection], None]:
    """Decides which copy of each API response counts; attempts of other chunks that lose or win one are costed again."""

    def settle(connection: Connection) -> None:
        moved = (
            connection.execute(text(COUNT_USAGE_ONCE), {"attempts": attempts, "told_before": told_before})
            .scalars()
            .all()
        )
        context.store.forget_progress(connection, ["execution_costs"], sorted(set(moved) - set(attempts)))

    return settle


def _attempt_row(event: ExecutionEvent, digest: str, settings: Settings) -> tuple[Any, ...]:
    signature = problem_signature(event.user_request, settings.text.signature_chars)
    completed = event.completed_at or event.started_at
    origins = [error.origin for error in event_error_patterns(event)]
    duration = event.duration_ms
    if duration is None and event.completed_at is not None:
        duration = int((event.completed_at - event.started_at).total_seconds() * 1000)
    return (
        event.attempt_id,
        digest,
        event.started_at.date(),
        event.correlation_id,
        event.execution_id,
        event.session_id,
        event.run_started_at,
        event.parent_attempt_id,
        event.parent_correlation_id,
        peer_of(event, settings.peer_id),
        event.agent_name,
        event.agent_type,
        event.source.importer,
        event.user_request,
        signature,
        problem_hash(signature),
        problem_category(signature).value,
        event.status.value,
        outcome(event, origins).value,
        evidence_tier(event).value,
        event.started_at,
        completed,
        event.source.time_estimated,
        duration,
        event.model_used,
        event.provider,
        event.tokens_input,
        event.tokens_cache_read,
        event.tokens_cache_write_5m,
        event.tokens_cache_write_1h,
        event.tokens_output,
        event.usage_estimated,
        event.quality_score,
        event.approach_description,
        event.context.repository,
        event.context.branch,
        event.context.commit,
        event.context.pull_request,
        event.context.cwd,
        list(event.tools_used),
        list(event.files_modified),
        list(event.stf_ids),
        list(event.golden_state_ids),
        event.recommendation_id,
    )


_BEFORE = """
select attempt_id, correlation_id, null as message_id from debug_execution_attempts where attempt_id = any(:attempts)
union
select null, null, message_id from usage_records where attempt_id = any(:attempts)
"""
"""What is known of some attempts by the revisions before: their tasks, and the API responses that they told."""

COUNT_USAGE_ONCE = """
with touched as (
    select distinct message_id, request_id from usage_records
    where attempt_id = any(:attempts) or message_id = any(:told_before)
),
ranked as (
    select u.message_id, u.request_id, u.attempt_id, u.counted,
           row_number() over (
               partition by u.message_id, u.request_id
               order by u.tokens_input + u.tokens_cache_read + u.tokens_cache_write_5m + u.tokens_cache_write_1h + u.tokens_output desc,
                        u.at, u.attempt_id
           ) = 1 as best
    from usage_records u join touched using (message_id, request_id)
),
lost as (
    update usage_records u set counted = false
    from ranked r
    where (u.message_id, u.request_id, u.attempt_id) = (r.message_id, r.request_id, r.attempt_id) and r.counted and not r.best
    returning u.attempt_id
),
won as (
    update usage_records u set counted = true
    from ranked r
    where (u.message_id, u.request_id, u.attempt_id) = (r.message_id, r.request_id, r.attempt_id) and r.best and not r.counted
      and (select count(*) from lost) >= 0
    returning u.attempt_id
)
select attempt_id from lost union select attempt_id from won
"""
