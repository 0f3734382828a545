"""What every importer offers and what it reports while reading; helpers to tell formats apart by content.

Not here: any knowledge of one format, and the table of formats (`registry`).
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import orjson

from debug_loop_pipeline.models.trajectory import Trajectory

HEAD_BYTES = 65_536
"""How much of a file `sniff` gets to see."""

MAX_PROBLEMS = 200
"""Problems kept with file, line and reason; further ones are only counted."""

_SKIPPED_FOLDERS = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        "node_modules",
        "__pycache__",
        ".venv",
        ".tox",
        ".mypy_cache",
    }
)


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """Something that was passed over: where and why."""

    file: str
    line: int | None
    reason: str


@dataclass(slots=True)
class ImportReport:
    """What reading cost and what it passed over; one report may span many files."""

    lines: int = 0
    bytes: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Lines (or records) that were passed over, by reason."""
    problems: list[ImportProblem] = field(default_factory=list)
    problem_count: int = 0
    on_bytes: Callable[[int], None] | None = None
    """Called with the number of bytes just read, for a progress bar."""

    def advance(self, size: int) -> None:
        """Counts bytes read."""
        self.bytes += size
        if self.on_bytes is not None:
            self.on_bytes(size)

    def skip(self, reason: str, count: int = 1) -> None:
        """Counts something that is passed over by design (an unknown line type, a duplicate)."""
        self.skipped[reason] += count

    def problem(self, file: Path | str, line: int | None, reason: str) -> None:
        """Records something that could not be read. The number of kept problems is bounded, the count is not."""
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(ImportProblem(str(file), line, reason))

    def unreadable(self, path: Path, error: OSError) -> None:
        """Records a file or folder that cannot be read, unless it went since it was listed."""
        if not isinstance(error, FileNotFoundError):
            self.problem(path, None, f"cannot be read: {error.strerror}")


class Importer(ABC):
    """One log format."""

    name: ClassVar[str]

    @abstractmethod
    def sniff(self, path: Path, head: bytes) -> bool:
        """Whether the file is of this format, told by a head of it (`sniffing.heads`); the name is a hint at most."""

    def default_folders(self) -> list[Path]:
        """Where the agent keeps its logs on this machine; none where it has no fixed place."""
        return []


class TranscriptImporter(Importer):
    """A format of transcripts, whose runs are still to be cut into attempts."""

    @abstractmethod
    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        """The runs of one file. Each run's `steps` is read to its end before the next run is asked for.

        Raises:
            OSError: the file cannot be read.
        """


class EventImporter(Importer):
    """A format that holds finished execution events (DOMAIN 3.1)."""

    @abstractmethod
    def read_events(self, path: Path, report: ImportReport) -> Iterator[tuple[int, dict[str, Any]]]:
        """The events of one file as (1-based line, event), not validated.

        Raises:
            OSError: the file cannot be read.
        """


def read_head(path: Path, size: int = HEAD_BYTES) -> bytes:
    """The first bytes of a file, without a byte order mark; UTF-16 text comes back as UTF-8.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(size)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[: len(head) & ~1].decode("utf-16", "replace").encode()
    return head.removeprefix(b"\xef\xbb\xbf")


def walk_files(root: Path, report: ImportReport | None = None) -> Iterator[Path]:
    """Regular files under a folder, sorted by path; version control, caches and links to folders are not entered.

    A folder that cannot be listed, or a link that leads nowhere but to itself, is a problem of `report`.
    """
    report = report or ImportReport()
    try:
        alone = root.is_file()
        entries = [] if alone else sorted(os.scandir(root), key=lambda entry: entry.name)
    except OSError as error:
        report.unreadable(root, error)
        return
    if alone:
        yield root
    for entry in entries:
        path = Path(entry.path)
        try:
            folder, file = entry.is_dir(follow_symlinks=False), entry.is_file()
        except OSError as error:
            report.unreadable(path, error)
            continue
        if folder:
            if entry.name not in _SKIPPED_FOLDERS:
                yield from walk_files(path, report)
        elif file:
            yield path


def head_records(head: bytes, limit: int = 20) -> Iterator[dict[str, Any]]:
    """The JSON objects on the first complete lines of a head, read one by one; lines that do not parse are left out."""
    start = 0
    for _ in range(limit):
        if start > len(head):
            return
        end = head.find(b"\n", start)
        end = len(head) if end < 0 else end
        try:
            value = orjson.loads(head[start:end])
        except orjson.JSONDecodeError:
            continue
        finally:
            start = end + 1
        if isinstance(value, dict):
            yield value


_SPACE = re.compile(rb"[\s\x00]*+")
_STRING = re.compile(rb'"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_JUMP = re.compile(rb'["{}\[\],]')


def top_level_keys(head: bytes, start: int = 0) -> dict[str, bytes]:
    """Keys of the JSON object that begins at `start`, even if it is cut off, with the raw first bytes of each value.

    Of a scalar the whole value is given, of a list or object its first byte. Empty where no object begins there. Glad
    of a document too large for its head (a trajectory of megabytes on one line).
    """
    keys: dict[str, bytes] = {}
    at = _end(_SPACE, head, start)
    if head[at : at + 1] != b"{":
        return keys
    at += 1
    while True:
        at = _end(_SPACE, head, at)
        if head[at : at + 1] == b",":
            at = _end(_SPACE, head, at + 1)
        key = _STRING.match(head, at)
        if key is None:
            return keys
        at = _end(_SPACE, head, key.end())
        if head[at : at + 1] != b":":
            return keys
        at = _end(_SPACE, head, at + 1)
        end = _value_end(head, at)
        keys[key[1].decode("utf-8", "replace")] = (
            head[at : at + 1] if head[at : at + 1] in (b"{", b"[") else head[at:end].rstrip()
        )
        at = end


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    match = pattern.match(data, at)
    return match.end() if match else at


def _value_end(data: bytes, at: int) -> int:
    """Where the JSON value that begins at `at` ends (the end of the data if it is cut off)."""
    depth = 0
    while True:
        jump = _JUMP.search(data, at)
        if jump is None:
            return len(data)
        mark = jump[0]
        at = jump.start()
        if mark == b'"':
            string = _STRING.match(data, at)
            if string is None:
                return len(data)
            at = string.end()
            if depth == 0:
                return at
        elif mark in b"{[":
            depth += 1
            at += 1
        elif mark in b"}]":
            depth -= 1
            if depth < 0:
                return at
            at += 1
            if depth == 0:
                return at
        else:
            if depth == 0:
                return at
            at += 1
