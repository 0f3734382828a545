"""How every step runs: pending work in, chunks that commit with their progress, a report out.

Here: the driver of fact steps and of folds, the same for the daily assets and for one attempt in process. Not here: what a step
derives (one module per step beside this one).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.compute.recompute_diff import RecomputeDiff
from debug_loop_pipeline.effects.execution_store import ExecutionStore, parts
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.forgotten_store import still_held
from debug_loop_pipeline.effects.model_price_catalog import PriceBooks
from debug_loop_pipeline.effects.postgres import Database, JoinedDatabase
from debug_loop_pipeline.effects.step_store import FoldMarks, Notes, PendingAttempt, RowChanges, StepStore, Table
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.failures import Pieces
from debug_loop_pipeline.steps.setting_versions import version_under

if TYPE_CHECKING:
    from debug_loop_pipeline.effects.match_epoch_store import MatchEpochStore

CHUNK = 500
"""Attempts per transaction, where their events are not too large (`parts`): enough for COPY, few enough to lose little when killed."""

KEY_CHUNK = 2_000
"""Fold keys per transaction. A fold that reads events reads those of its keys in parts."""

Log = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span:
    """A contiguous range of daily partitions, both ends included."""

    first: date
    last: date

    def days(self) -> list[date]:
        """Its days in order."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


MAX_STEP = 14
"""Dirty days at most this far apart share a run: a clean day in between costs less than a run."""


def contiguous_spans(days: Iterable[date], max_days: int = 366, max_step: int = 1) -> list[Span]:
    """The maximal ranges of some days, oldest first, none longer than `max_days`.

    Days at most `max_step` apart share a range: 1 gives contiguous ones, more takes clean days along where that spares a run.
    """
    spans: list[Span] = []
    for day in sorted(set(days)):
        newest = spans[-1] if spans else None
        if (
            newest is not None
            and day - newest.last <= timedelta(days=max_step)
            and (day - newest.first).days < max_days
        ):
            spans[-1] = Span(newest.first, day)
        else:
            spans.append(Span(day, day))
    return spans


def _epochs(database: Database, settings: Settings) -> MatchEpochStore:
    # Loaded here: it brings SciPy, a third of what a command takes to start, and most commands match nothing.
    from debug_loop_pipeline.effects.match_epoch_store import MatchEpochStore

    return MatchEpochStore(database, settings)


@dataclass(slots=True)
class StepContext:
    """What steps work with."""

    database: Database
    settings: Settings
    executions: ExecutionStore = field(init=False)
    store: StepStore = field(init=False)
    prices: PriceBooks = field(init=False)
    epochs: Callable[[], MatchEpochStore] = field(init=False)
    """The matcher's index, opened when it is asked for first."""
    log: Log = lambda _message: None

    def __post_init__(self) -> None:
        self.executions = ExecutionStore(self.database, self.settings.peer_id)
        self.store = StepStore(self.database)
        self.prices = PriceBooks(self.database)
        self.epochs = cache(partial(_epochs, self.database, self.settings))

    def observed(self, diff: RecomputeDiff) -> StepContext:
        """The same, with every replacement told to `diff`."""
        observed = copy.copy(self)
        observed.store = self.store.observed(diff)
        return observed

    def joined(self, database: JoinedDatabase) -> StepContext:
        """The same inside one transaction: all steps write into it, and its store notes progress and marks until `write_notes`.

        What is kept between transactions (prices, the matcher's index) is shared, and read outside of it.
        """
        joined = copy.copy(self)
        joined.database = database
        joined.executions = ExecutionStore(database, self.settings.peer_id)
        joined.store = StepStore(database, notes=Notes(), lock_wait_s=None)
        return joined


