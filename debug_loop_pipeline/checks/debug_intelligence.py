"""The checks of Part 1, one table of rules turned into Dagster checks."""

from collections.abc import Callable

import dagster as dg

from debug_loop_pipeline.assets.daily import table_sample
from debug_loop_pipeline.checks import rules
from debug_loop_pipeline.checks.rules import Finding
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.resources.servers import PostgresResource

_OUTPUTS = {
    "model_price_catalog": ("model_price_catalog",),
    "execution_attempts": ("debug_execution_attempts", "attempt_verifications", "usage_records"),
    "error_patterns": ("attempt_errors",),
    "execution_costs": ("execution_costs",),
    "extracted_stfs": ("attempt_stfs",),
    "stf_quality": ("attempt_stf_quality",),
    "stf_registry": ("debug_transform_functions", "stf_clusters"),
    "stf_matches": ("stf_matches",),
    "error_success_mappings": ("debug_error_success_mappings", "mapping_events", "resolutions"),
    "error_costs": ("error_costs", "error_cost_items"),
    "golden_states": ("debug_golden_states", "golden_events"),
}
"""Asset -> the tables it writes."""


def _check(
    asset: str,
    name: str,
    description: str,
    decide: Callable[[Database], Finding],
    *,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    blocking: bool = False,
) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset, name=name, description=description, blocking=blocking)
    def check(postgres: PostgresResource) -> dg.AssetCheckResult:
        finding = decide(postgres.database())
        metadata = dict(finding.numbers)
        if finding.offenders:
            metadata["offenders"] = table_sample(finding.offenders)
        if finding.passed is None:  # shown as a warning with its status: neither passed nor failed
            return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)
        return dg.AssetCheckResult(passed=finding.passed, severity=severity, metadata=metadata)

    return check


def _schema_check(asset: str, tables: tuple[str, ...]) -> dg.AssetChecksDefinition:
    def decide(database: Database) -> Finding:
        findings = [(table, rules.schema_as_migrated(database, table)) for table in tables]
        offenders = [{"table": table, **row} for table, finding in findings for row in finding.offenders]
        return Finding(not offenders, {table: finding.numbers["columns"] for table, finding in findings}, offenders)

    return _check(asset, f"{asset}_schema", "The tables have the columns that the migrations give them.", decide)


def _rows_check(
    asset: str, name: str, description: str, table: str, bad: str, key: str, *, blocking: bool = False
) -> dg.AssetChecksDefinition:
    return _check(
        asset, name, description, lambda database: rules.violations(database, table, bad, key), blocking=blocking
    )


SCHEMA_CHECKS = [_schema_check(asset, tables) for asset, tables in _OUTPUTS.items()]

RANGE_CHECKS = [
    _rows_check(
        "execution_attempts",
        "attempts_in_range",
        "Times are ordered, the day is that of the start, tokens are not negative.",
        "debug_execution_attempts",
        "completed_at < started_at or day <> (started_at at time zone 'UTC')::date or least(tokens_input, tokens_output) < 0",
        "attempt_id",
    ),
    _rows_check(
        "execution_attempts",
        "usage_counted_once",
        "Each API response that any attempt tells is counted in exactly one of them.",
        "(select message_id, request_id, count(*) filter (where counted) as counted from usage_records group by 1, 2) u",
        "counted <> 1",
        "message_id, request_id, counted",
    ),
    _rows_check(
        "error_patterns",
        "errors_in_range",
        "Confidence lies in [0, 1] and a signature belongs to one error type unless a person merged it.",
        "attempt_errors",
        "confidence < 0 or confidence > 1 or pattern = ''",
        "attempt_id, position",
        blocking=True,
    ),
    _rows_check(
        "execution_costs",
        "costs_in_range",
        "Costs are not negative, and an unpriced attempt has a reason and no amount.",
        "execution_costs",
        "cost_usd < 0 or (cost_usd is null) <> (unpriced_reason is not null)",
        "attempt_id",
    ),
    _rows_check(
        "extracted_stfs",
        "functions_in_range",
        "Functions have between 5 and 500 lines, confidence from 0.5 on, and one primary per attempt.",
        "attempt_stfs",
        "(details ->> 'lines')::int not between 5 and 500 or confidence < 0.5",
        "attempt_id, position",
    ),
    _rows_check(
        "stf_quality",
        "quality_is_the_weighted_sum",
        "The quality score is the weighted sum of its five dimensions.",
        "attempt_stf_quality",
        "abs(quality_score - (0.30 * completeness + 0.25 * documentation + 0.20 * onex_compliance + 0.15 * metadata"
        " + 0.10 * complexity)) > 1e-4",
        "attempt_id, position, quality_score",
    ),
    _rows_check(
        "stf_matches",
        "matches_do_not_look_ahead",
        "A matched function was complete, in another attempt, before the matching attempt started.",
        "(select m.attempt_id, m.rank from stf_matches m join debug_execution_attempts a using (attempt_id)"
        " join debug_transform_functions f using (stf_hash)"
        " where f.first_completed_at >= a.started_at or f.first_attempt_id = m.attempt_id) m",
        "true",
        "attempt_id, rank",
    ),
    _rows_check(
        "error_costs",
        "error_costs_add_up",
        "What came after a fix was known is part of the cost.",
        "error_costs",
        "cost_after_fix_known_usd > cost_usd or cost_usd < 0",
        "signature, day",
    ),
]

