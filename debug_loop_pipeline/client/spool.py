"""The spool: what an agent process logged, on disk, until the broker has had it for a day.

One directory per process, so that no two processes write one file. In it: `lock`, held as long as the process lives (the kernel
lets go of it however the process ends); numbered segments of checksummed lines; `cursor.json`, how far the broker has it. A directory
whose lock is free is an orphan: whoever takes the lock publishes what is left.

Here: files. Not here: threads and the broker (`relay`), what a line means. Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import threading
import time
import weakref
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from debug_loop_pipeline.models.logger_options import LoggerOptions

SPOOL = "spool"
"""Name of the spools' folder in the data directory."""
SET_ASIDE = "set_aside"
"""Name of the folder beside it, of events that the broker refuses for their size: one file each, for `debug-loop import`."""

_LOCK = "lock"
_CURSOR = "cursor.json"
_SUFFIX = ".log"
_SEGMENTS_AT_LEAST = 8
"""Files that a full spool consists of at least: they are dropped one by one."""
_READ_RECORDS = 500
_READ_BYTES = 1 << 20
_open_spools: weakref.WeakSet[Spool] = weakref.WeakSet()


class SpoolFullError(OSError):
    """Everything in the spool is unpublished and there is no room for more."""


class Record(NamedTuple):
    """One line: the message's key and its bytes, which hold no line break."""

    key: str
    body: bytes


class Position(NamedTuple):
    """A place between two records; ordered."""

    segment: int
    offset: int


@dataclass(slots=True)
class Cursor:
    """How far the broker has the spool."""

    position: Position = field(default=Position(0, 0))
    topic_id: str | None = None
    """Of the topic that has it."""
    acknowledged: dict[int, int] = field(default_factory=dict)
    """Partition -> the offset after the last message of ours that the broker confirmed."""


@dataclass(slots=True)
class Read:
    """What was read from a position on, and where to go on."""

    records: list[Record]
    end: Position
    damaged: int = 0
    """Lines whose checksum does not fit; they are passed over."""


