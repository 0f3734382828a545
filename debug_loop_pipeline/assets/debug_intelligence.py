"""The assets of Part 1: from execution events to functions, errors, fixes, golden states and costs."""

from typing import Any

import dagster as dg

from debug_loop_pipeline.assets.daily import KINDS, OWNERS, RefreshConfig, daily_asset, materialized
from debug_loop_pipeline.assets.insight import DayInsight
from debug_loop_pipeline.assets.tables import table_metadata
from debug_loop_pipeline.partitions import span_of
from debug_loop_pipeline.resources.servers import PostgresResource
from debug_loop_pipeline.steps import (
    error_costs as error_costs_step,
)
from debug_loop_pipeline.steps import (
    error_success_mappings as mappings_step,
)
from debug_loop_pipeline.steps import (
    golden_states as golden_step,
)
from debug_loop_pipeline.steps import (
    recommendation_effect as effect_step,
)
from debug_loop_pipeline.steps import (
    stf_registry as registry_step,
)
from debug_loop_pipeline.steps import (
    stuck_loops as stuck_step,
)
from debug_loop_pipeline.steps import versions
from debug_loop_pipeline.steps.error_patterns import ErrorPatternsStep
from debug_loop_pipeline.steps.execution_attempts import ExecutionAttemptsStep
from debug_loop_pipeline.steps.execution_costs import ExecutionCostsStep
from debug_loop_pipeline.steps.extracted_stfs import ExtractedStfsStep
from debug_loop_pipeline.steps.framework import FactStep, StepReport, run_fact_step
from debug_loop_pipeline.steps.stf_matches import StfMatchesStep
from debug_loop_pipeline.steps.stf_quality import StfQualityStep

GROUP = "debug_intelligence"
REFRESHABLE = (
    "execution_attempts",
    "error_patterns",
    "execution_costs",
    "extracted_stfs",
    "stf_quality",
    "stf_registry",
    "recommendation_effect",
    "stf_matches",
    "error_success_mappings",
    "error_costs",
    "stuck_loops",
    "golden_states",
)
"""Assets that take `RefreshConfig`."""
CLOSING = "settled_days"
"""The asset that takes the dirty marks away."""
PLOTS = "debug_loop/plots"
"""Tag of a run; "no" where nobody is to wait for plots."""
_RESUMED = ("dagster/is_resume_retry", "dagster/is_asset_resume_retry")
"""Tags of a run that starts where another failed, so that what went well before is not run again."""


def _facts(
    context: dg.AssetExecutionContext, postgres: PostgresResource, step: FactStep, config: RefreshConfig
) -> StepReport:
    return run_fact_step(postgres.steps(context), step, span_of(context), full_refresh=config.full_refresh)


def _insight(context: dg.AssetExecutionContext, postgres: PostgresResource) -> DayInsight:
    return DayInsight(postgres.database(), span_of(context), plots=context.run.tags.get(PLOTS) != "no")


