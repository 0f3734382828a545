"""`debug-loop problems`: what the steps could not work on, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.cli.store import open_store

app = typer.Typer(add_completion=False)


@app.command()
def problems(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows at most.")] = 20, json: JsonOption = False
) -> None:
    """List code that could not be read, and attempts or keys left undone (`failed: ...`), newest day first.

    What was left undone is tried again with the next run over its day, and after an upgrade.
    """
    with open_store() as store:
        rows = store.store.problems(limit)
    if json:
        print_json(rows)
        return
    print_table(
        ("day", "step", "attempt or key", "problem"), [(r["day"], r["step"], r["subject"], r["problem"]) for r in rows]
    )
