"""Which epoch of the matcher's index is current, and the index with what changed since (DOMAIN 3.6).

Belongs here: when an epoch begins, where its files are, and the tail. Not here: reading the registry
(match_registry.py), the files themselves (match_epoch_files.py) and matching (compute/stf_matcher.py).

An epoch holds every approved function, suppressed ones too: a suppression withdraws them from the index at once, and
taking it back returns them, without a new epoch.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import Connection, text

from debug_loop_pipeline.compute.stf_matcher import MatchIndex, match_stfs
from debug_loop_pipeline.effects import match_registry as registry
from debug_loop_pipeline.effects.embedding_model import embedder_of
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.match_epoch_files import (
    EpochFilesError,
    VectorsMissingError,
    changes_since,
    load_epoch,
    remove_epoch,
    remove_epochs,
    save_epoch,
)
from debug_loop_pipeline.effects.postgres import Database, advisory_lock, try_advisory_lock
from debug_loop_pipeline.models.matching import Match, MatchOptions, MatchQuery
from debug_loop_pipeline.settings import Settings

__all__ = ["CurrentIndex", "MatchEpochStore", "current_epoch", "epochs_folder"]

_LOCK = "match_epoch"
_LONGEST_BEGIN_S = 1_800.0
_KEPT_EPOCHS = 2
"""Other processes may still be opening the one before."""
_CHANGED_SHARE = 0.01
"""Share of an epoch that has to change before another is worth its fitting: the IDF of fewer is the same for all that matters."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CurrentIndex:
    """The index as the registry was a moment ago."""

    epoch: int
    index: MatchIndex
    registry: registry.RegistryVersion
    """Equal versions of one epoch give equal matches."""
    departed: int
    """Functions of the epoch that are not approved any more, or not there."""

    def match(self, query: MatchQuery, options: MatchOptions) -> tuple[Match, ...]:
        """The best functions for a problem, best first."""
        return match_stfs(query, self.index, options)


@dataclass(frozen=True, slots=True)
class _Epoch:
    """A row of `match_epochs`."""

    number: int
    built_at: datetime


@dataclass(frozen=True, slots=True)
class _Opened:
    """An epoch in memory."""

    epoch: _Epoch
    index: MatchIndex
    since: datetime
    """Rows changed from here on may differ from the epoch's."""


def epochs_folder(settings: Settings) -> Path:
    """Where the epochs' files are. They hold words of requests: whoever forgets those removes them (`remove_epochs`)."""
    return settings.data_dir / "match_epochs"


def current_epoch(database: Database, settings: Settings, *, force_new: bool = False) -> tuple[int, MatchIndex]:
    """(epoch number, index with its tail), for those who ask once; a process that asks again keeps a `MatchEpochStore`."""
    current = MatchEpochStore(database, settings).current(force_new=force_new)
    return current.epoch, current.index