@dataclass(slots=True)
class Derived:
    """What a fact step makes of one chunk."""

    facts: dict[Table, list[tuple[Any, ...]]]
    problems: dict[UUID, str] = field(default_factory=dict)
    """What could not be worked on, per attempt, for people."""
    marks: dict[str, list[tuple[str, date]]] = field(default_factory=dict)
    """Fold -> (key, day) to recompute because of this chunk."""
    settle: Callable[[Connection], None] | None = None
    """What has to happen after the facts are written, in the same transaction."""


class FactStep(Protocol):
    """A step whose output belongs to one attempt each."""

    name: str
    code_version: str
    """Own version and those of what it builds on, so that a change upstream recomputes it too. Settings that are not the defaults
    come on top (`setting_versions`)."""
    upstream: tuple[str, str] | None

    def derive(self, context: StepContext, chunk: Sequence[PendingAttempt], connection: Connection) -> Derived:
        """Facts of a chunk. Reads inside `connection`, writes nothing."""
        ...


@dataclass(slots=True)
class StepReport:
    """What one run of a step did."""

    step: str
    code_version: str
    attempts: int = 0
    keys: int = 0
    rows: dict[str, RowChanges] = field(default_factory=dict)
    problems: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Attempts, or keys of a fold, that our own code failed at -> why. They stay as they were and stay pending."""
    seconds: float = 0.0
    recompute: dict[str, Any] | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def add_rows(self, changes: Mapping[str, RowChanges]) -> None:
        """Adds a chunk's row counts."""
        for table, change in changes.items():
            self.rows.setdefault(table, RowChanges()).add(change)


def run_fact_step(
    context: StepContext,
    step: FactStep,
    span: Span,
    *,
    full_refresh: bool = False,
    pending: Sequence[PendingAttempt] | None = None,
) -> StepReport:
    """Runs a fact step over what is pending in a range of days (or over `pending`, where that is known).

    Each chunk commits with its progress, so a run that is killed and started again does only what is left. An attempt that our own code
    fails at costs itself only, unless `pending` was asked for.
    """
    started = time.perf_counter()
    version = version_under(context.settings, step.name, step.code_version)
    report = StepReport(step.name, version)
    diff = RecomputeDiff()

    def work(chunk: Sequence[PendingAttempt]) -> None:
        moved = RecomputeDiff()
        with context.database.transaction() as connection:
            derived = step.derive(context, chunk, connection)
            held = still_held(connection, [attempt.attempt_id for attempt in chunk])
            if len(held) < len(chunk):  # the others were forgotten meanwhile; nothing is from here on
                chunk = [attempt for attempt in chunk if attempt.attempt_id in held]
                if not chunk:
                    return
                derived = step.derive(context, chunk, connection)
            outdated = {p.previous_version for p in chunk if p.previous_version is not None} - {version}
            moved.versions |= outdated
            writer = context.store.observed(moved) if outdated else context.store
            rows = writer.replace_facts(connection, derived.facts, chunk)
            if derived.settle is not None:
                derived.settle(connection)
            for fold, keys in derived.marks.items():
                context.store.mark(connection, fold, keys)
            context.store.record_progress(connection, step.name, version, chunk, derived.problems)
        diff.add(moved)
        report.add_rows(rows)
        report.attempts += len(chunk)
        report.problems += len(derived.problems)

    if pending is not None:
        for chunk in chunks(pending, CHUNK):
            work(chunk)
    else:
        pending = context.store.pending(
            step.name,
            span.first,
            span.last,
            version,
            upstream=None
            if step.upstream is None
            else (step.upstream[0], version_under(context.settings, *step.upstream)),
            full_refresh=full_refresh,
        )
        pieces = Pieces[PendingAttempt]()
        for chunk in parts(pending, CHUNK, lambda attempt: attempt.bytes):
            context.store.record_failed(step.name, version, pieces.do(work, chunk))
            context.log(f"{step.name}: {report.attempts} of {len(pending)} attempts")
        pieces.end()
        _tell_failed(context, report, [(str(attempt.attempt_id), why) for attempt, why in pieces.failed])
    _keep(context, report, diff, span)
    report.seconds = time.perf_counter() - started
    return report


