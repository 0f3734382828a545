"""`debug-loop mcp`: the MCP server, on standard input and output or as streamable HTTP on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from debug_loop_pipeline.errors import DebugLoopError

app = typer.Typer(add_completion=False)

TOKEN_VARIABLE = "DEBUG_LOOP_MCP_TOKEN"  # noqa: S105 - its name
_LEAST_TOKEN = 16
_HOST = "127.0.0.1"


@app.command()
def mcp(
    http: Annotated[
        bool, typer.Option("--http", help=f"Streamable HTTP on {_HOST}, with the bearer token in {TOKEN_VARIABLE}.")
    ] = False,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="With --http.")] = 8_787,
    session: Annotated[
        str | None, typer.Option(help="Session id of the agent, so that hooks and tools are in one arm.")
    ] = None,
) -> None:
    """Serve the tools find_fix, find_solution, known_failures and report_outcome to agents that speak MCP."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    if http and len(token) < _LEAST_TOKEN:
        raise DebugLoopError(
            f"--http needs a secret of at least {_LEAST_TOKEN} characters in {TOKEN_VARIABLE}, for example "
            '`python -c "import secrets; print(secrets.token_urlsafe(32))"`'
        )
    try:
        from debug_loop_pipeline.serving.mcp_server import BearerOnly, make_server
    except ModuleNotFoundError as error:
        raise DebugLoopError(
            f"the MCP server needs the extra `mcp` ({error}); install debug_loop_pipeline[mcp]"
        ) from error
    from debug_loop_pipeline.serving.manifest_injector import ManifestInjector
    from debug_loop_pipeline.settings import load_settings

    injector = ManifestInjector(Path(load_settings().data_dir), timeout_s=5.0)
    try:
        server = make_server(injector, session)
        if not http:
            server.run("stdio")
            return
        import uvicorn

        app = BearerOnly(server.streamable_http_app(host=_HOST), token)
        typer.echo(f"MCP at http://{_HOST}:{port}/mcp; Ctrl-C stops", err=True)
        uvicorn.run(app, host=_HOST, port=port, log_level="warning")
    finally:
        injector.close()
