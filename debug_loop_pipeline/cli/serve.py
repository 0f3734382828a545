"""`debug-loop serve`: the resident process that answers hooks, the MCP server and the Python API."""

from __future__ import annotations

from typing import Annotated

import typer

from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.errors import DebugLoopError

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    status: Annotated[
        bool, typer.Option("--status", help="Tell whether it runs, and end; with 1 where it does not.")
    ] = False,
    no_import: Annotated[
        bool, typer.Option("--no-import", help="Do not import the sessions that end (`debug-loop watch` does).")
    ] = False,
    leave_to_sensor: Annotated[
        bool, typer.Option("--leave-to-sensor", help="Import ended sessions; the sensor of `debug-loop dev` computes.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Answer agents within milliseconds, over a Unix socket in the data directory, until Ctrl-C."""
    if status:
        _status(json)
        return
    from debug_loop_pipeline.serving.daemon import ServeDaemon
    from debug_loop_pipeline.serving.intake import Intake

    with open_store() as store:
        settings = store.settings
    intake = None if no_import else Intake(settings.data_dir, compute=not leave_to_sensor)
    ServeDaemon(settings, intake).run(on_ready=lambda path: typer.echo(f"serving at {path}; Ctrl-C stops", err=True))


def _status(json: bool) -> None:
    from debug_loop_pipeline.serving.address import socket_path
    from debug_loop_pipeline.serving.socket_client import ServeUnavailableError, ask
    from debug_loop_pipeline.settings import load_settings

    try:
        told = ask(socket_path(load_settings().data_dir), {"op": "ping"}, 2.0)
    except ServeUnavailableError as error:
        why = f"`debug-loop serve` does not run here ({error})"
        if not json:
            raise DebugLoopError(why) from error
        print_json({"ok": False, "error": why})
        raise typer.Exit(1) from error
    if json:
        print_json(told)
    else:
        print_table(("serve", ""), [(name.replace("_", " "), value) for name, value in told.items() if name != "ok"])
