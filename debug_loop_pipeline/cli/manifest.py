"""`debug-loop manifest --request TEXT --error TEXT`."""

from __future__ import annotations

import sys
from typing import Annotated
from uuid import UUID

import typer

from debug_loop_pipeline.cli.output import JsonOption, print_json
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.effects.match_epoch_store import MatchEpochStore
from debug_loop_pipeline.effects.recommendation_store import RecommendationStore
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.problem import ProblemCategory
from debug_loop_pipeline.models.recommendation import ManifestRequest, Recommendation
from debug_loop_pipeline.serving.answers import Answerer

app = typer.Typer(add_completion=False)


@app.command()
def manifest(
    request: Annotated[str | None, typer.Option(help="What is to be done, in words.")] = None,
    error: Annotated[str | None, typer.Option(help="Error text or tool output; - reads standard input.")] = None,
    repository: Annotated[str | None, typer.Option(help="Where the agent works; matters with a sharing group.")] = None,
    category: Annotated[ProblemCategory | None, typer.Option(help="Only functions of this problem category.")] = None,
    functions: Annotated[int | None, typer.Option(min=0, max=20, help="Functions whose code is printed.")] = None,
    session: Annotated[str | None, typer.Option(help="The agent's session: decides whether it is held out.")] = None,
    task: Annotated[
        UUID | None, typer.Option(help="Correlation id of the task; decides where no session is known.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """What the store knows about a request, an error, or both; prints nothing where it knows nothing.

    What is given is recorded as at every other door. A session or task that is held out gets nothing.
    """
    if request is None and error is None:
        raise DebugLoopError("give --request, --error, or both")
    if error == "-":
        error = sys.stdin.read()
    asked = ManifestRequest(
        request=request,
        error=error,
        repository=repository,
        category=category,
        session_id=session,
        correlation_id=task,
        functions=functions,
        with_manifest=json,
    )
    with open_store() as store:
        index = MatchEpochStore(store.database, store.settings)

        def record(served: Recommendation) -> None:
            RecommendationStore(store.database).record([served])

        answer = Answerer(store.database, store.settings, index.current, record).answer(asked)
    if json:
        told = {"recommendation_id": answer.recommendation_id, "arm": answer.arm.value}
        print_json(told | answer.manifest.model_dump(mode="json"))
    else:
        typer.echo(answer.markdown, nl=False)
