"""Step `error_patterns`: each error of an attempt as a pattern with its slots, in the group a person may have decided."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection

from debug_loop_pipeline.compute.errors.error_groups import GroupDecisions
from debug_loop_pipeline.compute.event_errors import event_error_patterns
from debug_loop_pipeline.effects.decision_store import group_decisions
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.step_store import PendingAttempt, Table
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.framework import Derived, StepContext

ERRORS = Table(
    "attempt_errors",
    (
        "attempt_id",
        "position",
        "day",
        "correlation_id",
        "signature",
        "own_signature",
        "stack_signature",
        "error_type",
        "category",
        "origin",
        "pattern",
        "slots",
        "message",
        "tool",
        "test",
        "path",
        "line",
        "step",
        "verification",
        "tool_call_id",
        "confidence",
        "at",
    ),
    ("attempt_id", "position"),
)
_TASK = ERRORS.columns.index("correlation_id")


class ErrorPatternsStep:
    """One row per error."""

    name = "error_patterns"
    code_version = versions.ERROR_PATTERNS
    # What came in while a run was under way must not have errors before it has a row: the folds that this marks read that row.
    upstream: tuple[str, str] | None = ("execution_attempts", versions.EXECUTION_ATTEMPTS)

    def derive(self, context: StepContext, chunk: Sequence[PendingAttempt], connection: Connection) -> Derived:
        """Rows of `attempt_errors`; the tasks and signatures concerned are marked for the folds."""
        ids = [p.attempt_id for p in chunk]
        before = fetch_rows(
            context.database,
            "select distinct signature, day, correlation_id from attempt_errors where attempt_id = any(:ids)",
            {"ids": ids},
            connection,
        )
        decisions = group_decisions(context.database, connection)
        rows: list[tuple[Any, ...]] = []
        tasks: list[tuple[str, date]] = []
        events = context.executions.events_of_attempts(ids, connection)
        for event in events:
            rows += error_rows(event, decisions)
            tasks.append((str(event.correlation_id), event.started_at.date()))
        signatures = [(row["signature"], row["day"]) for row in before]
        tasks += [(str(row["correlation_id"]), row["day"]) for row in before]  # an attempt may have left its task
        failing = (
            {row[_TASK] for row in rows}
            | {row["correlation_id"] for row in before}
            | {
                row["correlation_id"]
                for row in fetch_rows(
                    context.database,
                    "select distinct correlation_id from attempt_errors where correlation_id = any(:tasks)",
                    {"tasks": sorted({event.correlation_id for event in events})},
                    connection,
                )
            }
        )
        return Derived(
            {ERRORS: rows},
            marks={
                "error_success_mappings": tasks,
                "error_costs": tasks,
                "stuck_loops": [(str(task), chunk[0].day) for task in failing],
                "error_costs_by_signature": signatures,
            },
        )


def error_rows(event: ExecutionEvent, decisions: GroupDecisions) -> list[tuple[Any, ...]]:
    """The rows of one attempt's errors, in the event's order."""
    day = event.started_at.date()
    rows: list[tuple[Any, ...]] = []
    for position, (error, pattern) in enumerate(zip(event.errors, event_error_patterns(event), strict=True)):
        shown_by = event.verifications[error.verification] if error.verification is not None else None
        rows.append(
            (
                event.attempt_id,
                position,
                day,
                event.correlation_id,
                decisions.signature_of(pattern, error),
                pattern.signature,
                pattern.stack_signature,
                pattern.error_type,
                pattern.category.value,
                pattern.origin.value,
                pattern.pattern,
                [slot.model_dump(mode="json") for slot in pattern.slots],
                error.message,
                error.tool,
                error.test,
                error.path,
                error.line,
                error.step,
                error.verification,
                error.tool_call_id,
                pattern.confidence,
                (shown_by.at if shown_by and shown_by.at else None) or event.completed_at or event.started_at,
            )
        )
    return rows
