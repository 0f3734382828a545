"""`debug-loop suppress | forget`."""

from __future__ import annotations

from typing import Annotated

import typer

from debug_loop_pipeline.cli.decide import SUBJECTS as IDS
from debug_loop_pipeline.cli.decide import resolve
from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.cli.store import open_store, who, why
from debug_loop_pipeline.compute.event_traces import Subject
from debug_loop_pipeline.effects.decision_store import DecisionStore
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.steps.forget import forget as forget_subject
from debug_loop_pipeline.steps.forget import let_in

app = typer.Typer(add_completion=False, no_args_is_help=True)

KINDS = ("stf", "stf_cluster", "golden_state", "resolution", "signature", "peer", "repository")


@app.command()
def suppress(
    kind: Annotated[str | None, typer.Argument(help=f"One of {', '.join(KINDS)}.")] = None,
    subject: Annotated[
        str | None, typer.Argument(help="Its id, or the id's beginning; a peer's or repository's name.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; it stays on record.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take the suppression back.")] = False,
    json: JsonOption = False,
) -> None:
    """Keep something out of every manifest; without arguments, list what is kept out."""
    with open_store() as store:
        decisions = DecisionStore(store.database)
        if kind is not None and subject is None:
            raise DebugLoopError(f"name the {kind} to keep out; `debug-loop suppress` alone lists what is kept out")
        if kind is None or subject is None:
            rows = decisions.suppressions()
            if json:
                print_json(rows)
            else:
                print_table(
                    ("kind", "subject", "reason", "by", "when"),
                    [
                        (
                            r["subject_kind"],
                            r["subject_id"],
                            r["reason"],
                            r["decided_by"],
                            f"{r['decided_at']:%Y-%m-%d %H:%M}",
                        )
                        for r in rows
                    ],
                )
            return
        if kind not in KINDS:
            raise DebugLoopError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
        if kind in IDS:
            # What is kept out is compared with whole ids, and all tables show beginnings.
            subject = _kept_out(decisions, kind, subject) if undo else resolve(store, kind, subject)
        if undo:
            done = decisions.unsuppress(kind, subject)
            typer.echo("shown again" if done else "it was not suppressed")
            return
        done = decisions.suppress(kind, subject, why(reason or ""), who())
    typer.echo("suppressed" if done else "it was suppressed already")


def _kept_out(decisions: DecisionStore, kind: str, prefix: str) -> str:
    """The whole id of what is kept out; it may have left every other table since."""
    ids = [
        r["subject_id"]
        for r in decisions.suppressions()
        if r["subject_kind"] == kind and r["subject_id"].startswith(prefix)
    ]
    if len(ids) > 1 and prefix not in ids:
        raise DebugLoopError(f"more than one {kind} that is kept out begins with {prefix!r}; give more characters")
    return ids[0] if len(ids) == 1 else prefix


@app.command()
def forget(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(Subject)}.")],
    subject: Annotated[str, typer.Argument(help="Session id, repository or peer.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    undo: Annotated[
        bool,
        typer.Option(
            "--undo", help="Let it come in again. What is gone comes back by `debug-loop import FORMAT --force` alone."
        ),
    ] = False,
) -> None:
    """Remove a session, repository or peer with all that was derived from it, and keep it out of what is imported later.

    Of a repository or peer what begins afterwards is kept as ever; a session stays out.
    """
    if kind not in list(Subject):
        raise DebugLoopError(f"kind is one of {', '.join(Subject)}, not {kind!r}")
    if undo:
        with open_store() as store:
            done = let_in(store, kind, subject)
        again = "`debug-loop import FORMAT --force` reads the logs again that are still there"
        typer.echo(f"{kind} {subject!r} may come in again; {again}" if done else "it was not forgotten under that name")
        return
    if not yes:
        typer.confirm(f"Remove everything of {kind} {subject!r}? Only its logs can bring it back.", abort=True)
    with open_store() as store:
        gone = forget_subject(store, kind, subject)
    if not (gone.attempts or gone.rejects):
        typer.echo(f"nothing of {kind} {subject!r} was there; what comes later stays out (take that back with --undo)")
        return
    typer.echo(f"forgot {gone.attempts} attempts ({gone.rows} rows) and {gone.rejects} rejects of {kind} {subject!r}")