class MatchEpochStore:
    """The current index, kept while the registry stays as it is. Thread-safe.

    Raises:
        EmbeddingMissingError: the settings ask for `hybrid`, and the extra `embedding` is not installed.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._embedder = embedder_of(settings)
        self._folder = epochs_folder(settings)
        self._epoch_life = timedelta(seconds=settings.matching.epoch_seconds)
        self._lock = threading.Lock()
        self._opened: _Opened | None = None
        self._current: CurrentIndex | None = None
        self._followed_at = -math.inf

    def current(self, *, force_new: bool = False, max_age_s: float = 0.0) -> CurrentIndex:
        """The index with its tail.

        A new epoch begins where there is none, where `force_new` asks for it, where the last one has no vectors and `hybrid`
        is to match, and where the last one is older than `matching.epoch_seconds` and functions went or enough of them changed.

        Args:
            force_new: begin an epoch.
            max_age_s: the index as it was within that time will do; the registry is not looked at then.

        Raises:
            EffectUnavailableError: PostgreSQL cannot be reached.
        """
        with self._lock:
            if self._current is not None and not force_new and time.monotonic() - self._followed_at <= max_age_s:
                return self._current
            latest = self._latest()
            if latest is None or force_new:
                return self._follow(self._open(self._begin_now(latest, force_new)))
            due = datetime.now(UTC) - latest.built_at >= self._epoch_life
            try:
                current = self._follow(self._open(latest))
            except VectorsMissingError:
                return self._follow(self._open(self._begin_now(latest, True)))
            if due and _is_outgrown(current):
                with self._database.transaction(_LOCK) as connection:
                    # Where another process is at it, the index at hand is good until that is done.
                    if not try_advisory_lock(connection, _LOCK):
                        return current
                    latest = self._begin(connection, latest, False)
                current = self._follow(self._open(latest))
            return current

    def _latest(self) -> _Epoch | None:
        rows = fetch_rows(self._database, _LATEST)
        return _Epoch(rows[0]["epoch"], rows[0]["built_at"]) if rows else None

    def _begin_now(self, seen: _Epoch | None, force_new: bool) -> _Epoch:
        with self._database.transaction(_LOCK) as connection:
            advisory_lock(connection, _LOCK, _LONGEST_BEGIN_S)
            return self._begin(connection, seen, force_new)

    def _begin(self, connection: Connection, seen: _Epoch | None, force_new: bool) -> _Epoch:
        """A new epoch, or the one that another process began since `seen`; under the lock. It is not opened here: that may
        have to take the lock itself.
        """
        rows = fetch_rows(self._database, _LATEST, connection=connection)
        latest = _Epoch(rows[0]["epoch"], rows[0]["built_at"]) if rows else None
        if latest is not None and latest != seen and not force_new:
            return latest
        index, since = registry.read_epoch(connection, self._embedder)
        row = connection.execute(text(_INSERT), {"digest": index.epoch_id, "functions": index.epoch.documents}).one()
        self._opened = self._save(_Opened(_Epoch(row.epoch, row.built_at), index, since))
        return self._opened.epoch

    def _open(self, epoch: _Epoch) -> _Opened:
        """The epoch from its files; made again from the registry where they are missing or damaged."""
        if self._opened is None or self._opened.epoch != epoch:
            directory = self._directory(epoch)
            try:
                self._opened = _Opened(epoch, load_epoch(directory, self._embedder), changes_since(directory))
            except VectorsMissingError:
                raise
            except EpochFilesError:
                self._opened = self._rebuild(epoch)
        return self._opened

    def _rebuild(self, epoch: _Epoch) -> _Opened:
        with self._database.transaction(_LOCK) as connection:
            advisory_lock(connection, _LOCK, _LONGEST_BEGIN_S)
            directory = self._directory(epoch)
            try:  # another process may have been quicker
                return _Opened(epoch, load_epoch(directory, self._embedder), changes_since(directory))
            except EpochFilesError as error:
                _log.info("match epoch is built again", epoch=epoch.number, reason=str(error))
            # As near to what it was as the registry can tell: rows changed since go into the tail, as before.
            index, since = registry.read_epoch(connection, self._embedder, not_after=epoch.built_at)
            return self._save(_Opened(epoch, index, min(since, epoch.built_at)))

    def _save(self, opened: _Opened) -> _Opened:
        directory = self._directory(opened.epoch)
        try:
            remove_epoch(directory)  # what is there could not be read
            save_epoch(opened.index, directory, changes_since=opened.since)
            remove_epochs(self._folder, keep=_KEPT_EPOCHS)
        except OSError as error:
            # The index is good; the next process has to build its own.
            _log.warning("match epoch could not be written", directory=str(directory), error=str(error))
            return opened
        return _Opened(opened.epoch, load_epoch(directory, self._embedder), opened.since)

    def _directory(self, epoch: _Epoch) -> Path:
        # With the time: another database under the same folder numbers its epochs from 1 as well. Sorts by it.
        return self._folder / f"{epoch.built_at:%Y%m%dT%H%M%S%fZ}-{epoch.number}"

    def _follow(self, opened: _Opened) -> CurrentIndex:
        """The epoch with the tail of what changed since."""
        number, held = opened.epoch.number, self._current
        with self._database.transaction("match_tail") as connection:
            # One state of the registry for all of these reads.
            connection.execute(text("set transaction isolation level repeatable read, read only"))
            version = registry.read_version(connection, opened.since)
            self._followed_at = time.monotonic()
            if held is not None and held.epoch == number and held.registry == version:
                return held
            changes = registry.read_changes(connection, opened.index.columns.ids, opened.since, version)
        index = opened.index.followed_by(changes.changed, changes.withdrawn)
        self._current = CurrentIndex(number, index, version, changes.departed)
        return self._current


def _is_outgrown(current: CurrentIndex) -> bool:
    added = current.index.tail_rows
    return current.departed > 0 or (added > 0 and added >= _CHANGED_SHARE * current.index.epoch.documents)


_LATEST = "select epoch, built_at from match_epochs order by epoch desc limit 1"

_INSERT = (
    "insert into match_epochs (registry_digest, functions, built_at) values (:digest, :functions, clock_timestamp())"
    " returning epoch, built_at"
)
