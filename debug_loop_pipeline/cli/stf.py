"""`debug-loop stf list | show | search | approve | reject`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from debug_loop_pipeline.cli.decide import decide, resolve
from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.cli.store import ReasonOption, open_store
from debug_loop_pipeline.compute.matching.problem_signature import problem_signature
from debug_loop_pipeline.effects.debug_stf_storage import DebugSTFStorageEffect
from debug_loop_pipeline.effects.manifest_store import functions_by_hash
from debug_loop_pipeline.models.matching import MatchQuery
from debug_loop_pipeline.models.problem import ProblemCategory
from debug_loop_pipeline.models.stf import QualityTier
from debug_loop_pipeline.steps.stf_matches import match_options

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Functions that attempts wrote (STFs).")

LimitOption = Annotated[int, typer.Option("--limit", min=1, help="Rows at most.")]


@app.command("list")
def list_(
    approval: Annotated[
        Literal["pending", "approved", "rejected"] | None, typer.Option(help="Only what was decided so.")
    ] = None,
    language: Annotated[
        Literal["python", "javascript", "typescript", "go"] | None, typer.Option(help="Only this language.")
    ] = None,
    tier: Annotated[QualityTier | None, typer.Option(help="Only this quality.")] = None,
    limit: LimitOption = 20,
    json: JsonOption = False,
) -> None:
    """List functions, best first."""
    with open_store() as store:
        rows = DebugSTFStorageEffect(store.database).search(
            approval=approval, language=language, tier=tier, limit=limit
        )
    if json:
        print_json(rows)
        return
    print_table(
        ("hash", "name", "language", "quality", "tier", "approval", "evidence", "seen", "used"),
        [
            (
                r["stf_hash"][:12],
                r["name"],
                r["language"],
                f"{r['quality_score']:.2f}",
                r["quality_tier"],
                r["approval"],
                r["evidence_tier"],
                r["occurrences"],
                r["usage_count"],
            )
            for r in rows
        ],
    )


@app.command()
def show(stf_hash: Annotated[str, typer.Argument(help="Hash, or its beginning.")], json: JsonOption = False) -> None:
    """Show one function: code, scores, where it occurred, its cluster."""
    with open_store() as store:
        row = DebugSTFStorageEffect(store.database).retrieve(resolve(store, "stf", stf_hash))
    if json:
        print_json(row)
        return
    typer.echo(
        f"{row['name']} ({row['language']}), {row['approval']}, quality {row['quality_score']:.2f} {row['quality_tier']}"
    )
    typer.echo(", ".join(f"{name} {value:.2f}" for name, value in row["quality"].items()))
    typer.echo(row["code"])
    print_table(
        ("attempt", "file", "outcome", "evidence", "agent"),
        [
            (o["attempt_id"], f"{o['path']}:{o['start_line']}", o["outcome"], o["evidence_tier"], o["agent_name"])
            for o in row["occurred_in"]
        ],
        title="occurred in",
    )
    if row["cluster"]:
        print_table(
            ("hash", "name", "quality"),
            [(c["stf_hash"][:12], c["name"], f"{c['quality_score']:.2f}") for c in row["cluster"]],
            title="near-duplicates",
        )


@app.command()
def search(
    request: Annotated[str, typer.Argument(help="A problem, in words.")],
    category: Annotated[ProblemCategory | None, typer.Option(help="Only functions of this problem category.")] = None,
    min_similarity: Annotated[float | None, typer.Option(min=0.01, max=1, help="Least similarity.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=20, help="Matches at most.")] = 5,
    json: JsonOption = False,
) -> None:
    """Find the approved functions that match a problem best."""
    # Loaded here: they bring SciPy, which no other command of this group needs.
    from debug_loop_pipeline.compute.stf_matcher import match_stfs
    from debug_loop_pipeline.effects.match_epoch_store import current_epoch

    with open_store() as store:
        _, index = current_epoch(store.database, store.settings)
        options = match_options(store.settings, limit, category)
        if min_similarity is not None:
            options = options.model_copy(update={"min_similarity": min_similarity})
        signature = problem_signature(request, store.settings.text.signature_chars)
        matches = match_stfs(MatchQuery(problem_signature=signature), index, options)
        known = functions_by_hash(store.database, [match.stf_id for match in matches])
    if json:
        print_json(
            [
                match.model_dump(mode="json") | {"name": known[match.stf_id]["name"]}
                for match in matches
                if match.stf_id in known
            ]
        )
        return
    print_table(
        ("hash", "name", "similarity", "quality", "composite"),
        [
            (m.stf_id[:12], known[m.stf_id]["name"], f"{m.similarity:.2f}", f"{m.quality:.2f}", f"{m.composite:.2f}")
            for m in matches
            if m.stf_id in known
        ],
    )


@app.command()
def approve(stf_hash: str, reason: ReasonOption) -> None:
    """Approve a function for reuse, by a person."""
    decide("stf", stf_hash, "approve", reason)


@app.command()
def reject(stf_hash: str, reason: ReasonOption) -> None:
    """Reject a function, by a person."""
    decide("stf", stf_hash, "reject", reason)
