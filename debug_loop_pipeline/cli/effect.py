"""`debug-loop effect`: does what is served help?"""

from __future__ import annotations

from typing import Any

import typer

from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.effects.report_store import effect_rows, latest_effect

app = typer.Typer(add_completion=False)

_COLUMNS = ("measure", "tasks served / held out", "served", "held out", "change", "p")


@app.command()
def effect(json: JsonOption = False) -> None:
    """Tasks in which something was served beside those held out: attempts to success, success, cost; 95 % intervals, p-value."""
    with open_store() as store:
        rows = latest_effect(store.database)
    if json:
        print_json(rows)
    elif not rows:
        typer.echo("nothing was served yet; docs/serving.md says how to give agents what is known")
    else:
        show_effect(rows)


def show_effect(rows: list[dict[str, Any]]) -> None:
    """Prints the newest effect."""
    title = f"first served {rows[0]['first_day']} to {rows[0]['day']}, 95 % intervals"
    print_table(_COLUMNS, [tuple(row.values()) for row in effect_rows(rows)], title=title)