class Spool:
    """One directory whose lock this process holds. One thread appends, another reads, advances and trims.

    Raises:
        OSError: as the disk has it.
    """

    def __init__(self, path: Path, lock: int, options: LoggerOptions) -> None:
        self.path = path
        self._lock_file: int | None = lock
        self._limit = options.spool_bytes
        self._segment_limit = max(1, min(options.segment_bytes, options.spool_bytes // _SEGMENTS_AT_LEAST))
        self._keep_s = options.keep_hours * 3_600
        self._guard = threading.Lock()
        self._sizes = dict(sorted((int(file.stem), file.stat().st_size) for file in path.glob(f"*{_SUFFIX}")))
        """Segment -> bytes that are safely on disk."""
        self._writing: int | None = None
        self.cursor = self._load_cursor()
        _open_spools.add(self)

    @classmethod
    def create(cls, root: Path, options: LoggerOptions) -> Spool:
        """A new spool for this process."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{os.getpid()}-{time.time_ns()}"
        hidden = root / f".{name}"  # until its lock is held nobody may take it for an orphan
        hidden.mkdir(mode=0o700)
        lock = os.open(hidden / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(hidden, root / name)
        _sync_directory(root)
        return cls(root / name, lock, options)

    @classmethod
    def claim(cls, path: Path, options: LoggerOptions) -> Spool | None:
        """The spool of a process that ended; None where it lives, or another one was quicker."""
        try:
            lock = os.open(path / _LOCK, os.O_RDWR)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_ino == os.stat(path / _LOCK).st_ino:  # not removed in the meantime
                return cls(path, lock, options)
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(lock)
        return None

    def close(self) -> None:
        """Let the lock go: from here on it is an orphan."""
        _open_spools.discard(self)
        with self._guard:
            for handle in (self._writing, self._lock_file):
                if handle is not None:
                    os.close(handle)
            self._writing = self._lock_file = None

    # -- writing -------------------------------------------------------------------------------------------------

    def append(self, records: Sequence[Record]) -> None:
        """Put records on disk; when it returns they survive the process and the machine. All of them or none.

        Raises:
            SpoolFullError: no room, and nothing that the broker has could be dropped.
            OSError: they are not on disk.
        """
        data = b"".join(_line(record) for record in records)
        with self._guard:
            self._make_room(len(data))
            if self._writing is not None and self._sizes[self._newest] >= self._segment_limit:
                os.close(self._writing)
                self._writing = None
            if self._writing is None:
                self._begin_segment()
            handle, number = self._writing, self._newest
            assert handle is not None
        try:
            written = 0
            while written < len(data):
                written += os.write(handle, data[written:])
            os.fsync(handle)
        except OSError:
            # What may be there of it must neither be read nor be a line with what comes next.
            with self._guard, contextlib.suppress(OSError):
                self._writing = None
                os.ftruncate(handle, self._sizes[number])
                os.close(handle)
            raise
        with self._guard:
            self._sizes[number] += len(data)

    @property
    def _newest(self) -> int:
        return next(reversed(self._sizes))

    def _begin_segment(self) -> None:
        number = (self._newest if self._sizes else -1) + 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL
        self._writing = os.open(self._file(number), flags, 0o600)
        self._sizes[number] = 0
        _sync_directory(self.path)

    def _make_room(self, size: int) -> None:
        while self._sizes and sum(self._sizes.values()) + size > self._limit and self._drop_oldest():
            pass
        if sum(self._sizes.values()) + size > self._limit:
            raise SpoolFullError(f"the spool {self.path} holds {self._limit} bytes that no broker has taken yet")

    def _drop_oldest(self) -> bool:
        """Drops the oldest segment if the broker has all of it."""
        oldest, size = next(iter(self._sizes.items()))
        if self.cursor.position < Position(oldest, size):
            return False
        if oldest == self._newest and self._writing is not None:
            os.close(self._writing)
            self._writing = None
        self._file(oldest).unlink(missing_ok=True)
        del self._sizes[oldest]
        if not self._sizes:  # numbers go on, so that the cursor stays ahead of what is gone
            self._sizes[oldest + 1] = 0
            self._file(oldest + 1).touch(mode=0o600)
        return True

    # -- reading -------------------------------------------------------------------------------------------------

    def unpublished(self) -> bool:
        """Whether there is something that the broker does not have. Agents ask this too: it must not wait for the disk."""
        sizes = tuple(self._sizes.items())  # at one moment, without the guard
        return any(self.cursor.position < Position(number, size) for number, size in sizes if size)

    def holds_anything(self) -> bool:
        """Whether there is any record, published or not."""
        with self._guard:
            return any(self._sizes.values())

    def size(self) -> int:
        """Bytes on disk."""
        with self._guard:
            return sum(self._sizes.values())

    def read(self) -> Read:
        """The next records that the broker does not have; none at the end."""
        with self._guard:
            ahead = [(n, s) for n, s in self._sizes.items() if self.cursor.position < Position(n, s)]
            start = self.cursor.position
        if not ahead:
            return Read([], start)
        number, size = ahead[0]
        offset = start.offset if start.segment == number else 0
        with self._file(number).open("rb") as file:
            file.seek(offset)
            data = file.read(min(_READ_BYTES, size - offset))
            if not data.endswith(b"\n") and len(data) < size - offset:
                data += file.readline(size - offset - len(data))
        read = Read([], start)
        for line in data.splitlines(keepends=True)[:_READ_RECORDS]:
            record = _parsed(line)
            if record is not None:
                read.records.append(record)
            elif line.endswith(b"\n"):
                read.damaged += 1
            elif offset + len(line) < size:
                break
            offset += len(line)  # a line without an end is what a crash left: it was never acknowledged
        read.end = Position(number, offset)
        return read

    def advance(self, position: Position, topic_id: str, acknowledged: dict[int, int]) -> None:
        """Note that the broker has everything before a position."""
        self.cursor = Cursor(position, topic_id, self.cursor.acknowledged | acknowledged)
        self._save_cursor()

    def rewind(self) -> None:
        """Publish everything again that is still here: the broker came back without it."""
        self.cursor = Cursor()
        self._save_cursor()

    def trim(self) -> None:
        """Drop what the broker has had for long enough."""
        before = time.time() - self._keep_s
        with self._guard:
            while self._sizes:
                oldest, size = next(iter(self._sizes.items()))
                if size == 0 or self._file(oldest).stat().st_mtime > before or not self._drop_oldest():
                    return

    def remove(self) -> None:
        """Take the whole directory away, and let it go."""
        for file in [*self.path.glob(f"*{_SUFFIX}"), self.path / _CURSOR, self.path / _LOCK]:
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()
        self.close()

    def set_aside(self, record: Record) -> Path:
        """Keeps a record that the broker will never take where nobody publishes it; the same record again is the same file."""
        folder = self.path.parent.parent / SET_ASIDE
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / f"{hashlib.sha256(record.body).hexdigest()[:32]}.jsonl"
        new = file.with_suffix(".new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as writing:
            writing.write(record.body + b"\n")
            writing.flush()
            os.fsync(handle)
        os.replace(new, file)
        _sync_directory(folder)
        return file

    # -- files ---------------------------------------------------------------------------------------------------

    def _file(self, number: int) -> Path:
        return self.path / f"{number:08d}{_SUFFIX}"

    def _load_cursor(self) -> Cursor:
        try:
            told = json.loads((self.path / _CURSOR).read_bytes())
            offsets = {int(partition): int(offset) for partition, offset in told["acknowledged"].items()}
            return Cursor(Position(int(told["segment"]), int(told["offset"])), told["topic_id"], offsets)
        except FileNotFoundError:
            return Cursor()
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ):  # cut off by a crash: what is sent again is known by its id
            return Cursor()

    def _save_cursor(self) -> None:
        cursor = self.cursor
        told = {
            "segment": cursor.position.segment,
            "offset": cursor.position.offset,
            "topic_id": cursor.topic_id,
            "acknowledged": cursor.acknowledged,
        }
        new = self.path / f"{_CURSOR}.new"
        new.write_text(json.dumps(told), encoding="ascii")
        os.replace(new, self.path / _CURSOR)


def orphans(root: Path, options: LoggerOptions, left_out: Collection[str] = ()) -> Iterator[Spool]:
    """The spools whose processes ended, oldest first, each claimed; the caller closes it. `left_out`: names of directories."""
    try:
        names = sorted((name for name in os.listdir(root) if name[0] != "." and name not in left_out), key=_age)
    except OSError:
        return
    for name in names:
        spool = Spool.claim(root / name, options)
        if spool is not None:
            yield spool


def _age(name: str) -> tuple[int, str]:
    began = name.rpartition("-")[2]
    return (int(began) if began.isdigit() else 0, name)


def _line(record: Record) -> bytes:
    content = b"%s %s" % (record.key.encode("ascii"), record.body)
    return b"%08x %s\n" % (zlib.crc32(content), content)


def _parsed(line: bytes) -> Record | None:
    """The record of a line; None where the line is damaged or not at its end."""
    checksum, _, content = line[:-1].partition(b" ")
    key, _, body = content.partition(b" ")
    try:
        if line.endswith(b"\n") and int(checksum, 16) == zlib.crc32(content):
            return Record(key.decode("ascii"), body)
    except ValueError:
        pass
    return None


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _leave_to_parent() -> None:
    """A forked child must not hold its parent's locks: they would outlive the parent."""
    for spool in list(_open_spools):
        spool._guard = threading.Lock()  # another thread of the parent may have held it
        spool.close()


os.register_at_fork(after_in_child=_leave_to_parent)
