"""The checks of Part 1: one table of rules."""

from __future__ import annotations

import dagster as dg

from debug_loop_pipeline.checks import rules
from debug_loop_pipeline.checks.definition import Check, checks_of_assets, schema_check
from debug_loop_pipeline.effects.step_store import LEFT_UNDONE
from debug_loop_pipeline.settings import ExtractionSettings, get_settings

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
    "recommendation_effect": ("recommendation_effect", "recommendation_outcomes", "reuse_offers", "stf_uses"),
    "stuck_loops": ("stuck_loops",),
}
"""Asset -> the tables it writes."""


def _rows_check(
    asset: str, name: str, description: str, table: str, bad: str, key: str, *, blocking: bool = False
) -> Check:
    return Check(
        asset, name, description, lambda database: rules.violations(database, table, bad, key), blocking=blocking
    )


def _function_out_of_range(limits: ExtractionSettings) -> str:
    return (
        f"(details ->> 'lines')::int not between {limits.min_lines} and {limits.max_lines}"
        f" or confidence < {limits.min_confidence}"
    )


_DANGLING_MAPPINGS = """(
    select 'event of no attempt' as problem, e.correlation_id || ' ' || e.signature as key
    from mapping_events e
    where not exists (select 1 from debug_execution_attempts a where a.attempt_id = e.attempt_id)
    union all
    select 'event of a task that its attempt has left', e.correlation_id || ' ' || e.signature
    from mapping_events e
    join debug_execution_attempts a on a.attempt_id = e.attempt_id and a.correlation_id <> e.correlation_id
    union all
    select 'first success in no attempt', m.mapping_id
    from debug_error_success_mappings m
    where m.first_success_attempt_id is not null
      and not exists (select 1 from debug_execution_attempts a where a.attempt_id = m.first_success_attempt_id)
    union all
    select 'mapping without events', m.mapping_id
    from debug_error_success_mappings m
    where not exists (
        select 1 from mapping_events e where e.signature = m.signature and e.resolution_id = m.resolution_id
    )
    union all
    select 'mapping without resolution', m.mapping_id
    from debug_error_success_mappings m
    where not exists (select 1 from resolutions r where r.resolution_id = m.resolution_id)
) d"""

