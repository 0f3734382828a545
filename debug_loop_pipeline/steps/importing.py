"""Logs on disk into the inbox: importer -> segmenter -> redaction -> ingestion, file by file, incremental.

A file at the size and hash it was imported with is skipped; a grown one is read again, and since ids come from the session itself only what
changed makes new revisions.
"""

from __future__ import annotations

import gc
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import UUID

from debug_loop_pipeline.client.redaction import redact
from debug_loop_pipeline.effects.execution_store import ImportedFile
from debug_loop_pipeline.importers.base import EventImporter, Importer, ImportReport, TranscriptImporter
from debug_loop_pipeline.importers.segmenter import SegmenterOptions, segment
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.trajectory import Trajectory
from debug_loop_pipeline.steps.failures import told
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ingestion import IngestionReport, RawEvent, ingest_events, ingest_raw

_BATCH = 200
_BATCH_BYTES = 64 << 20
_FILES_ASKED_FOR = 200
_OBJECTS_BETWEEN_COLLECTIONS = 50_000
T = TypeVar("T")


@dataclass(slots=True)
class ImportSummary:
    """What an import did."""

    reading: ImportReport = field(default_factory=ImportReport)
    files: int = 0
    files_unchanged: int = 0
    tasks: set[str] = field(default_factory=set)
    attempts: int = 0
    errors: int = 0
    changed_attempts: int = 0
    forgotten: int = 0
    rejected: int = 0
    formats: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON."""
        return {
            "files": self.files,
            "files_unchanged": self.files_unchanged,
            "formats": dict(sorted(self.formats.items())),
            "bytes": self.reading.bytes,
            "tasks": len(self.tasks),
            "attempts": self.attempts,
            "errors": self.errors,
            "changed_attempts": self.changed_attempts,
            "forgotten": self.forgotten,
            "rejected": self.rejected,
            "skipped": dict(sorted(self.reading.skipped.items())),
            "problems": [{"file": p.file, "line": p.line, "reason": p.reason} for p in self.reading.problems],
            "problem_count": self.reading.problem_count,
        }


def import_files(
    context: StepContext,
    files: Iterable[tuple[Importer, Path]],
    *,
    reading: ImportReport | None = None,
    force: bool = False,
    on_bytes: Callable[[int], None] | None = None,
) -> ImportSummary:
    """Imports files one after the other; a bad one, or one that our own reading fails at, is reported and passed over.

    Events of several small files are written together. A file counts as imported once all of its events are written, so an import
    that is killed and started again reads what was not. `reading` may hold what finding the files met.
    """
    summary = ImportSummary(reading=reading or ImportReport())
    summary.reading.on_bytes = on_bytes
    tasks = _SubagentTasks()
    with _collector_spared(), _Inbox(context, summary) as inbox:
        for group in batched(files, _FILES_ASKED_FOR):
            keys = [os.path.realpath(path) for _, path in group]
            known = {} if force else context.executions.imported_files(keys)
            for key, (importer, path) in zip(keys, group, strict=True):
                summary.files += 1
                try:
                    size, digest = path.stat().st_size, file_sha256(path)
                except OSError as error:
                    summary.reading.problem(path, None, f"cannot be read: {error.strerror}")
                    continue
                if known.get(key) == (size, digest):
                    summary.files_unchanged += 1
                    if on_bytes is not None:
                        on_bytes(size)
                    continue
                inbox.begin_file(importer.name)
                try:
                    if isinstance(importer, EventImporter):
                        _import_events(context, importer, path, summary)
                    elif isinstance(importer, TranscriptImporter):
                        for event in _readable(tasks.attempts_of(importer, path, summary.reading, digest)):
                            inbox.add(event)
                except _UnreadableError as error:
                    summary.reading.problem(path, None, str(error))
                    continue
                inbox.end_file(ImportedFile(key, importer.name, size, digest, {"bytes": size}))
    return summary


class _UnreadableError(Exception):
    """A file was not read to its end."""


def _readable(events: Iterator[T]) -> Iterator[T]:
    """The events of one file. What is wrong in reading it, or in us, must not keep other files out.

    Raises:
        _UnreadableError: in place of any error of the reading itself. The file is not put down as imported.
    """
    while True:
        try:
            event = next(events)
        except StopIteration:
            return
        except OSError as error:
            raise _UnreadableError(f"cannot be read: {error.strerror or error}") from error
        except Exception as error:
            raise _UnreadableError(f"not read to its end, please report it: {told(error)}") from error
        yield event


class _SubagentTasks:
    """Which task started which sub-agent. Known from the parent's transcript, whether that is imported now, before or never."""

    def __init__(self) -> None:
        self.by_call: dict[tuple[str, str], UUID] = {}
        self._read: set[Path] = set()

    def attempts_of(
        self, importer: TranscriptImporter, path: Path, report: ImportReport, digest: str
    ) -> Iterator[ExecutionEvent]:
        """The attempts of a transcript; the one that started a sub-agent of it is read before that one's."""
        self._read.add(path)
        return attempts_of(importer, path, report, digest, self.by_call, partial(self._learn, importer))

    def _learn(self, importer: TranscriptImporter, trajectory: Trajectory) -> None:
        """Reads the transcript that started a sub-agent, where it is known and was not read yet."""
        parent = trajectory.parent_file
        if parent is not None and parent not in self._read:
            self._read.add(parent)
            with suppress(OSError):  # told where that file itself is imported
                for _ in attempts_of(importer, parent, ImportReport(), tasks=self.by_call):
                    pass


