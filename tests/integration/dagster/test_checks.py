"""Every check passes on what a good run wrote, and fails when its rule is broken by hand, in a database of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import uuid4

import dagster as dg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from debug_loop_pipeline.checks.debug_intelligence import CHECKS
from debug_loop_pipeline.checks.definition import Check, checks_of_assets
from debug_loop_pipeline.checks.rules import Finding
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.resources.servers import PostgresResource
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.model_prices import seed
from debug_loop_pipeline.steps.run_all import run_all
from tests.conftest import _create, _drop
from tests.support.events import START, attempt, fixed_task

FIRST = START.date()
NOT_ENOUGH = {"unpriced_share", "weak_evidence_share", "stuck_share", "what_is_served_does_no_harm"}
NOWHERE = "'00000000-0000-4000-8000-000000000000'"


def without_rules(table: str) -> str:
    """Takes the table's own check constraints away, so that rows can be wrong."""
    return (
        "do $$ declare c record; begin for c in select conname from pg_constraint"
        f" where conrelid = '{table}'::regclass and contype = 'c' loop"
        f" execute format('alter table {table} drop constraint %I', c.conname); end loop; end $$"
    )


def one(table: str, assignment: str, *, key: str = "ctid") -> str:
    """Changes one row."""
    return f"update {table} set {assignment} where {key} = (select {key} from {table} order by {key} limit 1)"


def copies(table: str, columns: str, values: str, count: int) -> str:
    """Adds rows."""
    return f"insert into {table} ({columns}) select {values} from generate_series(1, {count}) n"


