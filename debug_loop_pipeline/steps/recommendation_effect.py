"""Step `recommendation_effect`: both arms side by side, for each day on which something was served first in a task (DOMAIN 3.12).

The row of a day is of the tasks that were served first on it or on the days before it (`recommendation.effect_days` in all).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from debug_loop_pipeline.compute.serving.recommendation_effect import (
    ArmedTask,
    Estimate,
    recommendation_effect,
    repositories_of,
)
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.step_store import RowChanges, Table
from debug_loop_pipeline.models.recommendation import Arm
from debug_loop_pipeline.settings import RecommendationSettings
from debug_loop_pipeline.steps import recommendation_outcomes, versions
from debug_loop_pipeline.steps.framework import Span, StepContext, StepReport, keys_by, run_fold

FOLD = "recommendation_effect"
MEASURED = "measured"
NOT_ENOUGH = "not enough data"

EFFECT = Table(
    "recommendation_effect",
    (
        "day",
        "measure",
        "status",
        "first_day",
        "tasks_treatment",
        "tasks_holdout",
        "repositories",
        "resampled",
        "treatment",
        "treatment_low",
        "treatment_high",
        "holdout",
        "holdout_low",
        "holdout_high",
        "difference",
        "difference_low",
        "difference_high",
        "relative",
        "relative_low",
        "relative_high",
        "p_value",
    ),
    ("day", "measure"),
    scope="day",
)

MEASURES: dict[str, Callable[[dict[str, Any]], float | None]] = {
    "succeeded": lambda task: float(task["succeeded"]),
    "attempts": lambda task: float(task["attempts"]) if task["succeeded"] else None,
    "cost_usd": lambda task: float(task["cost_usd"]) if task["succeeded"] and task["cost_usd"] is not None else None,
}
"""What is compared; a task without a value is left out of that comparison. What a success took: a task that was given up at once would
else be the best of all."""


def run(
    context: StepContext, span: Span, *, full_refresh: bool = False, only_keys: Sequence[str] | None = None
) -> StepReport:
    """Folds outcomes and reuse, then the effect of every day they touch. With `only_keys` (tasks) the effect is left for another run."""
    report = recommendation_outcomes.run(context, span, full_refresh=full_refresh, only_keys=only_keys)
    if only_keys is not None:
        return report
    effects = run_fold(
        context,
        FOLD,
        versions.RECOMMENDATION_EFFECT,
        span,
        refold_days,
        keys_by("select distinct day::text as key from recommendation_outcomes where day = any(:days)"),
        full_refresh=full_refresh,
    )
    report.add_rows(effects.rows)
    report.seconds += effects.seconds
    return report


def refold_days(context: StepContext, connection: Connection, days: list[str], span: Span) -> dict[str, RowChanges]:
    """States the effect anew for some days and those after them whose rows they are part of."""
    drawn = context.settings.recommendation
    touched = [date.fromisoformat(day) for day in days]
    window = timedelta(days=drawn.effect_days - 1)
    stated = fetch_rows(
        context.database,
        "select distinct o.day from recommendation_outcomes o"
        " join unnest(cast(:days as date[])) as t(day) on o.day between t.day and t.day + :window order by 1",
        {"days": touched, "window": window.days},
        connection,
    )
    rows: list[tuple[Any, ...]] = []
    for day in [row["day"] for row in stated]:
        tasks = fetch_rows(
            context.database,
            "select arm, drawn_by, repository, succeeded, attempts, cost_usd from recommendation_outcomes"
            " where day between :first and :last order by correlation_id",
            {"first": day - window, "last": day},
            connection,
        )
        rows += [effect_row(day, measure, tasks, drawn) for measure in MEASURES]
    scope = sorted({*touched, *(row[0] for row in rows)})
    return {EFFECT.name: context.store.replace(connection, EFFECT, rows, scope)}


def effect_row(
    day: date, measure: str, tasks: Sequence[dict[str, Any]], drawn: RecommendationSettings
) -> tuple[Any, ...]:
    """The row of one day and measure. `tasks`: rows of `recommendation_outcomes` of its window."""
    armed = [
        ArmedTask(task["drawn_by"], Arm(task["arm"]), task["repository"], value)
        for task in tasks
        if (value := MEASURES[measure](task)) is not None
    ]
    # Another seed per row: days and measures err independently.
    seed = zlib.crc32(f"{drawn.seed}/{day.isoformat()}/{measure}".encode())
    found = recommendation_effect(armed, min_tasks=drawn.min_tasks_per_arm, seed=seed)
    treated = sum(task.arm is Arm.TREATMENT for task in armed)
    head = (
        day,
        measure,
        MEASURED if found else NOT_ENOUGH,
        day - timedelta(days=drawn.effect_days - 1),
        treated,
        len(armed) - treated,
        repositories_of(armed),
    )
    if found is None:
        return (*head, *(None,) * (len(EFFECT.columns) - len(head)))
    return (
        *head,
        found.resampled,
        *_cells(found.treatment),
        *_cells(found.holdout),
        *_cells(found.difference),
        *_cells(found.relative),
        found.p_value,
    )


def _cells(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if estimate is None else (estimate.value, estimate.low, estimate.high)