class _Inbox:
    """Gathers events over files and writes them in batches, then the files that are complete with them."""

    def __init__(self, context: StepContext, summary: ImportSummary) -> None:
        self._context = context
        self._summary = summary
        self._importer = ""
        self._events: list[ExecutionEvent] = []
        self._files: list[ImportedFile] = []
        self._read_before = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._write()

    def begin_file(self, importer: str) -> None:
        """Tells which importer the next events come from."""
        if importer != self._importer:
            self._write()
            self._importer = importer
        self._summary.formats[importer] += 1

    def add(self, event: ExecutionEvent) -> None:
        """Takes an event in."""
        self._events.append(event)
        # The second bound is for memory: events grow with what was read for them.
        if len(self._events) >= _BATCH or self._summary.reading.bytes - self._read_before > _BATCH_BYTES:
            self._write()

    def end_file(self, file: ImportedFile) -> None:
        """The file is complete."""
        self._files.append(file)
        if len(self._files) >= _BATCH:
            self._write()

    def _write(self) -> None:
        summary, events = self._summary, self._events
        if events:
            _add(summary, ingest_events(self._context, events, f"import:{self._importer}"))
            summary.tasks |= {str(event.correlation_id) for event in events}
            summary.errors += sum(len(event.errors) for event in events)
        self._context.executions.record_files(self._files)
        self._events, self._files = [], []
        self._read_before = summary.reading.bytes


def _import_events(context: StepContext, importer: EventImporter, path: Path, summary: ImportSummary) -> None:
    raw = (RawEvent(event, f"{path.name}:{place}") for place, event in _placed(importer, path, summary.reading))
    for batch in batched(raw, _BATCH):
        report = ingest_raw(context, batch, f"import:{importer.name}")
        _add(summary, report)
        refused = {one.position for one in report.rejects}
        told = [one.payload for one in batch if isinstance(one.payload, dict) and one.position not in refused]
        summary.tasks |= {str(event.get("correlation_id")) for event in told}
        summary.errors += sum(len(event.get("errors") or ()) for event in told)


def _placed(importer: EventImporter, path: Path, report: ImportReport) -> Iterator[tuple[str, dict[str, Any]]]:
    """Events with their line; of several on one line the later ones with their number, since a place tells one event."""
    last, number = 0, 1
    for line, event in _readable(importer.read_events(path, report)):
        last, number = line, number + 1 if line == last else 1
        yield f"{line}" if number == 1 else f"{line} ({number})", event


@contextmanager
def _collector_spared() -> Iterator[None]:
    """Keeps the garbage collector from looking through the program itself again and again while lines become objects."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def attempts_of(
    importer: TranscriptImporter,
    path: Path,
    report: ImportReport,
    digest: str | None = None,
    tasks: dict[tuple[str, str], UUID] | None = None,
    before: Callable[[Trajectory], None] | None = None,
) -> Iterator[ExecutionEvent]:
    """The attempts of one transcript, in order, every text redacted before it is cut.

    `tasks`: (session, tool call) -> task that started a sub-agent there; read for sub-agents, filled from their parents.
    `before`: called with each run before its attempts are cut.
    """
    options = SegmenterOptions(redact=redact, subagent_tasks={} if tasks is None else tasks)
    last: UUID | None = None
    for trajectory in importer.read(path, report):
        if before is not None:
            before(trajectory)
        if trajectory.retry:
            trajectory.parent_attempt_id = last
        trajectory.file, trajectory.file_sha256 = path.name, digest
        for event in segment(trajectory, options):
            last = event.attempt_id
            yield event


def _add(summary: ImportSummary, report: IngestionReport) -> None:
    summary.attempts += report.events
    summary.changed_attempts += report.changed_attempts
    summary.forgotten += report.forgotten
    summary.rejected += len(report.rejects)


def file_sha256(path: Path) -> str:
    """SHA-256 hex of a file's content.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` items."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
