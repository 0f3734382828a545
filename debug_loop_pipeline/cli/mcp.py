"""`debug-loop mcp`: the MCP server, on standard input and output or as streamable HTTP on this machine."""

from __future__ import annotations

import os
import socket
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from debug_loop_pipeline.errors import DebugLoopError

if TYPE_CHECKING:
    from debug_loop_pipeline.serving.mcp_server import ASGIApp

app = typer.Typer(add_completion=False)

TOKEN_VARIABLE = "DEBUG_LOOP_MCP_TOKEN"  # noqa: S105 - its name
_LEAST_TOKEN = 16
_HOST = "127.0.0.1"
_PORT = 8_787


@app.command()
def mcp(
    http: Annotated[
        bool, typer.Option("--http", help=f"Streamable HTTP on {_HOST}, with the bearer token in {TOKEN_VARIABLE}.")
    ] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help=f"With --http; by default {_PORT}.")] = None,
    session: Annotated[
        str | None, typer.Option(help="Session id of the agent, so that hooks and tools are in one arm.")
    ] = None,
) -> None:
    """Serve the tools find_fix, find_solution, known_failures and report_outcome to agents that speak MCP."""
    if port is not None and not http:
        raise DebugLoopError("--port goes with --http")
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
        _serve(BearerOnly(server.streamable_http_app(host=_HOST), token), port or _PORT)
    finally:
        injector.close()


def _serve(app: ASGIApp, port: int) -> None:
    import uvicorn

    try:
        listener = socket.create_server((_HOST, port))
    except OSError as error:
        raise DebugLoopError(
            f"port {port} of {_HOST} cannot be had ({error.strerror}): name another with --port"
        ) from error
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with closing(listener), suppress(KeyboardInterrupt):
        typer.echo(f"MCP at http://{_HOST}:{port}/mcp; Ctrl-C stops", err=True)
        server.run(sockets=[listener])
    if not server.started:
        raise typer.Exit(1)
