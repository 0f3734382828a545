"""`debug-loop hooks install | uninstall | status AGENT`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.serving import hook_settings
from debug_loop_pipeline.settings import load_settings

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Hooks of agents: known fixes at the moment they help."
)


class Agent(StrEnum):
    """Agents with hooks."""

    CLAUDE_CODE = "claude-code"
    COPILOT = "copilot"


AgentArgument = Annotated[Agent, typer.Argument(help="Whose hooks.")]
ProjectOption = Annotated[
    bool, typer.Option("--project", help="In the settings of this folder's project and not in your own.")
]


@app.command()
def install(agent: AgentArgument, project: ProjectOption = False) -> None:
    """Add our hooks to an agent's settings; what stands there stays, and a copy of the file is kept."""
    file = _file(agent, project)
    data_dir = load_settings().data_dir
    changed = hook_settings.install(agent.value, file, data_dir)
    typer.echo(f"{'installed in' if changed else 'already in'} {file}; answers come from {data_dir}")
    if project and changed:
        typer.echo("the entries name paths of this machine: think before you commit that file", err=True)
    typer.echo("run `debug-loop serve` to have them answered")


@app.command()
def uninstall(agent: AgentArgument, project: ProjectOption = False) -> None:
    """Take our hooks out of an agent's settings; the rest stays."""
    file = _file(agent, project)
    typer.echo(f"{'taken out of' if hook_settings.uninstall(agent.value, file) else 'none in'} {file}")


@app.command()
def status(agent: AgentArgument, project: ProjectOption = False, json: JsonOption = False) -> None:
    """Tell which of our hooks an agent's settings hold."""
    file = _file(agent, project)
    found = hook_settings.status(agent.value, file, load_settings().data_dir)
    if json:
        print_json(
            {"file": str(file), "hooks": [{"event": h.event, "state": h.state, "command": h.command} for h in found]}
        )
    else:
        print_table(("event", "state", "command"), [(h.event, h.state, h.command) for h in found], title=str(file))


def _file(agent: Agent, project: bool) -> Path:
    return hook_settings.settings_file(agent.value, Path.cwd() if project else None)
