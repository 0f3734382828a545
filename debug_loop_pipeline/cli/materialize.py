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
    """Runs the jobs in this process, on Dagster's instance of the data directory: what each asset did.

    Raises:
        DebugLoopError: a step failed; the run in the Dagster UI says more.
    """
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    from debug_loop_pipeline.definitions import materialize_days

    return materialize_days(span, full_refresh=full_refresh)
