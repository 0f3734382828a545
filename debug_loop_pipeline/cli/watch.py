"""`debug-loop watch`: imports what appears or grows in the agents' folders, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from debug_loop_pipeline.cli.output import JsonOption, print_json
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.effects.resilience import EffectError
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.importers.base import Importer, ImportReport
from debug_loop_pipeline.importers.registry import NAMES, files_under
from debug_loop_pipeline.serving.watcher import (
    FolderWatcher,
    TakenIn,
    take_in,
    transcripts_under,
    watched_folders,
)

app = typer.Typer(add_completion=False)


@app.command()
def watch(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="FORMAT=FOLDER to watch in place of the agents' own folders; with --once also files or folders, whose format is told by content.",
            metavar="FORMAT=FOLDER | PATH",
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Import what is there now, and end.")] = False,
    leave_to_sensor: Annotated[
        bool, typer.Option("--leave-to-sensor", help="Only import; the sensor of `debug-loop dev` computes.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 2.0,
    json: JsonOption = False,
) -> None:
    """Import what appears or grows in the agents' folders and learn from it at once."""
    compute = not leave_to_sensor
    if once:
        reading = ImportReport()
        files = _there_now(paths or [], reading)
        with open_store() as store:
            _tell(take_in(store, files, compute=compute, reading=reading), json)
        return
    folders = watched_folders([_folder(text) for text in paths or ()])
    with open_store() as store:
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        if not json:
            there = sorted({str(folder.root) for folder in folders if folder.root.is_dir()})
            absent = sorted({str(folder.root) for folder in folders if not folder.root.is_dir()} if paths else ())
            typer.echo(
                f"watching {', '.join(there) or 'for the folders of agents to appear'}; "
                f"{'not there yet: ' + ', '.join(absent) + '; ' if absent else ''}Ctrl-C stops",
                err=True,
            )
        watcher = FolderWatcher(folders, time.monotonic)
        while not stopped.is_set():
            due = watcher.due()
            for problem in watcher.problems:
                typer.echo(f"passed over: {problem.file}: {problem.reason}", err=True)
            if due:
                try:
                    _tell(take_in(store, due, compute=compute), json)
                except EffectError as error:
                    watcher.again(due)
                    typer.echo(f"not imported, will be tried again: {error}", err=True)
            stopped.wait(every)


def _there_now(texts: list[str], reading: ImportReport) -> list[tuple[Importer, Path]]:
    """What is to be imported once. A path that is gone is told and passed over: an agent may have removed one transcript of many."""
    named = [text for text in texts if text.partition("=")[0] in NAMES]
    paths = [Path(text).expanduser() for text in texts if text not in named]
    folders = watched_folders([_folder(text) for text in named]) if named or not texts else []
    for path in (*paths, *(folder.root for folder in folders if named)):
        if not path.exists():
            typer.echo(f"passed over: {path}: no such file or folder", err=True)
    found = [file for folder in folders for file in files_under(folder.root, reading, folder.importer)]
    return found + transcripts_under(paths, reading)


def _folder(text: str) -> tuple[str, Path]:
    name, separator, folder = text.partition("=")
    if not separator or name not in NAMES:
        raise DebugLoopError(f"{text!r} is not FORMAT=FOLDER, with FORMAT one of {', '.join(NAMES)}")
    return name, Path(folder).expanduser().absolute()


def _tell(done: TakenIn, json: bool) -> None:
    told = done.summary.as_dict()
    if json:
        print_json(told | {"computed": {report.step: report.attempts + report.keys for report in done.reports}})
    elif told["files"] > told["files_unchanged"]:
        typer.echo(
            f"{told['files'] - told['files_unchanged']} files: {told['attempts']} attempts, {told['changed_attempts']} changed, "
            f"{told['errors']} errors"
        )
    for problem in told["problems"]:
        typer.echo(f"passed over: {problem['file']}: {problem['reason']}", err=True)