SCHEMA_CHECKS = [schema_check(asset, tables) for asset, tables in _OUTPUTS.items()]

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
        "Confidence lies in [0, 1], and there is a pattern.",
        "attempt_errors",
        "confidence < 0 or confidence > 1 or pattern = ''",
        "attempt_id, position",
        blocking=True,
    ),
    _rows_check(
        "error_patterns",
        "signatures_name_one_type",
        "A signature belongs to one error type, unless a person merged it.",
        "(select own_signature from attempt_errors group by 1 having count(distinct coalesce(error_type, '')) > 1) s",
        "true",
        "own_signature",
    ),
    _rows_check(
        "model_price_catalog",
        "one_price_at_a_time",
        "No two prices of one model are in force at once.",
        "(select provider, model, effective_from, effective_to, lead(effective_from) over (partition by provider, model"
        " order by effective_from) as next_from from model_price_catalog) p",
        "next_from < coalesce(effective_to, 'infinity')",
        "provider, model, effective_from",
    ),
    _rows_check(
        "execution_costs",
        "costs_in_range",
        "Costs are not negative, and an unpriced attempt has a reason and no amount.",
        "execution_costs",
        "cost_usd < 0 or (cost_usd is null) <> (unpriced_reason is not null)",
        "attempt_id",
    ),
    Check(
        "extracted_stfs",
        "functions_in_range",
        "Functions have as many lines and as much confidence as the settings ask for.",
        lambda database: rules.violations(
            database, "attempt_stfs", _function_out_of_range(get_settings().extraction), "attempt_id, position"
        ),
    ),
    _rows_check(
        "extracted_stfs",
        "one_primary_function",
        "At most one function of an attempt is its primary one.",
        "(select attempt_id from attempt_stfs where is_primary group by 1 having count(*) > 1) p",
        "true",
        "attempt_id",
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
        "stf_registry",
        "registry_in_range",
        "Scores lie in [0, 1], and code that holds a redaction is never approved.",
        "debug_transform_functions",
        "quality_score not between 0 and 1 or confidence not between 0 and 1 or (approval = 'approved' and contains_redaction)",
        "stf_hash, approval",
        blocking=True,
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
        "execution_attempts",
        "no_work_failed",
        "No attempt and no key of a fold was left undone because our own code failed at it (`debug-loop problems`).",
        f"({LEFT_UNDONE}) undone",
        "true",
        "step, subject, problem",
    ),
    _rows_check(
        "recommendation_effect",
        "outcomes_trace_to_servings",
        "Every outcome is of a task with attempts, and of a serving of that arm.",
        "(select o.correlation_id from recommendation_outcomes o left join recommendations r"
        " on r.recommendation_id = o.recommendation_id and r.arm = o.arm where r.recommendation_id is null"
        " or not exists (select from debug_execution_attempts a where a.correlation_id = o.correlation_id)) o",
        "true",
        "correlation_id",
    ),
    _rows_check(
        "recommendation_effect",
        "usage_equals_uses",
        "A function's counts are those of the uses of its cluster.",
        "(select f.stf_hash from debug_transform_functions f left join (select cluster_id, count(*) as used,"
        " count(*) filter (where outcome = 'succeeded') as succeeded, count(*) filter (where outcome = 'failed') as failed"
        " from stf_uses group by 1) u using (cluster_id) where (f.usage_count, f.success_count, f.failure_count)"
        " is distinct from (coalesce(u.used, 0)::int, coalesce(u.succeeded, 0)::int, coalesce(u.failed, 0)::int)) f",
        "true",
        "stf_hash",
    ),
    _rows_check(
        "stuck_loops",
        "loops_trace_to_errors",
        "Every loop is of an attempt that showed its error.",
        "(select s.correlation_id, s.signature from stuck_loops s where not exists (select from attempt_errors e"
        " where e.attempt_id = s.attempt_id and e.signature = s.signature)) s",
        "true",
        "correlation_id, signature",
    ),
    _rows_check(
        "error_success_mappings",
        "mappings_trace_to_attempts",
        "Every mapping has events and a resolution, and every event and first success names an attempt that exists, the event one of its task.",
        _DANGLING_MAPPINGS,
        "true",
        "problem, key",
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
        "Every function occurs in an attempt, and was first seen in one that exists.",
        "(select f.stf_hash from debug_transform_functions f"
        " where not exists (select 1 from debug_execution_attempts a where a.attempt_id = f.first_attempt_id)"
        " or not exists (select 1 from attempt_stfs s where s.stf_hash = f.stf_hash)) f",
        "true",
        "stf_hash",
        blocking=True,
    ),
    Check(
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
    Check(
        "error_success_mappings",
        "mapping_states_are_legal",
        "State, counts and confidence are what the reducer folds the events to.",
        rules.mappings_refolded,
    ),
    _rows_check(
        "golden_states",
        "golden_states_follow_their_events",
        "A golden state is in the state that its last event led to.",
        "(select g.golden_state_id, g.state, e.to_state from debug_golden_states g left join lateral"
        " (select to_state from golden_events e where e.golden_state_id = g.golden_state_id order by position desc limit 1) e on true"
        " where e.to_state is distinct from g.state) g",
        "true",
        "golden_state_id, state, to_state",
    ),
    Check(
        "golden_states",
        "golden_transitions_are_legal",
        "Every transition is one of the state machine's.",
        rules.golden_transitions_legal,
    ),
]

SHARE_CHECKS = [
    Check(
        "recommendation_effect",
        "what_is_served_does_no_harm",
        "Tasks that are served something succeed as often as those that are held out, and with no more attempts.",
        rules.effect_not_harmful,
        severity=dg.AssetCheckSeverity.WARN,
    ),
    Check(
        "stuck_loops",
        "stuck_share",
        "At most a tenth of the tasks with errors get stuck.",
        lambda database: rules.share(
            database,
            "select (select count(distinct correlation_id) from stuck_loops) as part,"
            " (select count(distinct correlation_id) from attempt_errors where origin = 'agent_action') as whole",
            0.1,
        ),
        severity=dg.AssetCheckSeverity.WARN,
    ),
    Check(
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
    Check(
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
    Check(
        "execution_attempts",
        "no_secrets_stored",
        "Stored text holds nothing the redaction would take out.",
        rules.secrets_scan,
    ),
]

CHECKS = [*SCHEMA_CHECKS, *RANGE_CHECKS, *TRACE_CHECKS, *SHARE_CHECKS]
ALL_CHECKS = checks_of_assets(CHECKS)