def _claimants(run: dg.DagsterRun) -> set[str]:
    """Whose claims on dirty marks a run may settle: its own, and those of the failed runs that it carries on."""
    resumes = any(run.tags.get(tag) == "true" for tag in _RESUMED)
    carried_on = {run.parent_run_id, run.root_run_id} if resumes else set()
    return {run.run_id} | {run_id for run_id in carried_on if run_id is not None}


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds=KINDS,
    code_version="1",
    description="Dated model prices, seeded from the data that the genai-prices package bundles; prices added by hand stay.",
    metadata=table_metadata("model_price_catalog"),
    pool="debug_loop_model_prices",
)
def model_price_catalog(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult[Any]:
    """Brings the catalog to the installed price list; a price in force is closed, never overwritten."""
    from debug_loop_pipeline.steps import model_prices  # the list itself is 0.2 s of every other process's start

    seeded = model_prices.seed(postgres.database())
    # Attempts may have come before the prices; without this they would stay unpriced for ever.
    again = model_prices.cost_again(postgres.steps(context), seeded.changes)
    return dg.MaterializeResult(
        metadata={
            "rows_inserted": seeded.inserted,
            "rows_updated": seeded.updated,
            "attempts_to_cost_again": again,
            "dagster/row_count": seeded.total,
        }
    )


@daily_asset(
    table="debug_execution_attempts",
    code_version=versions.EXECUTION_ATTEMPTS,
    group=GROUP,
    deps=[dg.AssetDep("execution_events", partition_mapping=dg.AllPartitionMapping())],
    description="One row per attempt: the revision that holds, its outcome and evidence, its verifications, its token usage counted once.",
)
def execution_attempts(
    context: dg.AssetExecutionContext, config: RefreshConfig, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """Takes the day's changed execution events in; notes which dirty marks this run saw."""
    steps, span = postgres.steps(context), span_of(context)
    steps.executions.claim_dirty(span.first, span.last, context.run.run_id)
    report = run_fact_step(steps, ExecutionAttemptsStep(), span, full_refresh=config.full_refresh)
    return materialized(context, report, _insight(context, postgres).attempts())


@daily_asset(
    table="attempt_errors",
    code_version=versions.ERROR_PATTERNS,
    group=GROUP,
    deps=["execution_attempts"],
    description="Each error of an attempt as a pattern with its slots, type, category, origin and signature.",
)
def error_patterns(
    context: dg.AssetExecutionContext, config: RefreshConfig, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """Normalises error messages into patterns."""
    report = _facts(context, postgres, ErrorPatternsStep(), config)
    return materialized(context, report, _insight(context, postgres).errors())


@daily_asset(
    table="execution_costs",
    code_version=versions.EXECUTION_COSTS,
    group=GROUP,
    deps=["execution_attempts", "model_price_catalog"],
    description="What each attempt cost in USD at the prices in force when it started; unknown models are unpriced, never free.",
)
def execution_costs(
    context: dg.AssetExecutionContext, config: RefreshConfig, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """Prices token usage."""
    report = _facts(context, postgres, ExecutionCostsStep(), config)
    return materialized(context, report, _insight(context, postgres).costs())


@daily_asset(
    table="attempt_stfs",
    code_version=versions.EXTRACTED_STFS,
    group=GROUP,
    deps=["execution_attempts"],
    description="Reusable functions (STFs) in the code that attempts wrote which did not fail, with metadata and confidence.",
)
def extracted_stfs(
    context: dg.AssetExecutionContext, config: RefreshConfig, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """Parses code (never runs it) and lifts functions out of it."""
    report = _facts(context, postgres, ExtractedStfsStep(), config)
    return materialized(context, report, _insight(context, postgres).functions())


@daily_asset(
    table="attempt_stf_quality",
    code_version=versions.STF_QUALITY,
    group=GROUP,
    deps=["extracted_stfs"],
    description="Five-dimension quality score of each extracted function.",
)
def stf_quality(
    context: dg.AssetExecutionContext, config: RefreshConfig, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """Scores functions."""
    report = _facts(context, postgres, StfQualityStep(), config)
    return materialized(context, report, _insight(context, postgres).quality())


@daily_asset(
    table="debug_transform_functions",
    code_version=versions.STF_REGISTRY,
    group=GROUP,
    deps=["stf_quality"],
    fold=True,
    description="Functions deduplicated by the hash of their normalised code, clustered by similarity, with their approval.",
)
def stf_registry(
    context: dg.AssetExecutionContext, config: RefreshConfig, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """Folds all occurrences of each touched hash."""
    report = registry_step.run(postgres.steps(context), span_of(context), full_refresh=config.full_refresh)
    return materialized(context, report, _insight(context, postgres).registry())


@daily_asset(
    table="recommendation_effect",
    code_version=versions.RECOMMENDATION_EFFECT,
    group=GROUP,
    deps=["execution_attempts", "execution_costs", "stf_registry"],
    fold=True,
    description="Does what is served help? Outcome and reuse of every task in which something was or would have been served, and both"
    " arms of the experiment with 95 % intervals and a p-value.",
)
def recommendation_effect(
    context: dg.AssetExecutionContext, config: RefreshConfig, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """Joins what was served with what became of it, counts reuse, and compares the arms."""
    report = effect_step.run(postgres.steps(context), span_of(context), full_refresh=config.full_refresh)
    return materialized(context, report, _insight(context, postgres).effect())


@daily_asset(
    table="stf_matches",
    code_version=versions.STF_MATCHES,
    group=GROUP,
    deps=["stf_registry", "recommendation_effect"],
    description="For each attempt the best matching functions of other attempts that were complete before it started.",
)
def stf_matches(
    context: dg.AssetExecutionContext, config: RefreshConfig, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """Matches requests with functions, without looking ahead."""
    report = _facts(context, postgres, StfMatchesStep(), config)
    return materialized(context, report, _insight(context, postgres).matches())


@daily_asset(
    table="debug_error_success_mappings",
    code_version=versions.ERROR_SUCCESS_MAPPINGS,
    group=GROUP,
    deps=["error_patterns", "stf_registry"],
    fold=True,
    description="Which change made which error go, with successes, failures and confidence over all tasks.",
)
def error_success_mappings(
    context: dg.AssetExecutionContext, config: RefreshConfig, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """Credits changes in the touched tasks, whatever day they lie on, and folds their mappings."""
    report = mappings_step.run(postgres.steps(context), span_of(context), full_refresh=config.full_refresh)
    return materialized(context, report, _insight(context, postgres).mappings())


@daily_asset(
    table="error_costs",
    code_version=versions.ERROR_COSTS,
    group=GROUP,
    deps=["execution_costs", "error_patterns", "error_success_mappings"],
    fold=True,
    description="What each error signature's failed attempts and their retries cost per day, and how much came after a fix was known.",
)
def error_costs(
    context: dg.AssetExecutionContext, config: RefreshConfig, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """Charges errors with what they cost."""
    report = error_costs_step.run(postgres.steps(context), span_of(context), full_refresh=config.full_refresh)
    return materialized(context, report, _insight(context, postgres).error_costs())


@daily_asset(
    table="stuck_loops",
    code_version=versions.STUCK_LOOPS,
    group=GROUP,
    deps=["execution_costs", "error_patterns"],
    fold=True,
    description="Where a task showed one error again and again without progress, and what the repetitions cost.",
)
def stuck_loops(
    context: dg.AssetExecutionContext, config: RefreshConfig, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """Finds loops in the touched tasks."""
    report = stuck_step.run(postgres.steps(context), span_of(context), full_refresh=config.full_refresh)
    return materialized(context, report, _insight(context, postgres).stuck())


@daily_asset(
    table="debug_golden_states",
    code_version=versions.GOLDEN_STATES,
    group=GROUP,
    deps=["stf_registry", "recommendation_effect"],
    fold=True,
    description="Proven solutions: succeeded attempts with excellent code, nominated, approved or rejected.",
)
def golden_states(
    context: dg.AssetExecutionContext, config: RefreshConfig, postgres: PostgresResource
) -> dg.MaterializeResult[Any]:
    """Folds golden states from facts and decisions."""
    report = golden_step.run(postgres.steps(context), span_of(context), full_refresh=config.full_refresh)
    return materialized(context, report, _insight(context, postgres).golden())


@daily_asset(
    table="dirty_days",
    code_version="1",
    group=GROUP,
    deps=["stf_matches", "error_costs", "stuck_loops", "golden_states"],
    description="Closes a day: when everything above it is done, the dirty marks that the run saw at its start are taken away.",
)
def settled_days(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult[Any]:
    """Takes away the dirty marks this run had seen; marks made since then ask for the next run."""
    span = span_of(context)
    executions = postgres.steps(context).executions
    cleared = sum(executions.clear_dirty(span.first, span.last, run_id) for run_id in sorted(_claimants(context.run)))
    return dg.MaterializeResult(metadata={"marks_cleared": cleared})
