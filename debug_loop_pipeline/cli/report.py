"""`debug-loop report [--html FILE]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.effects import report_store

app = typer.Typer(add_completion=False)

_SHORT = 100


@app.command()
def report(
    html: Annotated[Path | None, typer.Option("--html", help="Write one self-contained HTML file with charts.")] = None,
    top: Annotated[int, typer.Option(min=1, help="Rows per list.")] = 10,
    json: JsonOption = False,
) -> None:
    """What was learned: attempts by outcome and evidence, errors with dollars, fixes, functions, golden states, cost."""
    with open_store() as store:
        found = report_store.overview(store.database, top)
    if html is not None:
        from debug_loop_pipeline.cli.report_html import render_html

        html.write_text(render_html(found), encoding="utf-8")
        typer.echo(f"wrote {html}", err=json)
    if json:
        print_json(found)
    elif html is None:
        show_overview(found)


def show_overview(found: dict[str, Any]) -> None:
    """Prints the report as tables; each title names the command that shows where its numbers come from."""
    for title, columns, rows in tables(found):
        print_table(columns, rows, title=title)


def change_in_short(kind: str, template: str, example_diff: str) -> str:
    """A change on a few lines: the command, or the first lines an example took away and added."""
    if kind == "command":
        return template[:_SHORT]
    lines = [line for line in example_diff.splitlines() if line[:1] in "+-" and not line.startswith(("---", "+++"))]
    gone = [line for line in lines if line.startswith("-") and line[1:].strip()][:1]
    came = [line for line in lines if line.startswith("+") and line[1:].strip()][:2]
    return "\n".join(f"{line[0]} {line[1:].strip()}"[:_SHORT] for line in (*gone, *came)) or template[:_SHORT]


def tables(found: dict[str, Any]) -> list[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
    """The report as (title, columns, rows), for the screen and for HTML alike."""
    counts = found["mapping_counts"][0]
    return [
        (
            "attempts by outcome and evidence",
            ("outcome", "evidence", "attempts"),
            [(r["outcome"], r["evidence_tier"], r["attempts"]) for r in found["attempts"]],
        ),
        (
            "who worked (debug-loop explain --session ID)",
            ("agent", "source", "attempts", "tasks"),
            [(r["agent_name"], r["importer"], r["attempts"], r["tasks"]) for r in found["agents"]],
        ),
        (
            "top errors (debug-loop errors show SIGNATURE)",
            ("signature", "category", "pattern", "errors", "tasks", "USD", "fixes"),
            [
                (
                    r["signature"][:12],
                    r["category"],
                    r["pattern"][:100],
                    r["errors"],
                    r["tasks"],
                    "" if r["cost_usd"] is None else f"{r['cost_usd']:.4f}",
                    r["fixes"],
                )
                for r in found["top_errors"]
            ],
        ),
        (
            f"fixes learned: {counts['with_a_success']} error→success mappings for {counts['signatures']} signatures,"
            f" {counts['confident']} confident (debug-loop explain --mapping ID)",
            ("mapping", "error", "change", "worked", "failed", "lower bound", "state"),
            [
                (
                    r["mapping_id"][:12],
                    r["pattern"][:60],
                    change_in_short(r["kind"], r["template"], r["example_diff"]),
                    r["success_count"],
                    r["failure_count"],
                    f"{r['wilson_lower_bound']:.2f}",
                    r["state"],
                )
                for r in found["fixes"]
            ],
        ),
        (
            "functions by tier (debug-loop stf list)",
            ("tier", "approval", "functions", "clusters"),
            [(r["quality_tier"], r["approval"], r["functions"], r["clusters"]) for r in found["functions_by_tier"]],
        ),
        (
            "golden states (debug-loop golden list)",
            ("state", "golden states"),
            [(r["state"], r["golden_states"]) for r in found["golden"]],
        ),
        (
            "cost by model (debug-loop model list)",
            ("model", "attempts", "USD", "unpriced attempts", "tokens estimated"),
            [
                (
                    r["model"],
                    r["attempts"],
                    "" if r["cost_usd"] is None else f"{r['cost_usd']:.4f}",
                    r["unpriced"],
                    "yes" if r["estimated"] else "no",
                )
                for r in found["cost_by_model"]
            ],
        ),
    ]
