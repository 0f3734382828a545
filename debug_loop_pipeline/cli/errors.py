"""`debug-loop errors top | show | merge | split | undo`."""

from __future__ import annotations

from typing import Annotated

import typer

from debug_loop_pipeline.cli.decide import resolve
from debug_loop_pipeline.cli.output import JsonOption, counted, print_json, print_table
from debug_loop_pipeline.cli.store import ReasonOption, open_store, who
from debug_loop_pipeline.compute.errors.error_groups import SPLIT_KEYS, valid_split
from debug_loop_pipeline.effects import report_store
from debug_loop_pipeline.effects.decision_store import DecisionStore
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.errors import ErrorCategory
from debug_loop_pipeline.steps.run_all import run_dirty_days
from debug_loop_pipeline.text import shorten

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Error groups, their cost and their fixes.")

SignatureArgument = Annotated[str, typer.Argument(help="Signature, or its beginning.")]


@app.command()
def top(
    by: Annotated[str, typer.Option(help="count, cost or recent.")] = "count",
    category: Annotated[ErrorCategory | None, typer.Option(help="Only this category.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows at most.")] = 20,
    json: JsonOption = False,
) -> None:
    """List the error groups that happen most, or cost most."""
    if by not in report_store.ORDERS:
        raise DebugLoopError(f"--by is one of {', '.join(report_store.ORDERS)}, not {by!r}")
    with open_store() as store:
        rows = report_store.top_errors(store.database, order=by, limit=limit, category=category)
    if json:
        print_json(rows)
        return
    print_table(
        ("signature", "category", "pattern", "errors", "tasks", "USD", "fixes"),
        [
            (
                r["signature"][:12],
                r["category"],
                shorten(r["pattern"], 90),
                r["errors"],
                r["tasks"],
                "" if r["cost_usd"] is None else f"{r['cost_usd']:.4f}",
                r["fixes"],
            )
            for r in rows
        ],
    )


@app.command()
def show(signature: SignatureArgument, json: JsonOption = False) -> None:
    """Show one error group: where it happened, what it cost, what fixed it and what did not."""
    with open_store() as store:
        group = report_store.error_group(store.database, resolve(store, "signature", signature))
    if json:
        print_json(group)
        return
    first = group["occurrences"][0]
    typer.echo(
        f"{first['pattern']}\n{first['category']}, {first['error_type'] or 'no type'}, signature {group['signature']}"
    )
    print_table(
        ("when", "session", "attempt", "file", "test", "message"),
        [
            (
                f"{o['at']:%Y-%m-%d %H:%M}",
                o["session_id"],
                str(o["attempt_id"])[:12],
                f"{o['path'] or ''}{':' + str(o['line']) if o['line'] else ''}",
                o["test"],
                shorten(o["message"], 90),
            )
            for o in group["occurrences"]
        ],
        title="latest occurrences (debug-loop explain --session SESSION)",
    )
    print_table(
        ("mapping", "state", "worked", "failed", "lower bound", "change"),
        [
            (
                f["mapping_id"][:12],
                f["state"],
                f["success_count"],
                f["failure_count"],
                f"{f['wilson_lower_bound']:.2f}",
                (f["example_diff"] or f["template"])[:200],
            )
            for f in group["fixes"]
        ],
        title="fixes and failed tries",
    )
    print_table(
        ("day", "failed", "retries", "USD", "USD after a fix was known"),
        [
            (
                c["day"],
                c["failed_attempts"],
                c["retry_attempts"],
                f"{c['cost_usd']:.4f}",
                f"{c['cost_after_fix_known_usd']:.4f}",
            )
            for c in group["costs"]
        ],
        title="cost",
    )


@app.command()
def merge(
    signature: SignatureArgument,
    into: Annotated[str, typer.Argument(help="Signature of the group that takes it in, or its beginning.")],
    reason: ReasonOption,
) -> None:
    """Count one group's errors as another's, on every recompute from now on."""
    with open_store() as store:
        one, other = (resolve(store, "decided_signature", named) for named in (signature, into))
        if one == other:
            raise DebugLoopError("both name the same group")
        attempts = DecisionStore(store.database).merge_groups(one, other, reason, who())
        run_dirty_days(store)
    typer.echo(f"{one[:12]} counts as {other[:12]}; {attempts} attempts computed again")


@app.command()
def split(
    signature: SignatureArgument,
    by: Annotated[str, typer.Option(help=f"slot:N, or one of {', '.join(SPLIT_KEYS)}.")],
    reason: ReasonOption,
) -> None:
    """Tell a group's errors apart by a slot, test, path, tool or stack, on every recompute from now on."""
    if not valid_split(by):
        raise DebugLoopError(f"--by is slot:N (N from 1) or one of {', '.join(SPLIT_KEYS)}, not {by!r}")
    with open_store() as store:
        whole = resolve(store, "decided_signature", signature)
        slot = int(by.removeprefix("slot:")) if by.startswith("slot:") else 0
        if slot and slot > (slots := report_store.most_slots(store.database, whole)):
            raise DebugLoopError(
                f"no error of {whole[:12]} has {by}; the most that one has is {counted(slots, 'slot')}"
            )
        attempts = DecisionStore(store.database).split_group(whole, by, reason, who())
        run_dirty_days(store)
    typer.echo(f"{whole[:12]} is split by {by}; {attempts} attempts computed again")


@app.command()
def undo(signature: SignatureArgument, reason: ReasonOption) -> None:
    """Take back that a group was merged into another, or split. Both decisions stay on record."""
    with open_store() as store:
        one = resolve(store, "decided_signature", signature)
        attempts = DecisionStore(store.database).undo_group(one, reason, who())
        if attempts is None:
            raise DebugLoopError("this group is neither merged into another nor split")
        run_dirty_days(store)
    typer.echo(f"{one[:12]} stands for itself again; {attempts} attempts computed again")
