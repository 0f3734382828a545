"""`debug-loop report [--by WHAT] [--html FILE]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.cli.report_tables import report_tables
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.effects import report_store
from debug_loop_pipeline.errors import DebugLoopError

app = typer.Typer(add_completion=False)


@app.command()
def report(
    html: Annotated[
        Path | None, typer.Option("--html", dir_okay=False, help="Write one self-contained HTML file with charts.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Rows per list.")] = 10,
    by: Annotated[str, typer.Option(help=f"What cost is summed by: {', '.join(report_store.COSTS_BY)}.")] = "model",
    json: JsonOption = False,
) -> None:
    """What was learned: attempts by outcome and evidence, errors with dollars, fixes, functions, golden states, cost."""
    if by not in report_store.COSTS_BY:
        raise DebugLoopError(f"--by is one of {', '.join(report_store.COSTS_BY)}, not {by!r}")
    if html is not None and not html.parent.is_dir():
        raise DebugLoopError(f"--html {html}: there is no folder {html.parent}; make it, or name another file")
    with open_store() as store:
        found = report_store.overview(store.database, top)
    if html is not None:
        from debug_loop_pipeline.cli.report_html import render_html

        html.write_text(render_html(found, by), encoding="utf-8")
        typer.echo(f"wrote {html}", err=json)
    if json:
        print_json(found)
    elif html is None:
        show_overview(found, by)


def show_overview(found: dict[str, Any], by: str = "model") -> None:
    """Prints the report as tables; each title names the command that shows where its numbers come from."""
    for title, columns, rows in report_tables(found, by):
        print_table(columns, rows, title=title)
