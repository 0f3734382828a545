"""The root command: a table of commands whose modules are imported on demand."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version as package_version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from debug_loop_pipeline.errors import DebugLoopError


@dataclass(frozen=True)
class LazyCommand:
    """Where a command is.

    `app` of `module` is a `typer.Typer`; with `command` it is one command of it, without it the whole (a group, or its
    only command). A `service` stays until it is told to end, and its log is read later.
    """

    module: str
    help: str
    command: str | None = None
    service: bool = False


COMMANDS: dict[str, LazyCommand] = {
    "up": LazyCommand("servers", "Start the embedded servers that no setting replaces.", "up"),
    "down": LazyCommand("servers", "Stop the embedded servers.", "down"),
    "status": LazyCommand("servers", "Show the servers and where they answer.", "status"),
    "doctor": LazyCommand("servers", "Check this installation and say what to do.", "doctor"),
    "import": LazyCommand("import_", "Import agents' logs; the same work again changes nothing."),
    "materialize": LazyCommand("materialize", "Compute everything over the days that changed, or over a range."),
    "explain": LazyCommand("explain", "Trace fixes and verdicts back to tool calls."),
    "manifest": LazyCommand("manifest", "What is known about a request or an error."),
    "serve": LazyCommand("serve", "Answer agents over a socket: hooks, MCP server, Python API.", service=True),
    "hooks": LazyCommand("hooks", "Hooks of agents: install, uninstall, status."),
    "mcp": LazyCommand("mcp", "MCP server: find_fix, find_solution, known_failures, report_outcome.", service=True),
    "watch": LazyCommand("watch", "Import what appears in the agents' folders.", service=True),
    "verdict": LazyCommand("verdict", "Tell what CI or an evaluation said about a commit, pull request or task."),
    "effect": LazyCommand("effect", "Does what is served help? Both arms of the experiment, compared."),
    "report": LazyCommand("report", "What was learned, on the screen or as one HTML file."),
    "errors": LazyCommand("errors", "Error groups: top, show, merge, split, undo."),
    "stf": LazyCommand("stf", "Functions: list, show, search, approve, reject."),
    "golden": LazyCommand("golden", "Golden states: list, show, approve, reject."),
    "model": LazyCommand("model", "Model prices: list, show, add, deprecate."),
    "tokens": LazyCommand("tokens", "The token economy: accounts, transfers, proof, simulation."),
    "rejects": LazyCommand("rejects", "What was not taken in, and why."),
    "problems": LazyCommand("problems", "What the steps could not work on, and why."),
    "suppress": LazyCommand("privacy", "Keep something out of every manifest.", "suppress"),
    "forget": LazyCommand("privacy", "Remove a session, repository or peer and all derived from it.", "forget"),
    "consume": LazyCommand(
        "consume", "Take in what agents tell through Kafka, and keep the ledger, until Ctrl-C.", service=True
    ),
    "new": LazyCommand("new", "Write a unit from a sentence: handler, models, contract, failing test."),
    "onex": LazyCommand("onex", "The units as ONEX nodes: check, contracts, export, list."),
    "demo": LazyCommand("demo", "Run the bug hunt and any transcripts through everything and report."),
    "dev": LazyCommand("dev", "Run the Dagster UI, its daemon and the servers until Ctrl-C.", service=True),
}
"""In the order in which `--help` shows them."""


def _load(name: str) -> Any:
    entry = COMMANDS[name]
    command = typer.main.get_command(import_module(f"debug_loop_pipeline.cli.{entry.module}").app)
    if entry.command is None:
        command.name = name
        return command
    if not isinstance(command, TyperGroup):
        raise TypeError(f"{entry.module}.app has one command only: leave out the command's name in the table")
    return command.commands[entry.command]


def _placeholder(name: str) -> Any:
    """Stands for a command in a listing."""
    listing = typer.Typer(add_completion=False)
    listing.command(name, help=COMMANDS[name].help)(lambda: None)
    return typer.main.get_command(listing)


class LazyGroup(TyperGroup):
    """Loads the one command that is called, and none to list them."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        return _placeholder(cmd_name) if self._listing else _load(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help page, from the table alone."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a failure that its message explains, or one at a file, is shown without a traceback."""
        try:
            return super().invoke(ctx)
        except (DebugLoopError, OSError) as err:
            if isinstance(err, DebugLoopError):
                told = str(err)
            elif err.filename is not None:
                told = f"{err.filename}: {err.strerror}"
            else:
                raise
            typer.secho(f"error: {told}", fg=typer.colors.RED, err=True)
            raise typer.Exit(1) from err


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Turns executions of AI agents into debug intelligence, and keeps account of who gave and who used it.",
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    """Common to all commands."""
    if version:
        typer.echo(package_version("debug_loop_pipeline"))
        raise typer.Exit
    if context.invoked_subcommand is not None:
        from pydantic import ValidationError

        from debug_loop_pipeline.log import configure_logging
        from debug_loop_pipeline.settings import load_settings

        try:
            settings = load_settings()
        except ValidationError as err:
            # Without the values: an address holds a password. The chain is cut since its text shows them too.
            found = [(".".join(map(str, e["loc"])), e["msg"].removeprefix("Value error, ")) for e in err.errors()]
            raise DebugLoopError(
                "; ".join(f"DEBUG_LOOP_{where.replace('.', '__').upper()}: {what}" for where, what in found)
            ) from None
        called = COMMANDS.get(context.invoked_subcommand)
        configure_logging(settings.log_level, settings.log_format, retries=called is not None and called.service)


if __name__ == "__main__":
    app()
