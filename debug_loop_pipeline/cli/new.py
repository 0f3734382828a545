"""`debug-loop new KIND "Purpose. Operations: a, b."`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.manifest import Manifest
from debug_loop_pipeline.onex.generated import check_generated
from debug_loop_pipeline.onex.scaffold import plan_unit, scaffold_unit
from debug_loop_pipeline.onex.units import Kind

app = typer.Typer(add_completion=False)


@app.command()
def new(
    kind: Annotated[Kind, typer.Argument(help="compute, reducer, effect or orchestrator.")],
    purpose: Annotated[str, typer.Argument(help='Such as "Score how risky a change is. Operations: score, explain."')],
    name: Annotated[str | None, typer.Option(help="Its name; else made of the purpose's first words.")] = None,
    output: Annotated[
        Path, typer.Option(file_okay=False, help="Folder in which the unit's own folder is made.")
    ] = Path("units"),
    graph: Annotated[
        bool, typer.Option("--graph", help="Write the defs.yaml that puts it into a Dagster graph.")
    ] = False,
    enable_intelligence: Annotated[
        bool,
        typer.Option("--enable-intelligence", help="Ask the store for the purpose; put what is approved beside it."),
    ] = False,
) -> None:
    """Write a unit: handler, models, contract, and a test that fails and says what to fill in."""
    plan = plan_unit(kind, purpose, name)
    manifest = _known(plan.purpose) if enable_intelligence else None
    generated = scaffold_unit(plan, output, graph=graph, manifest=manifest)
    checked = check_generated(generated)
    if not checked.passed:
        raise DebugLoopError("; ".join(finding.what for finding in checked.findings))
    typer.echo(f"{plan.name}: {', '.join(plan.operations)}")
    for path in sorted(found for found in generated.folder.rglob("*") if found.is_file() and found.suffix != ".pyc"):
        typer.echo(f"  {path.relative_to(generated.folder.parent)}")
    if manifest is not None:
        typer.echo(f"  reference: {len(manifest.functions)} functions, {len(manifest.golden_states)} golden states")
    typer.echo(f"next: pytest {generated.folder}, which says what to fill in")


def _known(purpose: str) -> Manifest:
    """What the store says about the purpose."""
    from debug_loop_pipeline.cli.store import open_store
    from debug_loop_pipeline.serving.library import LibraryAnswers

    with open_store() as store:
        answers = LibraryAnswers(store.settings)
        try:
            told = answers.ask({"op": "manifest", "request": purpose, "with_manifest": True})
        finally:
            answers.close()
    return Manifest.model_validate(told.get("manifest", {}))
