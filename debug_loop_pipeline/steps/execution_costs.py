"""Step `execution_costs`: what each attempt cost, by the tokens that are counted and the prices in force when it started."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.compute.cost_tracker import CostLimits, PriceBook, cost_of_usage, track_cost
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.recommendation_outcome_store import tasks_served
from debug_loop_pipeline.effects.step_store import PendingAttempt, Table
from debug_loop_pipeline.models.cost import ExecutionCost
from debug_loop_pipeline.models.execution import ExecutionEvent, UsageRecord
from debug_loop_pipeline.settings import CostSettings
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.framework import Derived, StepContext

COSTS = Table(
    "execution_costs",
    (
        "attempt_id",
        "day",
        "cost_usd",
        "cost_category",
        "unpriced_reason",
        "unpriced_detail",
        "model",
        "provider",
        "by_model",
        "tokens_input",
        "tokens_cache_read",
        "tokens_cache_write_5m",
        "tokens_cache_write_1h",
        "tokens_output",
        "estimated",
    ),
    ("attempt_id",),
)


class ExecutionCostsStep:
    """One row per attempt; a response that two attempts tell is priced in one of them."""

    name = "execution_costs"
    code_version = versions.EXECUTION_COSTS
    upstream: tuple[str, str] | None = ("execution_attempts", versions.EXECUTION_ATTEMPTS)

    def __init__(self) -> None:
        self._book: PriceBook | None = None

    def derive(self, context: StepContext, chunk: Sequence[PendingAttempt], connection: Connection) -> Derived:
        """Rows of `execution_costs`; the tasks concerned are marked for `error_costs`."""
        if self._book is None:  # one catalog for the whole run, so that its days are priced alike
            self._book = context.prices.current(connection)
        ids = [p.attempt_id for p in chunk]
        counted = _counted_usage(context, ids, connection)
        limits = _limits(context.settings.cost)
        rows: list[tuple[Any, ...]] = []
        tasks: list[tuple[str, date]] = []
        events = context.executions.events_of_attempts(ids, connection)
        for event in events:
            cost = (
                cost_of_usage(
                    counted.get(event.attempt_id, []),
                    event.started_at,
                    self._book,
                    model=event.model_used,
                    provider=event.provider,
                    limits=limits,
                )
                if event.usage
                else track_cost(event, self._book, limits)
            )
            rows.append(_row(event, cost))
            tasks.append((str(event.correlation_id), event.started_at.date()))
        served = tasks_served(context.database, connection, events)
        stuck = fetch_rows(
            context.database,
            "select distinct correlation_id from stuck_loops where correlation_id = any(:tasks)",
            {"tasks": [event.correlation_id for event in events]},
            connection,
        )
        marks = {
            "error_costs": tasks,
            "stuck_loops": [(str(row["correlation_id"]), chunk[0].day) for row in stuck],
            "recommendation_outcomes": [(str(task), chunk[0].day) for task in served],
        }
        return Derived({COSTS: rows}, marks=marks)


def _limits(cost: CostSettings) -> CostLimits:
    return CostLimits(Decimal(str(cost.cheap_below)), Decimal(str(cost.moderate_below)))


def _counted_usage(context: StepContext, attempts: list[UUID], connection: Connection) -> dict[UUID, list[UsageRecord]]:
    rows = fetch_rows(
        context.database,
        "select attempt_id, message_id, request_id, model, provider, at, tokens_input, tokens_cache_read, tokens_cache_write_5m,"
        " tokens_cache_write_1h, tokens_output, estimated from usage_records"
        " where counted and attempt_id = any(:ids) order by attempt_id, at, message_id, request_id",
        {"ids": attempts},
        connection,
    )
    found: dict[UUID, list[UsageRecord]] = defaultdict(list)
    for row in rows:
        found[row.pop("attempt_id")].append(UsageRecord.model_construct(**row))
    return found


def _row(event: ExecutionEvent, cost: ExecutionCost) -> tuple[Any, ...]:
    main = max(cost.by_model, key=lambda part: (part.tokens.total, part.model or ""), default=None)
    return (
        event.attempt_id,
        event.started_at.date(),
        cost.cost_usd,
        cost.category.value,
        cost.unpriced.value if cost.unpriced else None,
        cost.detail,
        main.model if main else event.model_used,
        main.provider if main else event.provider,
        [part.model_dump(mode="json") for part in cost.by_model],
        cost.tokens.tokens_input,
        cost.tokens.tokens_cache_read,
        cost.tokens.tokens_cache_write_5m,
        cost.tokens.tokens_cache_write_1h,
        cost.tokens.tokens_output,
        cost.usage_estimated,
    )
