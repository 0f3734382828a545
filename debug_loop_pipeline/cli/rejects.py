"""`debug-loop rejects`: what was not taken in, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.cli.store import open_store

app = typer.Typer(add_completion=False)


@app.command()
def rejects(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows at most.")] = 20, json: JsonOption = False
) -> None:
    """List rejected execution events, newest first."""
    with open_store() as store:
        rows = store.executions.rejects(limit)
    if json:
        print_json(rows)
        return
    print_table(
        ("when", "source", "where", "reason", "begins"),
        [
            (
                f"{r['rejected_at']:%Y-%m-%d %H:%M}",
                r["source"],
                r["position"],
                r["reason"],
                r["payload"][:60].replace("\n", " "),
            )
            for r in rows
        ],
    )
