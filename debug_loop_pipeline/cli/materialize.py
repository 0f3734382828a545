"""`debug-loop materialize`: the Dagster job in this process, for scripts and the demo."""

from __future__ import annotations

import os
from datetime import date, datetime
from typing import Annotated, Any

import typer

from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import Span

app = typer.Typer(add_completion=False)


@app.command()
def materialize(
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")] = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Also what did not change.")] = False,
    json: JsonOption = False,
) -> None:
    """Materialise the debug-intelligence graph over the dirty days, or over a range; the run shows in the Dagster UI."""
    with open_store() as store:
        span = _span(store.executions.dirty_days(), first, last)
        settings = store.settings
    if span is None:
        typer.echo("nothing is dirty; name a range with --from and --to to compute it all the same")
        return
    results = run_job(settings, span, full_refresh=full_refresh)
    if json:
        print_json(results)
    else:
        print_table(("asset", "attempts", "keys", "rows changed", "seconds"), [tuple(row.values()) for row in results])


def _span(dirty: list[date], first: datetime | None, last: datetime | None) -> Span | None:
    if first is not None and last is not None:
        return Span(first.date(), last.date())
    if (first is None) != (last is None):
        raise DebugLoopError("give both --from and --to")
    return Span(dirty[0], dirty[-1]) if dirty else None


def run_job(settings: Settings, span: Span, *, full_refresh: bool = False) -> list[dict[str, Any]]:
    """Runs the price and the debug-intelligence job in this process, on Dagster's instance of the data directory.

    Raises:
        DebugLoopError: a step failed; the run in the Dagster UI says more.
    """
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    import dagster as dg

    from debug_loop_pipeline.definitions import debug_intelligence_job, defs, price_job
    from debug_loop_pipeline.sensors.dirty_days import RANGE_END, RANGE_START

    with dg.DagsterInstance.get() as instance:
        _execute(defs.resolve_job_def(price_job.name), instance, {}, {})
        tags = {RANGE_START: span.first.isoformat(), RANGE_END: span.last.isoformat()}
        job = defs.resolve_job_def(debug_intelligence_job.name)
        config = {"ops": {name: {"config": {"full_refresh": True}} for name in REFRESHABLE}} if full_refresh else {}
        result = _execute(job, instance, tags, config)
        rows = []
        for event in result.get_asset_materialization_events():
            materialization = event.step_materialization_data.materialization
            told = {key: value.value for key, value in materialization.metadata.items()}
            changed = sum(told.get(key, 0) for key in ("rows_inserted", "rows_updated", "rows_deleted"))
            rows.append(
                {
                    "asset": materialization.asset_key.to_user_string(),
                    "attempts": told.get("attempts"),
                    "keys": told.get("keys"),
                    "rows_changed": changed,
                    "seconds": told.get("seconds"),
                }
            )
        return list({row["asset"]: row for row in rows}.values())


REFRESHABLE = (
    "execution_attempts",
    "error_patterns",
    "execution_costs",
    "extracted_stfs",
    "stf_quality",
    "stf_registry",
    "stf_matches",
    "error_success_mappings",
    "error_costs",
    "golden_states",
)


def _execute(job: Any, instance: Any, tags: dict[str, str], config: dict[str, Any]) -> Any:
    result = job.execute_in_process(instance=instance, tags=tags, run_config=config, raise_on_error=False)
    if not result.success:
        failed = [event.step_key for event in result.all_events if event.is_step_failure]
        raise DebugLoopError(f"{job.name} failed in {', '.join(failed) or 'its set-up'}; run {result.run_id} in the Dagster UI says why")
    return result
