"""`debug-loop manifest --request TEXT --error TEXT`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from debug_loop_pipeline.cli.output import JsonOption
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.compute.manifest_text import render_markdown
from debug_loop_pipeline.effects.match_epoch_store import current_epoch
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.steps.manifest import build_manifest

app = typer.Typer(add_completion=False)


@app.command()
def manifest(
    request: Annotated[str | None, typer.Option(help="What is to be done, in words.")] = None,
    error: Annotated[str | None, typer.Option(help="Error text or tool output; - reads standard input.")] = None,
    repository: Annotated[str | None, typer.Option(help="Where the agent works; matters with a sharing group.")] = None,
    category: Annotated[str | None, typer.Option(help="Only functions of this problem category.")] = None,
    functions: Annotated[int | None, typer.Option(min=0, max=20, help="Functions whose code is printed.")] = None,
    json: JsonOption = False,
) -> None:
    """What the store knows about a request, an error, or both; prints nothing where it knows nothing."""
    if request is None and error is None:
        raise DebugLoopError("give --request, --error, or both")
    if error == "-":
        error = sys.stdin.read()
    with open_store() as store:
        index = current_epoch(store.database, store.settings)[1] if request else None
        found = build_manifest(
            store.database,
            store.settings,
            index,
            request=request,
            error=error,
            repository=repository,
            category=category,
        )
        limits = store.settings.manifest
    if json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        typer.echo(
            render_markdown(found, limits.token_budget, limits.stf_in_prompt if functions is None else functions),
            nl=False,
        )
