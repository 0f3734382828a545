"""What appeared or grew in the agents' folders, once it has come to rest (`debug-loop watch`), and its import.

Folders are listed every few seconds and not subscribed to: network folders and every operating system work alike, and
a list of ten thousand files costs less than a tenth of a second.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from debug_loop_pipeline.importers.base import Importer, ImportProblem, ImportReport, walk_files
from debug_loop_pipeline.importers.registry import NAMES, files_under, importer_for
from debug_loop_pipeline.importers.sniffing import is_of
from debug_loop_pipeline.steps.framework import StepContext, StepReport
from debug_loop_pipeline.steps.importing import ImportSummary, import_files
from debug_loop_pipeline.steps.run_all import run_dirty_days

SETTLE_S = 2.0
"""A file that did not grow for so long is imported."""
AGAIN_S = 30.0
"""One that never rests is imported so often."""


@dataclass(slots=True)
class _Seen:
    """A file as the listings saw it. The state is (size, time of change in ns)."""

    state: tuple[int, int]
    changed_at: float
    taken_at: float
    taken: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """A folder in which one agent keeps its logs."""

    importer: Importer
    root: Path


def watched_folders(roots: Sequence[tuple[str, Path]] = ()) -> list[Watched]:
    """The folders to watch: those named as (format, folder), else every agent's own."""
    if roots:
        return [Watched(importer_for(name), root) for name, root in roots]
    found = [Watched(importer_for(name), root) for name in NAMES for root in importer_for(name).default_folders()]
    return found


class FolderWatcher:
    """Tells which files are due. `clock` gives seconds."""

    def __init__(
        self,
        folders: Sequence[Watched],
        clock: Callable[[], float],
        settle_s: float = SETTLE_S,
        again_s: float = AGAIN_S,
    ) -> None:
        self._folders = folders
        self._clock = clock
        self._settle_s = settle_s
        self._again_s = again_s
        self._seen: dict[Path, _Seen] = {}
        self._told: set[str] = set()
        self.problems: list[ImportProblem] = []
        """What the last listing could not read, and none before it."""

    def due(self) -> list[tuple[Importer, Path]]:
        """Lists the folders and gives the files that came to rest since they were given last, or never rest."""
        now = self._clock()
        found: list[tuple[Importer, Path]] = []
        there: set[Path] = set()
        report = ImportReport()
        for folder in self._folders:
            for path in walk_files(folder.root, report):
                there.add(path)
                if self._is_due(path, now, report) and self._is_of(folder.importer, path, report):
                    found.append((folder.importer, path))
        self.problems = [problem for problem in report.problems if problem.file not in self._told]
        self._told.update(problem.file for problem in self.problems)
        for path in self._seen.keys() - there:
            del self._seen[path]
        return found

    def again(self, files: Sequence[tuple[Importer, Path]]) -> None:
        """Gives files that were not imported after all once more."""
        for _, path in files:
            if path in self._seen:
                self._seen[path].taken = None

    def _is_due(self, path: Path, now: float, report: ImportReport) -> bool:
        try:
            stat = path.stat()
        except OSError as error:
            report.unreadable(path, error)
            return False
        state = (stat.st_size, stat.st_mtime_ns)
        seen = self._seen.get(path)
        if seen is None:
            seen = self._seen[path] = _Seen(state, now, now)
        elif seen.state != state:
            seen.state, seen.changed_at = state, now
        rests = now - seen.changed_at >= self._settle_s
        if seen.taken == state or not (rests or now - seen.taken_at >= self._again_s):
            return False
        seen.taken, seen.taken_at = state, now
        return True

    def _is_of(self, importer: Importer, path: Path, report: ImportReport) -> bool:
        try:
            return is_of(importer, path)
        except OSError as error:
            report.unreadable(path, error)
            self._seen[path].taken = None  # leave to read changes neither size nor time
            return False


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What one round of imports did."""

    summary: ImportSummary
    reports: list[StepReport]


def take_in(
    context: StepContext,
    files: Sequence[tuple[Importer, Path]],
    *,
    compute: bool,
    reading: ImportReport | None = None,
) -> TakenIn:
    """Imports files and, where asked, computes the days that are dirty then. One process of a data directory at a time."""
    with _in_turn(context.settings.data_dir):
        summary = import_files(context, files, reading=reading)
        return TakenIn(summary, run_dirty_days(context) if compute else [])


def transcripts_under(paths: Sequence[Path], report: ImportReport | None = None) -> list[tuple[Importer, Path]]:
    """Every transcript among some files and folders, with its importer; what cannot be read is a problem of `report`."""
    return [found for path in paths if path.exists() for found in files_under(path, report)]


@contextmanager
def _in_turn(data_dir: Path) -> Iterator[None]:
    """Sessions may end together; what they changed is computed by one of them after the other."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / "take-in.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
