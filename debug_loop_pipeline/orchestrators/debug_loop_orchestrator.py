"""DebugLoopOrchestrator: the whole debug loop for one attempt, in process, by the very steps that the assets run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.steps import error_costs, error_success_mappings, golden_states, stf_registry
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


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """One step of one loop. `status` is done, failed or skipped; `error` says why."""

    step: str
    status: str
    milliseconds: float
    error: str | None = None


@dataclass(slots=True)
class LoopResult:
    """What the loop did for one attempt."""

    attempt_id: UUID
    outcomes: list[StepOutcome] = field(default_factory=list)
    milliseconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Every step was done."""
        return all(outcome.status == "done" for outcome in self.outcomes)

    @property
    def failed(self) -> list[StepOutcome]:
        """The steps that failed; the batch picks them up, since their progress is not recorded."""
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]


class DebugLoopOrchestrator:
    """Extract, hash, score, store, match, cost, error pattern, mapping, golden: in that order, for one attempt.

    A step that fails is reported and the rest goes on; what was not done stays pending for the assets, which do the same work.
    """

    def __init__(self, context: StepContext) -> None:
        self._context = context

    def process(self, event: ExecutionEvent) -> LoopResult:
        """Runs the loop for one attempt. Never raises for a failing step."""
        started = time.perf_counter()
        result = LoopResult(event.attempt_id)
        day = event.started_at.date()
        run = _Run(self._context, Span(day, day), event.attempt_id)
        for name, work in run.steps(event):
            _attempt(name, work, result)
        result.milliseconds = (time.perf_counter() - started) * 1000
        return result


class _Run:
    """One attempt's way through the steps; the keys that its facts touched go to the folds."""

    def __init__(self, context: StepContext, span: Span, attempt_id: UUID) -> None:
        self._context = context
        self._span = span
        self._attempt_id = attempt_id
        self._touched: dict[str, set[str]] = {}

    def steps(self, event: ExecutionEvent) -> list[tuple[str, Callable[[], Any]]]:
        """(name, work) in order."""
        context, span = self._context, self._span
        return [
            ("ingest", lambda: ingest_events(context, [event], "in-process")),
            ("attempt", lambda: self._facts(ExecutionAttemptsStep())),
            ("extract_and_hash", lambda: self._facts(ExtractedStfsStep())),
            ("score", lambda: self._facts(StfQualityStep())),
            ("store", lambda: stf_registry.run(context, span, only_keys=self._keys("stf_registry"))),
            ("match", lambda: self._facts(StfMatchesStep())),
            ("cost", lambda: self._facts(ExecutionCostsStep())),
            ("error_pattern", lambda: self._facts(ErrorPatternsStep())),
            (
                "mapping",
                lambda: error_success_mappings.run(context, span, only_keys=self._keys("error_success_mappings")),
            ),
            ("error_cost", lambda: error_costs.run(context, span, only_keys=self._keys("error_costs"))),
            ("golden", lambda: golden_states.run(context, span, only_keys=self._keys("golden_states"))),
        ]

    def _facts(self, step: FactStep) -> StepReport:
        report = run_fact_step(self._context, step, self._span, attempts=[self._attempt_id])
        for fold, keys in report.marked.items():
            self._touched.setdefault(fold, set()).update(keys)
        return report

    def _keys(self, fold: str) -> list[str]:
        return sorted(self._touched.get(fold, ()))


def _attempt(name: str, work: Callable[[], Any], result: LoopResult) -> None:
    ended = next((o for o in result.outcomes if o.status == "failed" and o.step in CRITICAL), None)
    if ended is not None:
        result.outcomes.append(StepOutcome(name, "skipped", 0.0, f"{ended.step} failed"))
        return
    started = time.perf_counter()
    try:
        work()
    except Exception as error:
        result.outcomes.append(StepOutcome(name, "failed", _since(started), f"{type(error).__name__}: {error}"))
    else:
        result.outcomes.append(StepOutcome(name, "done", _since(started)))


def _since(started: float) -> float:
    return (time.perf_counter() - started) * 1000