BROKEN: dict[str, list[str]] = {
    "model_price_catalog_schema": ["alter table model_price_catalog alter provider drop not null"],
    "execution_attempts_schema": ["alter table usage_records add column stray integer"],
    "error_patterns_schema": ["alter table attempt_errors drop column tool"],
    "execution_costs_schema": ["alter table execution_costs alter estimated type text"],
    "extracted_stfs_schema": ["alter table attempt_stfs alter is_primary type text"],
    "stf_quality_schema": ["drop table attempt_stf_quality"],
    "stf_registry_schema": ["alter table stf_clusters alter language drop not null"],
    "stf_matches_schema": ["alter table stf_matches rename rank to place"],
    "error_success_mappings_schema": ["alter table resolutions alter parts type bigint"],
    "error_costs_schema": ["alter table error_cost_items add column stray text"],
    "golden_states_schema": ["alter table golden_events drop column details"],
    "recommendation_effect_schema": ["alter table stf_uses drop column peer_id"],
    "stuck_loops_schema": ["alter table stuck_loops alter times type bigint"],
    "outcomes_trace_to_servings": [
        "insert into recommendation_outcomes select correlation_id, day, 'holdout', 's', gen_random_uuid(), 'session', 's', null,"
        " now(), 1, true, 1, 0 from debug_execution_attempts limit 1"
    ],
    "usage_equals_uses": [one("debug_transform_functions", "usage_count = 3, success_count = 3")],
    "what_is_served_does_no_harm": [
        "insert into recommendation_effect (day, measure, status, first_day, tasks_treatment, tasks_holdout, repositories,"
        " treatment, holdout, difference, difference_low, difference_high, p_value)"
        " values (current_date, 'succeeded', 'measured', current_date, 30, 30, 1, 0.2, 0.9, -0.7, -0.9, -0.5, 0.001)"
    ],
    "loops_trace_to_errors": [
        "insert into stuck_loops select correlation_id, signature, 0, day, gen_random_uuid(), at, at, at, 3, false, 2, 0, 0, 'a'"
        " from attempt_errors limit 1"
    ],
    "stuck_share": [
        "insert into attempt_errors select (jsonb_populate_record(e, jsonb_build_object("
        "'attempt_id', gen_random_uuid(), 'correlation_id', gen_random_uuid()))).* from attempt_errors e, generate_series(1, 30)",
        "insert into stuck_loops select correlation_id, signature, 0, day, attempt_id, at, at, at, 3, false, 2, 0, 0, 'a'"
        " from attempt_errors limit 20",
    ],
    "no_work_failed": [one("step_progress", "digest = '', problem = 'failed: KeyError at x.py:1: y'")],
    "attempts_in_range": [
        without_rules("debug_execution_attempts"),
        one("debug_execution_attempts", "completed_at = started_at - interval '1 hour'"),
    ],
    "usage_counted_once": [one("usage_records", "counted = false")],
    "errors_in_range": [without_rules("attempt_errors"), one("attempt_errors", "confidence = 1.5")],
    "signatures_name_one_type": [one("attempt_errors", "error_type = 'ValueError'")],
    "one_price_at_a_time": [
        "insert into model_price_catalog (provider, model, effective_from, source)"
        " select provider, model, effective_from - interval '1 day', 'manual' from model_price_catalog limit 1"
    ],
    "costs_in_range": [
        without_rules("execution_costs"),
        one("execution_costs", "cost_usd = null, unpriced_reason = null"),
    ],
    "functions_in_range": [one("attempt_stfs", "confidence = 0.1")],
    "one_primary_function": [
        "insert into attempt_stfs select attempt_id, 99, day, stf_hash, language, path, name, code, start_line, end_line,"
        " true, confidence, details from attempt_stfs where is_primary limit 1"
    ],
    "quality_is_the_weighted_sum": [one("attempt_stf_quality", "documentation = 1 - documentation")],
    "registry_in_range": [
        without_rules("debug_transform_functions"),
        one("debug_transform_functions", "approval = 'approved', contains_redaction = true"),
    ],
    "matches_do_not_look_ahead": [
        "insert into stf_matches (attempt_id, rank, day, stf_hash, epoch, similarity, quality, composite)"
        " select first_attempt_id, 20, first_completed_at::date, stf_hash, 1, 1, 1, 1 from debug_transform_functions limit 1"
    ],
    "error_costs_add_up": [without_rules("error_costs"), one("error_costs", "cost_after_fix_known_usd = cost_usd + 1")],
    "mappings_trace_to_attempts": [one("mapping_events", f"attempt_id = {NOWHERE}")],
    "golden_states_trace_to_attempts": [one("debug_golden_states", f"attempt_id = {NOWHERE}")],
    "functions_trace_to_attempts": [one("debug_transform_functions", f"first_attempt_id = {NOWHERE}")],
    "hashes_are_of_the_code": [one("debug_transform_functions", "code = replace(code, 'default', 'fallback')")],
    "confidence_equals_counts": [one("debug_error_success_mappings", "confidence = 0.5")],
    "mapping_states_are_legal": [one("debug_error_success_mappings", "state = 'deprecated'")],
    "golden_states_follow_their_events": [one("debug_golden_states", "state = 'rejected'")],
    "golden_transitions_are_legal": [one("golden_events", "from_state = 'rejected', to_state = 'approved'")],
    "unpriced_share": [
        copies(
            "execution_costs",
            "attempt_id, day, cost_category, unpriced_reason, unpriced_detail, by_model, tokens_input, tokens_cache_read,"
            " tokens_cache_write_5m, tokens_cache_write_1h, tokens_output, estimated",
            "gen_random_uuid(), current_date, 'unpriced', 'unknown_model', 'x', '[]', 1, 0, 0, 0, 0, false",
            30,
        )
    ],
    "weak_evidence_share": [
        "insert into debug_execution_attempts select (jsonb_populate_record(a, jsonb_build_object("
        "'attempt_id', gen_random_uuid(), 'status', 'partial', 'outcome', 'unknown', 'evidence_tier', 'unmeasured'))).*"
        " from debug_execution_attempts a, generate_series(1, 30)"
    ],
    "no_secrets_stored": [one("attempt_errors", "message = 'fatal: bad key AKIA' || 'Z7Q2M4X9T3L8B5W6'")],
}
"""Check -> what breaks its rule."""

ALSO_BROKEN: list[tuple[str, list[str]]] = [
    ("mappings_trace_to_attempts", ["delete from resolutions"]),
    ("mappings_trace_to_attempts", ["delete from mapping_events"]),
    ("mappings_trace_to_attempts", [one("mapping_events", f"correlation_id = {NOWHERE}")]),
    ("mappings_trace_to_attempts", [one("debug_error_success_mappings", f"first_success_attempt_id = {NOWHERE}")]),
    ("mapping_states_are_legal", [one("debug_error_success_mappings", "success_count = success_count + 1")]),
    ("functions_trace_to_attempts", ["delete from attempt_stfs"]),
    ("hashes_are_of_the_code", [one("debug_transform_functions", "code = 'def broken(:'")]),
    ("golden_states_follow_their_events", ["delete from golden_events"]),
    (
        "no_secrets_stored",
        [one("execution_inbox", """event = event || '{"user_request": "use AKIAZ7Q2M4X9T3L8B5W6"}'""")],
    ),
    ("attempts_in_range", [one("debug_execution_attempts", "day = day + 1")]),
    (
        "no_work_failed",
        [
            "insert into fold_marks (fold, key, day, problem) values ('golden_states', 'k', '2026-03-01', 'KeyError at x.py:1: y')"
        ],
    ),
]


