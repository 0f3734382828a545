"""`debug-loop materialize`: the Dagster job in this process, for scripts and the demo."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer

from debug_loop_pipeline.cli.dagster_home import use_dagster_home
from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import MAX_STEP, Span, contiguous_spans

app = typer.Typer(add_completion=False)


@app.command()
def materialize(
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")] = None,
    full_refresh: Annotated[
        bool,
        typer.Option("--full-refresh", help="Also what did not change; without a range on every day with attempts."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Materialise the debug-intelligence graph over the dirty days, a range, or (--full-refresh) all days; the run shows in the Dagster UI."""
    with open_store() as store:
        settings = store.settings
        days = store.executions.days if full_refresh else store.executions.dirty_days
        spans = _spans(days(), first, last, settings.first_partition)
    if not spans:
        nothing = "nothing was imported yet" if full_refresh else "nothing is dirty"
        typer.echo(f"{nothing}; name a range with --from and --to to compute it all the same", err=json)
        if json:
            print_json([])
        return
    results = run_jobs(settings, spans, full_refresh=full_refresh)
    if json:
        print_json(results)
    else:
        show_results(results)


def show_results(results: list[dict[str, Any]]) -> None:
    """Prints what each asset did, and where to read of what it could not work on."""
    columns = ("asset", "attempts", "keys", "rows changed", "problems", "seconds")
    print_table(columns, [tuple(row.values()) for row in results])
    if any(row["problems"] for row in results):
        typer.echo("problems: code that could not be read, or what was left undone; `debug-loop problems` lists them")


def _spans(days: list[date], first: datetime | None, last: datetime | None, earliest: date) -> list[Span]:
    """The days to compute: the range where one is named, else those of `days` that are partitions today.

    Raises:
        DebugLoopError: half a range, or one that is not inside the days from `earliest` to today.
    """
    today = datetime.now(UTC).date()
    if first is not None and last is not None:
        if not earliest <= first.date() <= last.date() <= today:
            raise DebugLoopError(
                f"--from {first:%Y-%m-%d} --to {last:%Y-%m-%d} is no range of days to compute: they go from {earliest}"
                f" (DEBUG_LOOP_FIRST_PARTITION) to {today} (today, UTC), and the first is not after the last"
            )
        return [Span(first.date(), last.date())]
    if (first is None) != (last is None):
        raise DebugLoopError("give both --from and --to")
    return contiguous_spans((day for day in days if earliest <= day <= today), max_step=MAX_STEP)


def run_jobs(
    settings: Settings, spans: list[Span], *, full_refresh: bool = False, more_follow: bool = False
) -> list[dict[str, Any]]:
    """One run per range of days in this process, on Dagster's instance of the data directory: what each asset did, summed.

    Raises:
        DebugLoopError: a step failed; the run in the Dagster UI says more.
    """
    use_dagster_home(settings)
    from debug_loop_pipeline.definitions import materialize_days

    return materialize_days(spans, full_refresh=full_refresh, more_follow=more_follow)
