"""DebugLoopOrchestrator: the whole debug loop for one attempt, in process, by the very steps that the assets run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from uuid import UUID

from debug_loop_pipeline.effects.postgres import JoinedDatabase
from debug_loop_pipeline.effects.step_store import PendingAttempt
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.orchestrators.outcomes import Outcomes, StepOutcome, milliseconds_since, reason, run_step
from debug_loop_pipeline.steps import (
    error_costs,
    error_success_mappings,
    golden_states,
    recommendation_outcomes,
    stf_registry,
    stuck_loops,
)
from debug_loop_pipeline.steps.error_patterns import ErrorPatternsStep
from debug_loop_pipeline.steps.execution_attempts import ExecutionAttemptsStep
from debug_loop_pipeline.steps.execution_costs import ExecutionCostsStep
from debug_loop_pipeline.steps.extracted_stfs import ExtractedStfsStep
from debug_loop_pipeline.steps.framework import FactStep, Span, StepContext, StepReport, run_fact_step
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.stf_matches import StfMatchesStep
from debug_loop_pipeline.steps.stf_quality import StfQualityStep

CRITICAL = frozenset({"ingest", "attempt", "extract_and_hash"})
"""Steps without which nothing after them has a key to stand on; when one fails the loop ends there."""

_WAIT_S = 1.0
"""Longest wait for a fold or a row that a run holds at the moment: it is left to the next run then."""

_FACT_STEPS = tuple(
    step.name
    for step in (
        ExecutionAttemptsStep,
        ExtractedStfsStep,
        StfQualityStep,
        StfMatchesStep,
        ExecutionCostsStep,
        ErrorPatternsStep,
    )
)
_INDEX_AGE_S = 2.0
"""As old as the matcher's index may be in `serve` too. An attempt is matched with what was complete when it began."""


class RefusedError(DebugLoopError):
    """The inbox does not take an event: it is kept among the rejects, with the reason, or was forgotten and stays away."""


@dataclass(slots=True)
class LoopResult(Outcomes):
    """What the loop did for one attempt."""

    attempt_id: UUID
    milliseconds: float = 0.0


class DebugLoopOrchestrator:
    """Extract, hash, score, store, match, cost, error pattern, mapping, golden: in that order, for one attempt.

    A step that fails is reported and the rest goes on; what was not done stays pending for the assets, which do the same work.

    The attempt is taken in first, in a transaction of its own that waits for the disk. All other steps share a second one, each
    behind a savepoint: rows are read once, progress and marks written once, and one commit ends it. That one need not wait for the
    disk, since what a crash of the server takes back is pending as before. Stuck loops and reuse are folded too where the attempt
    touches any; `recommendation_effect`, which is of whole days, is left to the next run.
    """

    def __init__(self, context: StepContext) -> None:
        self._context = context

    def process(self, event: ExecutionEvent) -> LoopResult:
        """Runs the loop for one attempt. Never raises for a failing step."""
        started = time.perf_counter()
        result = LoopResult(event.attempt_id)
        run_step(
            "ingest",
            lambda: self._take_in(event),
            result.outcomes,
            needed=CRITICAL,
        )
        try:
            if result.complete:
                self._learn(event, result)
        except Exception as error:  # the transaction is lost, and with it what its steps did
            result.outcomes[1:] = [StepOutcome(name, "failed", 0.0, f"not kept: {reason(error)}") for name, _ in STEPS]
        for name, _ in STEPS[len(result.outcomes) - 1 :]:
            result.outcomes.append(StepOutcome(name, "skipped", 0.0, "ingest failed"))
        result.milliseconds = milliseconds_since(started)
        return result

    def _take_in(self, event: ExecutionEvent) -> None:
        """Writes the attempt into the inbox.

        Raises:
            RefusedError: it is among the rejects instead, or was forgotten before.
        """
        report = ingest_events(self._context, [event], "in-process")
        for refused in report.rejects:
            raise RefusedError(refused.reason)
        if report.forgotten:
            raise RefusedError(
                "this session, repository, peer or attempt was forgotten; `debug-loop forget --undo` lets it in"
            )

    def _learn(self, event: ExecutionEvent, result: LoopResult) -> None:
        """All steps but the first, in one transaction."""
        database = self._context.database
        with database.transaction("debug_loop", lock_timeout_ms=int(_WAIT_S * 1000), durable=False) as connection:
            loop = _Loop(self._context, JoinedDatabase(database, connection), event)
            for name, work in STEPS:
                run_step(name, partial(work, loop), result.outcomes, needed=CRITICAL, within=loop.alone)
            loop.context.store.write_notes(connection)


class _Fold(Protocol):
    """A module of `steps` that recomputes keys."""

    FOLD: str

    def run(
        self, context: StepContext, span: Span, *, full_refresh: bool = ..., only_keys: Sequence[str] | None = ...
    ) -> StepReport: ...


class _Loop:
    """One attempt's way through the steps in one transaction."""

    def __init__(self, context: StepContext, database: JoinedDatabase, event: ExecutionEvent) -> None:
        self._database = database
        self._attempt_id = event.attempt_id
        day = event.started_at.date()
        self._span = Span(day, day)
        self._pending: dict[str, PendingAttempt] | None = None
        self.context = context.joined(database)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Undoes what the body did where it ends in an error, and nothing before it."""
        with self.context.store.notes_kept_if_done(), self._database.savepoint():
            yield

    def facts(self, step: FactStep) -> None:
        """The attempt's facts of one step."""
        if self._pending is None:
            self._pending = self.context.store.holding(self._attempt_id, _FACT_STEPS)
            for day in {held.day for held in self._pending.values()}:
                self._span = Span(day, day)  # another revision may hold than the one that was told
        pending = [held for name, held in self._pending.items() if name == step.name]
        run_fact_step(self.context, step, self._span, pending=pending)

    def fold(self, fold: _Fold) -> None:
        """The keys of a fold that the steps before have touched."""
        fold.run(self.context, self._span, only_keys=self.context.store.noted(fold.FOLD))


STEPS: tuple[tuple[str, Callable[[_Loop], None]], ...] = (
    ("attempt", lambda loop: loop.facts(ExecutionAttemptsStep())),
    ("extract_and_hash", lambda loop: loop.facts(ExtractedStfsStep())),
    ("score", lambda loop: loop.facts(StfQualityStep())),
    ("store", lambda loop: loop.fold(stf_registry)),
    ("match", lambda loop: loop.facts(StfMatchesStep(index_age_s=_INDEX_AGE_S))),
    ("cost", lambda loop: loop.facts(ExecutionCostsStep())),
    ("error_pattern", lambda loop: loop.facts(ErrorPatternsStep())),
    ("mapping", lambda loop: loop.fold(error_success_mappings)),
    ("error_cost", lambda loop: loop.fold(error_costs)),
    ("stuck", lambda loop: loop.fold(stuck_loops)),
    ("reuse", lambda loop: loop.fold(recommendation_outcomes)),
    ("golden", lambda loop: loop.fold(golden_states)),
)
"""After `ingest`, in order."""