@pytest.fixture(scope="module")
def good(postgres_server_url: str, migrated: str) -> Iterator[str]:
    """Name of a database as a good run left it."""
    name = f"test_{uuid4().hex[:12]}"
    context = StepContext(Database(_create(postgres_server_url, name, migrated)), Settings())
    try:
        seed(context.database)
        told = [event for day in range(3) for event in fixed_task(f"task-{day}", day=day)]
        told.append(attempt("value", "value", minutes=90, failed=True, error="TypeError: bad operand 7"))
        ingest_events(context, told, "test")
        run_all(context, Span(FIRST, FIRST + timedelta(days=5)), new_epoch=True)
    finally:
        context.database.close()
    yield name
    _drop(postgres_server_url, name)


@pytest.fixture
def database(postgres_server_url: str, good: str) -> Iterator[Database]:
    """A copy of the good database, to be broken."""
    name = f"test_{uuid4().hex[:12]}"
    copy = Database(_create(postgres_server_url, name, good))
    yield copy
    copy.close()
    _drop(postgres_server_url, name)


def check_named(name: str) -> Check:
    [found] = [check for check in CHECKS if check.name == name]
    return found


def break_rows(database: Database, statements: list[str]) -> None:
    with database.transaction() as connection:
        for statement in statements:
            done = connection.execute(text(statement))
            assert done.rowcount != 0, f"changed nothing: {statement}"


def test_every_check_has_a_way_to_break_its_rule() -> None:
    assert set(BROKEN) == {check.name for check in CHECKS}


def test_every_check_passes_on_what_a_good_run_wrote(database: Database) -> None:
    results = {check.name: check.result(database) for check in CHECKS}
    assert {name for name, result in results.items() if not result.passed} == NOT_ENOUGH
    for name in NOT_ENOUGH:
        assert results[name].severity is dg.AssetCheckSeverity.WARN
        assert results[name].metadata["status"].value == "not enough data"


@pytest.mark.parametrize(
    ("name", "statements"),
    [*BROKEN.items(), *ALSO_BROKEN],
    ids=[*BROKEN, *(f"{name}-again" for name, _ in ALSO_BROKEN)],
)
def test_a_check_fails_when_its_rule_is_broken(database: Database, name: str, statements: list[str]) -> None:
    break_rows(database, statements)
    result = check_named(name).result(database)
    assert not result.passed
    warns = name in NOT_ENOUGH
    assert result.severity is (dg.AssetCheckSeverity.WARN if warns else dg.AssetCheckSeverity.ERROR)
    if warns:
        assert "status" not in result.metadata  # which would say that there is not enough data
    else:
        assert "|" in result.metadata["offenders"].value


def test_the_secrets_scan_tells_where_and_never_what(database: Database) -> None:
    break_rows(database, BROKEN["no_secrets_stored"])
    result = check_named("no_secrets_stored").result(database)
    assert "attempt" in result.metadata["offenders"].value
    assert "AKIA" not in str(result.metadata)


def raising(_: Database) -> Finding:
    raise RuntimeError("cannot look")


@pytest.mark.parametrize("decide", [raising, lambda database: Finding(True, {"rows": 1})])
def test_a_check_that_cannot_run_neither_passes_nor_fails_and_the_others_still_tell(
    database: Database, decide: Callable[[Database], Finding]
) -> None:
    asset = dg.AssetSpec("things")
    checks = [
        Check("things", "first", "Something.", decide),
        Check("things", "second", "Something else.", lambda _: Finding(False, {}, [{"row": 1}])),
    ]
    job = dg.Definitions(
        assets=[asset],
        asset_checks=checks_of_assets(checks),
        jobs=[dg.define_asset_job("look", selection=dg.AssetSelection.all_asset_checks())],
        resources={"postgres": PostgresResource(url=database.engine.url.render_as_string(hide_password=False))},
    ).resolve_job_def("look")
    result = job.execute_in_process(raise_on_error=False)
    told = {evaluation.check_name: evaluation.passed for evaluation in result.get_asset_check_evaluations()}
    assert told == ({"second": False} if decide is raising else {"first": True, "second": False})
    assert result.success is (decide is not raising)


def test_a_table_that_is_gone_is_an_error_of_the_check_and_not_a_pass(database: Database) -> None:
    break_rows(database, ["drop table error_costs"])
    with pytest.raises(ProgrammingError):
        check_named("error_costs_add_up").result(database)