TRACE_CHECKS = [
    _rows_check(
        "error_success_mappings",
        "mappings_trace_to_attempts",
        "Every event of a mapping names an attempt that exists.",
        "(select e.correlation_id, e.signature, e.attempt_id from mapping_events e"
        " left join debug_execution_attempts a using (attempt_id) where a.attempt_id is null) e",
        "true",
        "correlation_id, signature, attempt_id",
        blocking=True,
    ),
    _rows_check(
        "golden_states",
        "golden_states_trace_to_attempts",
        "Every golden state names a succeeded attempt that exists.",
        "(select g.golden_state_id from debug_golden_states g left join debug_execution_attempts a"
        " on a.attempt_id = g.attempt_id and a.outcome = 'succeeded' where a.attempt_id is null) g",
        "true",
        "golden_state_id",
    ),
    _rows_check(
        "stf_registry",
        "functions_trace_to_attempts",
        "Every function was first seen in an attempt that exists.",
        "(select f.stf_hash from debug_transform_functions f"
        " left join debug_execution_attempts a on a.attempt_id = f.first_attempt_id where a.attempt_id is null) f",
        "true",
        "stf_hash",
        blocking=True,
    ),
    _check(
        "stf_registry",
        "hashes_are_of_the_code",
        "A function's key is the hash of its code, so it is unique.",
        rules.hashes_recomputed,
    ),
    _rows_check(
        "error_success_mappings",
        "confidence_equals_counts",
        "Confidence is success / (success + failure), clamped to [0.1, 1].",
        "debug_error_success_mappings",
        "abs(confidence - greatest(0.1, success_count::float8 / (success_count + failure_count))) > 1e-9",
        "mapping_id, success_count, failure_count, confidence",
    ),
    _check(
        "error_success_mappings",
        "mapping_states_are_legal",
        "State, counts and confidence are what the reducer folds the events to.",
        rules.mappings_refolded,
    ),
    _check(
        "golden_states",
        "golden_transitions_are_legal",
        "Every transition is one of the state machine's.",
        rules.golden_transitions_legal,
    ),
]

SHARE_CHECKS = [
    _check(
        "execution_costs",
        "unpriced_share",
        "At most a fifth of the attempts that used tokens are unpriced.",
        lambda database: rules.share(
            database,
            "select count(*) filter (where cost_usd is null) as part, count(*) as whole from execution_costs"
            " where unpriced_reason is distinct from 'no_usage'",
            0.2,
        ),
        severity=dg.AssetCheckSeverity.WARN,
    ),
    _check(
        "execution_attempts",
        "weak_evidence_share",
        "At most four fifths of the attempts have no measured outcome.",
        lambda database: rules.share(
            database,
            "select count(*) filter (where evidence_tier in ('observed', 'unmeasured')) as part, count(*) as whole"
            " from debug_execution_attempts",
            0.8,
        ),
        severity=dg.AssetCheckSeverity.WARN,
    ),
    _check(
        "execution_attempts",
        "no_secrets_stored",
        "Stored text holds nothing the redaction would take out.",
        rules.secrets_scan,
    ),
]

ALL_CHECKS = [*SCHEMA_CHECKS, *RANGE_CHECKS, *TRACE_CHECKS, *SHARE_CHECKS]
