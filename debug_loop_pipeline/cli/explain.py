"""`debug-loop explain --session ID... | --mapping ID`: which tool call verified what, and what is credited with the fix."""

from __future__ import annotations

from typing import Annotated

import typer

from debug_loop_pipeline.cli.decide import resolve
from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.effects import report_store
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.steps.explain import explain_sessions

app = typer.Typer(add_completion=False)


@app.command()
def explain(
    session: Annotated[
        list[str] | None, typer.Option("--session", help="A session as its agent named it; may be repeated.")
    ] = None,
    mapping: Annotated[str | None, typer.Option("--mapping", help="A mapping's id, or its beginning.")] = None,
    more_sessions: Annotated[list[str] | None, typer.Argument(help="Further sessions.", metavar="ID")] = None,
    json: JsonOption = False,
) -> None:
    """Trace what was learned back to tool calls. Works as soon as a session is imported; nothing need be materialised."""
    sessions = [*(session or ()), *(more_sessions or ())]
    if bool(sessions) == (mapping is not None):
        raise DebugLoopError("name either sessions (--session ID...) or one mapping (--mapping ID)")
    with open_store() as store:
        if mapping is not None:
            _show_mapping(report_store.mapping(store.database, resolve(store, "mapping", mapping)), json)
            return
        explained = explain_sessions(store, sessions)
    if json:
        print_json(explained)
        return
    for session_id, told in explained.items():
        print_table(
            ("tool call", "verdict", "goal", "errors"),
            [
                (v["tool_use_id"], v["verdict"], v["goal"], "\n".join(e["pattern"] for e in v["errors"]))
                for v in told["verifications"]
            ],
            title=f"session {session_id}: verifications",
        )
        print_table(
            ("error", "failed", "gone at", "changes"),
            [(f["pattern"], f["failed"], f["gone_at"], "\n".join(f["changes"])) for f in told["fixes"]],
            title="fixes",
        )
        if told["failed_tries"]:
            print_table(
                ("error", "failed again", "changes"),
                [(t["pattern"], t["failed_again"], "\n".join(t["changes"])) for t in told["failed_tries"]],
                title="failed tries",
            )


def _show_mapping(row: dict, json: bool) -> None:  # type: ignore[type-arg]
    if json:
        print_json(row)
        return
    typer.echo(
        f"{row['pattern']}\n{row['kind']} {row['resolution_id'][:12]}, {row['state']}:"
        f" worked in {row['success_count']}, failed in {row['failure_count']} tasks"
    )
    typer.echo(row["example_diff"] or row["template"])
    print_table(
        ("task", "outcome", "when", "failed call", "changes", "gone at"),
        [
            (
                e["correlation_id"],
                e["outcome"],
                f"{e['occurred_at']:%Y-%m-%d %H:%M}",
                e["details"]["failed"]["tool_call_id"],
                "\n".join(e["details"]["tool_call_ids"]),
                (e["details"]["gone"] or {}).get("tool_call_id"),
            )
            for e in row["events"]
        ],
        title="what tasks say",
    )
