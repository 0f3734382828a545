"""Which formats there are, and which of them a file is.

A format is told by a file's content alone: names, folders and metadata files beside it may be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from debug_loop_pipeline.importers.base import Importer, ImportReport, walk_files
from debug_loop_pipeline.importers.sniffing import heads, is_of

_PLACES: dict[str, tuple[str, str]] = {
    "jsonl": ("execution_events", "ExecutionEventsImporter"),
    "claude-code": ("claude_code", "ClaudeCodeImporter"),
    "codex": ("codex", "CodexImporter"),
    "copilot": ("copilot", "CopilotImporter"),
    "pi": ("pi", "PiImporter"),
    "gemini": ("gemini", "GeminiImporter"),
    "atif": ("atif", "AtifImporter"),
    "mini-swe-agent": ("mini_swe_agent", "MiniSweAgentImporter"),
    "swe-agent": ("swe_agent", "SweAgentImporter"),
    "openhands": ("openhands", "OpenHandsImporter"),
    "aider": ("aider", "AiderImporter"),
    "dgm": ("dgm", "DgmImporter"),
}
"""Name -> module and class, most specific marks first: the first that recognises a file has it."""

NAMES: tuple[str, ...] = tuple(_PLACES)


@cache
def importer_for(name: str) -> Importer:
    """The importer of a format; its module is loaded at the first use.

    Raises:
        KeyError: there is no such format.
    """
    if name not in _PLACES:
        raise KeyError(f"no importer {name!r}; there are: {', '.join(sorted(NAMES))}")
    module, attribute = _PLACES[name]
    made: Importer = getattr(import_module(f"debug_loop_pipeline.importers.{module}"), attribute)()
    return made


def detect(path: Path) -> Importer | None:
    """The importer of a file, by its content; None where no format fits (sidecars, reports, other files).

    Raises:
        OSError: the file cannot be read.
    """
    for head in heads(path):
        for name in NAMES:
            importer = importer_for(name)
            if importer.sniff(path, head):
                return importer
    return None


def files_under(
    path: Path, report: ImportReport | None = None, only: Importer | None = None
) -> Iterator[tuple[Importer, Path]]:
    """Every file of executions under a folder (or the file itself) with its importer, sorted; with `only` those of one format.

    What cannot be read is a problem of `report`.
    """
    report = report or ImportReport()
    for file in walk_files(path, report):
        try:
            importer = detect(file) if only is None else only if is_of(only, file) else None
        except OSError as error:
            report.unreadable(file, error)
            continue
        if importer is not None:
            yield importer, file
