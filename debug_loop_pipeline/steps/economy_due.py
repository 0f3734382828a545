"""What the economy's daily steps have left to do, by day: for the sensor, and for commands that run them.

Here: reads that end as soon as the steps have done their work. Not here: the decision to run (`sensors/token_economy`).
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

from debug_loop_pipeline.effects.contribution_store import ContributionStore
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.steps import contributions
from debug_loop_pipeline.steps.economic_metrics import STALE_DAYS
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.token_spend import UNCHARGED

_FIRST_DAY = date(1970, 1, 1)


def due_days(context: StepContext, today: date) -> list[date]:
    """Days up to today over which a run of the economy's daily steps would do something, oldest first."""
    version, upstream = contributions.versions_under(context.settings)
    rows = fetch_rows(
        context.database,
        _DUE,
        {
            "first": _FIRST_DAY,
            "last": today,
            "today": today,
            "upstream": contributions.UPSTREAM,
            "upstream_version": upstream,
            "step": contributions.STEP,
            "version": version,
        },
    )
    days = {row["day"] for row in rows}
    if today not in days and _anything_decidable(context, today):
        days.add(today)
    return sorted(day for day in days if day <= today)


def _anything_decidable(context: StepContext, today: date) -> bool:
    """Whether folds over all days, or evidence that came since, let something be told or decided."""
    if contributions.anything_untold(context, today):
        return True
    nothing: list[UUID] = []
    with context.database.transaction("decidable") as connection:
        return bool(ContributionStore(context.database).undecided(connection, today, 1, but=nothing))


_DUE = f"""
select u.day from step_progress u
left join step_progress c on c.step = :step and c.attempt_id = u.attempt_id
where u.step = :upstream and u.code_version = :upstream_version and u.digest <> ''
  and (c.attempt_id is null or c.digest <> u.digest or c.code_version <> :version)
group by 1
union
select cast(c.day as date) from execution_costs c where c.attempt_id in (select attempt_id from ({UNCHARGED}) u)
union
select s.day from ({STALE_DAYS.replace("order by 1", "")}) s
"""
