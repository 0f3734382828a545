"""`debug-loop golden list | show | approve | reject`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from debug_loop_pipeline.cli.decide import decide, resolve
from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.cli.store import ReasonOption, open_store
from debug_loop_pipeline.effects import report_store
from debug_loop_pipeline.text import shorten

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Proven solutions (golden states).")


@app.command("list")
def list_(
    state: Annotated[
        Literal["nominated", "approved", "rejected"] | None, typer.Option(help="Only those in this state.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows at most.")] = 20,
    json: JsonOption = False,
) -> None:
    """List golden states, best first."""
    with open_store() as store:
        rows = report_store.golden_states(store.database, state=state, limit=limit)
    if json:
        print_json(rows)
        return
    print_table(
        ("id", "function", "state", "quality", "evidence", "category", "reused", "request"),
        [
            (
                r["golden_state_id"][:12],
                r["name"],
                r["state"],
                f"{r['quality_score']:.2f}",
                r["evidence_tier"],
                r["category"],
                r["reuse_count"],
                shorten(r["user_request"], 60),
            )
            for r in rows
        ],
    )


@app.command()
def show(
    golden_state_id: Annotated[str, typer.Argument(help="Id, or its beginning.")], json: JsonOption = False
) -> None:
    """Show one golden state: request, code, history."""
    with open_store() as store:
        row = report_store.golden_state(store.database, resolve(store, "golden_state", golden_state_id))
    if json:
        print_json(row)
        return
    typer.echo(f"{row['state']}, quality {row['quality_score']:.2f}, {row['evidence_tier']}, by {row['peer_id']}")
    typer.echo(row["user_request"])
    typer.echo(row["code"])
    print_table(
        ("action", "from", "to", "when", "by"),
        [
            (e["action"], e["from_state"], e["to_state"], f"{e['occurred_at']:%Y-%m-%d %H:%M}", e["actor"])
            for e in row["events"]
        ],
        title="history",
    )


@app.command()
def approve(golden_state_id: str, reason: ReasonOption) -> None:
    """Approve a nominated golden state, by a person."""
    decide("golden_state", golden_state_id, "approve", reason)


@app.command()
def reject(golden_state_id: str, reason: ReasonOption) -> None:
    """Reject a nominated golden state, by a person."""
    decide("golden_state", golden_state_id, "reject", reason)
