"""`debug-loop import FORMAT [PATH...]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from debug_loop_pipeline.cli.output import JsonOption, print_json, print_table
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.importers.base import Importer, ImportReport
from debug_loop_pipeline.importers.registry import NAMES, files_under, importer_for
from debug_loop_pipeline.steps.importing import ImportSummary, import_files

app = typer.Typer(add_completion=False)

_SHOWN_PROBLEMS = 20


@app.command()
def import_(
    format: Annotated[str, typer.Argument(help=f"auto, or one of {', '.join(NAMES)}.", metavar="FORMAT")],
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders; claude-code, codex and others know their own folder.")
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Read files again that were imported as they are now. What was forgotten stays out (`forget --undo`).",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Import agents' logs; importing the same work again, from wherever, changes nothing."""
    reading = ImportReport()
    files = _files(format, paths or [], reading)
    what = "any known format" if format == "auto" else f"format {format}"
    known = {str(path) for _, path in files} | {problem.file for problem in reading.problems}
    foreign = [path for path in paths or () if path.is_file() and str(path) not in known]
    with open_store() as store:
        if json:
            summary = import_files(store, files, reading=reading, force=force)
        else:
            from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

            total = sum(path.stat().st_size for _, path in files if path.exists())
            columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            with Progress(*columns, transient=True) as bar:
                task = bar.add_task("import", total=total)
                summary = import_files(
                    store, files, reading=reading, force=force, on_bytes=lambda n: bar.advance(task, n)
                )
    for path in foreign:
        summary.reading.problem(path, None, f"not of {what}")
    if json:
        print_json(summary.as_dict())
    else:
        show_summary(summary)
    if paths and not files:
        raise DebugLoopError(f"nothing imported: no file there is of {what}")


def _files(format: str, paths: list[Path], reading: ImportReport) -> list[tuple[Importer, Path]]:
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise DebugLoopError(f"no such file or folder: {', '.join(missing)}")
    if format == "auto":
        if not paths:
            raise DebugLoopError(
                "`import auto` needs a file or folder; `import claude-code` knows where its sessions are"
            )
        return [found for path in paths for found in files_under(path, reading)]
    if format not in NAMES:
        raise DebugLoopError(f"no importer is called {format!r}; there are auto, {', '.join(NAMES)}")
    importer = importer_for(format)
    roots = paths or importer.default_folders()
    if not roots:
        raise DebugLoopError(f"{format} has no fixed folder; name a file or folder")
    return [found for root in roots for found in files_under(root, reading, importer)]


def show_summary(summary: ImportSummary) -> None:
    """Prints what an import did."""
    told = summary.as_dict()
    rows = [(name.replace("_", " "), told[name]) for name in _COUNTS]
    rows += [(f"format {name}", count) for name, count in told["formats"].items()]
    rows += [(f"skipped: {reason}", count) for reason, count in told["skipped"].items()]
    print_table(("imported", "count"), rows)
    for problem in told["problems"][:_SHOWN_PROBLEMS]:
        place = f"{problem['file']}:{problem['line']}" if problem["line"] else problem["file"]
        typer.echo(f"passed over: {place}: {problem['reason']}", err=True)
    if told["problem_count"] > _SHOWN_PROBLEMS:
        typer.echo(f"and {told['problem_count'] - _SHOWN_PROBLEMS} more; --json lists them", err=True)


_COUNTS = (
    "files",
    "files_unchanged",
    "bytes",
    "tasks",
    "attempts",
    "changed_attempts",
    "errors",
    "forgotten",
    "rejected",
)