def _tell_failed(context: StepContext, report: StepReport, failed: Iterable[tuple[str, str]]) -> None:
    for subject, why in failed:
        report.failed[subject] = why
        report.problems += 1
        context.log(f"{report.step}: {subject} is left undone, please report it: {why}")


def _keep(context: StepContext, report: StepReport, diff: RecomputeDiff, span: Span) -> None:
    """Keeps what moved because the code changed, where it did."""
    if diff.versions:
        report.recompute = diff.report()
    for version in sorted(diff.versions):
        context.store.add_recompute_report(
            report.step, version, report.code_version, span.first, span.last, diff.report()
        )


FoldKeys = Callable[[StepContext, Connection, list[str], Span], dict[str, RowChanges]]
"""Recomputes some keys from all their facts and writes them; says which rows moved."""


KeysOfDays = Callable[[StepContext, list[date]], list[str]]
"""The keys of a fold that have facts on some days."""


def keys_by(query: str) -> KeysOfDays:
    """Keys by a query that yields `key` for the days `:days`."""

    def keys(context: StepContext, days: list[date]) -> list[str]:
        return [row["key"] for row in fetch_rows(context.database, query, {"days": days})]

    return keys


def run_fold(
    context: StepContext,
    fold: str,
    code_version: str,
    span: Span,
    refold: FoldKeys,
    keys_of_days: KeysOfDays,
    *,
    full_refresh: bool = False,
    only_keys: Sequence[str] | None = None,
) -> StepReport:
    """Recomputes the keys of a fold that were marked under a range of days, in key order, one writer at a time.

    On top come all keys of the days that it was last run over with another code version, with a diff of what moves (DOMAIN 3.13), and
    of all days in a full refresh. `only_keys` recomputes those, and leaves all else and what others marked to another run. Marks go with the chunk
    that recomputes their keys: a run that is killed leaves the others, and the days' versions. A key that our own code fails at costs itself
    only, and stays marked, unless `only_keys` was asked for.
    """
    started = time.perf_counter()
    code_version = version_under(context.settings, fold, code_version)
    report = StepReport(fold, code_version)
    diff = RecomputeDiff()
    if only_keys is not None and not only_keys:
        return report
    marks = context.store.marks(fold, span.first, span.last) if only_keys is None else FoldMarks.of(only_keys)
    keys = set(marks)
    days: list[date] = []
    if only_keys is None:
        done = context.store.folded_days(fold, span.first, span.last)
        days = [day for day in span.days() if done.get(day) != code_version]
        diff.versions = {done[day] for day in days if day in done}
        again = span.days() if full_refresh else [day for day in days if day in done]
        keys.update(keys_of_days(context, again) if again else ())

    def work(chunk: Sequence[str]) -> None:
        moved = RecomputeDiff()
        with context.database.transaction() as connection:
            context.store.lock_fold(connection, fold)
            worker = context.observed(moved) if diff.versions else context
            rows = refold(worker, connection, list(chunk), span)
            context.store.clear_marks(connection, fold, chunk, marks.ids(chunk))
        diff.add(moved)
        report.add_rows(rows)
        report.keys += len(chunk)

    pieces = Pieces[str]()
    for chunk in chunks(sorted(keys), KEY_CHUNK):
        if only_keys is not None:
            work(chunk)
            continue
        failed = [(key, marks.ids([key]), why) for key, why in pieces.do(work, chunk)]
        context.store.record_failed_keys(fold, span.first, failed)
        context.log(f"{fold}: {report.keys} of {len(keys)} keys")
    pieces.end()
    _tell_failed(context, report, pieces.failed)
    if days:
        with context.database.transaction() as connection:
            context.store.record_folded_days(connection, fold, days, code_version)
    _keep(context, report, diff, span)
    report.seconds = time.perf_counter() - started
    return report


def chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """Consecutive slices of at most `size`."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
