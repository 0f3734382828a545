"""All steps of Part 1 over a range of days, in order, without Dagster: for commands that need the result at once, and for tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import uuid4

from debug_loop_pipeline.steps import (
    error_costs,
    error_success_mappings,
    golden_states,
    recommendation_effect,
    stf_registry,
    stuck_loops,
)
from debug_loop_pipeline.steps.error_patterns import ErrorPatternsStep
from debug_loop_pipeline.steps.execution_attempts import ExecutionAttemptsStep
from debug_loop_pipeline.steps.execution_costs import ExecutionCostsStep
from debug_loop_pipeline.steps.extracted_stfs import ExtractedStfsStep
from debug_loop_pipeline.steps.framework import FactStep, Span, StepContext, StepReport, run_fact_step
from debug_loop_pipeline.steps.stf_matches import StfMatchesStep
from debug_loop_pipeline.steps.stf_quality import StfQualityStep


def steps_over(
    context: StepContext, span: Span, *, full_refresh: bool = False, new_epoch: bool = False
) -> list[Callable[[], StepReport]]:
    """Every step over a range of days, in the order of the asset graph, each still to be called."""

    def facts(step: FactStep) -> Callable[[], StepReport]:
        return partial(run_fact_step, context, step, span, full_refresh=full_refresh)

    def fold(run: Callable[..., StepReport]) -> Callable[[], StepReport]:
        return partial(run, context, span, full_refresh=full_refresh)

    return [
        facts(ExecutionAttemptsStep()),
        facts(ErrorPatternsStep()),
        facts(ExecutionCostsStep()),
        facts(ExtractedStfsStep()),
        facts(StfQualityStep()),
        fold(stf_registry.run),
        fold(recommendation_effect.run),
        facts(StfMatchesStep(new_epoch=new_epoch)),
        fold(error_success_mappings.run),
        fold(error_costs.run),
        fold(stuck_loops.run),
        fold(golden_states.run),
    ]


def run_all(
    context: StepContext, span: Span, *, full_refresh: bool = False, new_epoch: bool = False
) -> list[StepReport]:
    """Runs every step over a range of days."""
    return [step() for step in steps_over(context, span, full_refresh=full_refresh, new_epoch=new_epoch)]


def run_dirty_days(context: StepContext) -> list[StepReport]:
    """Runs every step over the span of all dirty days and takes their marks away."""
    days = context.executions.dirty_days()
    if not days:
        return []
    span, run_id = Span(days[0], days[-1]), f"in-process:{uuid4()}"
    context.executions.claim_dirty(span.first, span.last, run_id)
    reports = run_all(context, span)
    context.executions.clear_dirty(span.first, span.last, run_id)
    return reports
