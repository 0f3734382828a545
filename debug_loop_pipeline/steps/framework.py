"""How every step runs: pending work in, chunks that commit with their progress, a report out.

Here: the driver of fact steps and of folds, the same for the daily assets and for one attempt in process. Not here: what a step
derives (one module per step beside this one).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.compute.recompute_diff import RecomputeDiff
from debug_loop_pipeline.effects.execution_store import ExecutionStore
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.model_price_catalog import PriceBooks
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.step_store import FoldMarks, PendingAttempt, RowChanges, StepStore, Table
from debug_loop_pipeline.settings import Settings

CHUNK = 500
"""Attempts per transaction: large enough for COPY, small enough to lose little when killed."""

KEY_CHUNK = 2_000
"""Fold keys per transaction."""

Log = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span:
    """A contiguous range of daily partitions, both ends included."""

    first: date
    last: date


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


@dataclass(slots=True)
class StepContext:
    """What steps work with."""

    database: Database
    settings: Settings
    executions: ExecutionStore = field(init=False)
    store: StepStore = field(init=False)
    prices: PriceBooks = field(init=False)
    log: Log = lambda _message: None

    def __post_init__(self) -> None:
        self.executions = ExecutionStore(self.database)
        self.store = StepStore(self.database)
        self.prices = PriceBooks(self.database)


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
    """Own version and those of what it builds on, so that a change upstream recomputes it too."""
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
    seconds: float = 0.0
    marked: dict[str, set[str]] = field(default_factory=dict)
    """Fold -> keys that this run asks to recompute."""
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
    attempts: Sequence[UUID] | None = None,
) -> StepReport:
    """Runs a fact step over what is pending in a range of days (or over some of those attempts only).

    Each chunk commits with its progress, so a run that is killed and started again does only what is left.
    """
    started = time.perf_counter()
    report = StepReport(step.name, step.code_version)
    diff = RecomputeDiff()
    pending = context.store.pending(
        step.name,
        span.first,
        span.last,
        step.code_version,
        upstream=step.upstream,
        full_refresh=full_refresh,
        attempts=attempts,
    )
    for chunk in chunks(pending, CHUNK):
        with context.database.transaction() as connection:
            derived = step.derive(context, chunk, connection)
            versions = {p.attempt_id: p.previous_version for p in chunk}
            if any(v is not None and v != step.code_version for v in versions.values()):
                for table, rows in derived.facts.items():
                    before = _rows_of(connection, context, table, [p.attempt_id for p in chunk])
                    diff.compare(table.name, table.columns, table.key, before, rows)
                diff.versions.update(v for v in versions.values() if v is not None and v != step.code_version)
            report.add_rows(context.store.replace_facts(connection, derived.facts, chunk))
            if derived.settle is not None:
                derived.settle(connection)
            for fold, keys in derived.marks.items():
                context.store.mark(connection, fold, keys)
                report.marked.setdefault(fold, set()).update(key for key, _ in keys)
            context.store.record_progress(connection, step.name, step.code_version, chunk, derived.problems)
        report.attempts += len(chunk)
        report.problems += len(derived.problems)
        context.log(f"{step.name}: {report.attempts} of {len(pending)} attempts")
    if diff.versions:
        report.recompute = diff.report()
        for version in sorted(diff.versions):
            context.store.add_recompute_report(
                step.name, version, step.code_version, span.first, span.last, report.recompute
            )
    report.seconds = time.perf_counter() - started
    return report


def _rows_of(connection: Connection, context: StepContext, table: Table, scope: Sequence[Any]) -> list[dict[str, Any]]:
    query = f"select {', '.join(table.columns)} from {table.name} where {table.scope} = any(:scope)"
    return fetch_rows(context.database, query, {"scope": list(scope)}, connection)


FoldKeys = Callable[[StepContext, Connection, list[str], Span], dict[str, RowChanges]]
"""Recomputes some keys from all their facts and writes them; says which rows moved."""


def run_fold(
    context: StepContext,
    fold: str,
    code_version: str,
    span: Span,
    refold: FoldKeys,
    *,
    all_keys: Iterable[str] | None = None,
    only_keys: Sequence[str] | None = None,
) -> StepReport:
    """Recomputes the keys of a fold that were marked under a range of days, in key order, one writer at a time.

    `all_keys` (a full refresh) come on top of the marked ones; `only_keys` leaves other marked keys for another run. Marks go when all
    of their keys are recomputed: a run that is killed before leaves them.
    """
    started = time.perf_counter()
    report = StepReport(fold, code_version)
    marks = context.store.marks(fold, span.first, span.last, only_keys)
    keys = marks.keys if all_keys is None else sorted(set(all_keys) | set(marks.keys))
    for chunk in chunks(keys, KEY_CHUNK):
        with context.database.transaction() as connection:
            context.store.lock_fold(connection, fold)
            report.add_rows(refold(context, connection, chunk, span))
        report.keys += len(chunk)
        context.log(f"{fold}: {report.keys} of {len(keys)} keys")
    _clear(context, marks)
    report.seconds = time.perf_counter() - started
    return report


def _clear(context: StepContext, marks: FoldMarks) -> None:
    with context.database.transaction() as connection:
        context.store.clear_marks(connection, marks.mark_ids)


def chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """Consecutive slices of at most `size`."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
