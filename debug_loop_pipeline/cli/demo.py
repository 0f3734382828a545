"""`debug-loop demo`: the bug hunt and any transcripts through everything, and what was learned from them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from debug_loop_pipeline.cli.import_ import show_summary
from debug_loop_pipeline.cli.materialize import run_jobs, show_results
from debug_loop_pipeline.cli.output import counted
from debug_loop_pipeline.cli.report import show_overview
from debug_loop_pipeline.cli.report_html import render_html
from debug_loop_pipeline.cli.runtime import start
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.effects import report_store
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.registry import files_under, importer_for
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import MAX_STEP, contiguous_spans
from debug_loop_pipeline.steps.importing import import_files

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    data: Annotated[Path | None, typer.Option("--data", help="A folder with transcripts of any known format.")] = None,
    html: Annotated[Path, typer.Option("--html", help="Where the report goes.")] = Path("report.html"),
) -> None:
    """Run real failing and passing executions, import them with any transcripts, materialise everything, show what was learned."""
    began = time.monotonic()
    if data is not None and not data.is_dir():
        raise DebugLoopError(f"no such folder: {data}")

    def say(text: str) -> None:
        typer.secho(f"[{time.monotonic() - began:5.1f} s] {text}", fg=typer.colors.CYAN)

    os.environ.setdefault("DEBUG_LOOP_ECONOMY_ENABLED", "true")  # off by default; the demo shows it unless told not to
    say("starting PostgreSQL, Valkey and a Kafka broker")
    runtime = start()
    say("bug hunt: a scripted agent repairs half of the programs of each family by trying, the real pytest judges")
    events = runtime.settings.data_dir / "bug_hunt.jsonl"
    _bug_hunt(runtime.settings, "hunt", "--out", str(events))
    with open_store() as store:
        say("importing its executions")
        show_summary(import_files(store, [(importer_for("jsonl"), events)]))
        if data is not None:
            say(f"importing transcripts under {data}")
            reading = ImportReport()
            show_summary(import_files(store, list(files_under(data, reading)), reading=reading))
    if not _materialise(runtime.settings, say, more_follow=True):
        say("nothing new since the last demo: the same executions change nothing")
    say("the other half, live through logger and Kafka: with what was learned at hand, or held out")
    _bug_hunt(runtime.settings, "live")
    _materialise(runtime.settings, say)
    if runtime.settings.economy_enabled:
        from debug_loop_pipeline.cli import economy

        economy.run_and_show(runtime.settings, say)
    with open_store() as store:
        found = report_store.overview(store.database, 10)
    show_overview(found)
    html.write_text(render_html(found), encoding="utf-8")
    say(f"done; the report is also in {html}. `make dev` shows the graph, `debug-loop down` stops the servers")


def _materialise(settings: Settings, say: Callable[[str], None], *, more_follow: bool = False) -> bool:
    """Materialises what is dirty and shows what was done. False where nothing is."""
    with open_store() as store:
        dirty = store.executions.dirty_days()
    if not dirty:
        return False
    spans = contiguous_spans(dirty, max_step=MAX_STEP)
    say(f"materialising {counted(len(dirty), 'day')} in {counted(len(spans), 'run')}, {dirty[0]} to {dirty[-1]}")
    show_results(run_jobs(settings, spans, more_follow=more_follow))
    return True


def _bug_hunt(settings: Settings, *arguments: str) -> None:
    """Runs a command of the bug hunt of `examples/` in a process of its own.

    Raises:
        DebugLoopError: it failed, or is not there.
    """
    project = Path(__file__).parents[2]
    if not (project / "examples" / "bug_hunt").is_dir():
        raise DebugLoopError(
            "the demo's programs are part of a checkout (examples/bug_hunt), not of the installed package"
        )
    command = [sys.executable, "-m", "examples.bug_hunt", *arguments]
    environment = os.environ | {
        "DEBUG_LOOP_DATA_DIR": str(settings.data_dir)
    }  # its default is a folder of where one is
    if subprocess.run(command, cwd=project, env=environment, check=False).returncode != 0:
        raise DebugLoopError(f"the bug hunt failed; run `{' '.join(command)}` to see why")
