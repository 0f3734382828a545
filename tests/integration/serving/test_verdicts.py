"""A verdict from outside verifies the attempts it speaks of, whichever comes first, and nothing takes it away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from debug_loop_pipeline.cli import main
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.models.execution import ExecutionError
from debug_loop_pipeline.models.verdict import Verdict, VerdictKind
from debug_loop_pipeline.settings import Settings, get_settings
from debug_loop_pipeline.steps.forget import forget
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_dirty_days
from debug_loop_pipeline.steps.verdicts import record_verdict
from tests.support.digests import table_digests
from tests.support.events import attempt, uid

COMMIT = "a" * 40
DECIDED = datetime(2026, 3, 5, tzinfo=UTC)
JUNIT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="0" failures="1" skipped="0" tests="3">
<testcase classname="tests.test_names" name="test_empty" time="0.01"/>
<testcase classname="tests.test_names" name="test_missing" time="0.01"><failure message="KeyError: 'name'">record = {}

    def read_name(record):
&gt;       return record["name"]
E       KeyError: 'name'

config.py:12: KeyError</failure></testcase>
<testcase classname="tests.test_names" name="test_full" time="0.01"/>
</testsuite></testsuites>
"""


def told(passed: bool, *, hours: int = 0, name: str = "ci", **more: Any) -> Verdict:
    values: dict[str, Any] = {
        "kind": VerdictKind.COMMIT,
        "subject": COMMIT,
        "name": name,
        "passed": passed,
        "decided_at": DECIDED + timedelta(hours=hours),
        "recorded_by": "test",
    }
    return Verdict(**values | more)


def on(commit: str, pull_request: str | None = None, repository: str = "example/names") -> dict[str, Any]:
    return {"context": {"repository": repository, "commit": commit, "pull_request": pull_request}}


FAILED_THEN_FIXED = [
    attempt("one", "task", minutes=10, failed=True, **on(COMMIT)),
    attempt("two", "task", minutes=20, failed=False, **on(COMMIT)),
]


@pytest.fixture
def context(store_urls: Callable[[], str], tmp_path: Path) -> Iterator[StepContext]:
    made = StepContext(Database(store_urls()), Settings(data_dir=tmp_path))
    yield made
    made.database.close()


def tiers(context: StepContext) -> dict[str, tuple[str, str]]:
    run_dirty_days(context)
    names = {uid(name): name for name in ("one", "two", "three", "four")}
    rows = fetch_rows(context.database, "select attempt_id, evidence_tier, outcome from debug_execution_attempts")
    return {names[row["attempt_id"]]: (row["evidence_tier"], row["outcome"]) for row in rows}


def test_a_pass_verifies_the_last_attempt_and_the_fix_follows(context: StepContext) -> None:
    ingest_events(context, FAILED_THEN_FIXED, "test")
    run_dirty_days(context)
    applied = record_verdict(context, told(True))
    assert (applied.kept, applied.attempts, applied.changed_attempts) == (True, 1, 1)
    assert tiers(context) == {"one": ("measured", "failed"), "two": ("verified", "succeeded")}
    rows = fetch_rows(context.database, "select outcome, evidence_tier from mapping_events")
    assert {row["outcome"] for row in rows} == {"success"}


def test_a_failure_takes_the_success_away_and_its_tests_become_errors(context: StepContext) -> None:
    ingest_events(context, FAILED_THEN_FIXED, "test")
    run_dirty_days(context)
    assert len(fetch_rows(context.database, "select 1 from debug_error_success_mappings where success_count > 0")) == 1
    failing = ExecutionError(type="KeyError", message="KeyError: 'name'", test="tests/test_names.py::test_missing")
    record_verdict(context, told(False, failures=(failing,), tests=3))
    assert tiers(context)["two"] == ("verified", "failed")
    shown = fetch_rows(
        context.database,
        "select test from attempt_errors where attempt_id = :id",
        {"id": uid("two")},
    )
    assert [row["test"] for row in shown] == ["tests/test_names.py::test_missing"]


def test_the_verdict_outlives_a_new_import_and_waits_for_a_first_one(
    context: StepContext, store_urls: Callable[[], str]
) -> None:
    later = StepContext(Database(store_urls()), context.settings)
    try:
        ingest_events(context, FAILED_THEN_FIXED, "test")
        record_verdict(context, told(True))
        ingest_events(context, FAILED_THEN_FIXED, "test")
        assert record_verdict(later, told(True)).attempts == 0
        ingest_events(later, FAILED_THEN_FIXED, "test")
        assert tiers(context) == tiers(later) == {"one": ("measured", "failed"), "two": ("verified", "succeeded")}
        left_out = {"stf_matches", "verdicts"}
        one, other = table_digests(context.database), table_digests(later.database)
        assert {t: d for t, d in one.items() if t not in left_out} == {
            t: d for t, d in other.items() if t not in left_out
        }
    finally:
        later.database.close()


def test_a_later_attempt_of_the_run_takes_the_verdict_over(context: StepContext) -> None:
    ingest_events(context, FAILED_THEN_FIXED, "test")
    record_verdict(context, told(True))
    ingest_events(context, [attempt("three", "task", minutes=30, failed=False, **on(COMMIT))], "test")
    assert {name: tier for name, (tier, _) in tiers(context).items()} == {
        "one": "measured",
        "two": "measured",
        "three": "verified",
    }


def test_a_grown_attempt_keeps_the_verdict_and_its_new_content(context: StepContext) -> None:
    ingest_events(context, FAILED_THEN_FIXED, "test")
    record_verdict(context, told(True))
    grown = FAILED_THEN_FIXED[1].model_copy(update={"tools_used": ("Bash", "Edit", "Bash")})
    ingest_events(context, [grown], "test")
    assert tiers(context)["two"] == ("verified", "succeeded")
    rows = fetch_rows(context.database, "select tools_used from debug_execution_attempts where outcome = 'succeeded'")
    assert rows[0]["tools_used"] == ["Bash", "Edit", "Bash"]


@pytest.mark.parametrize("first", [True, False])
def test_the_newest_word_of_a_check_holds_and_all_checks_have_to_pass(context: StepContext, first: bool) -> None:
    ingest_events(context, FAILED_THEN_FIXED, "test")
    record_verdict(context, told(first))
    record_verdict(context, told(not first, hours=1))
    assert tiers(context)["two"][1] == ("failed" if first else "succeeded")
    assert not record_verdict(context, told(first, hours=-1)).kept
    record_verdict(context, told(True, hours=2))
    record_verdict(context, told(False, hours=2, name="types"))
    assert tiers(context)["two"][1] == "failed"
    record_verdict(context, told(True, hours=3, name="types"))
    assert tiers(context)["two"][1] == "succeeded"
    held = fetch_rows(
        context.database, "select count(*) as n from execution_inbox where event -> 'metadata' ? 'verdicts'"
    )
    assert held[0]["n"] == 1


def test_each_run_of_a_task_is_judged_and_other_commits_are_not(context: StepContext) -> None:
    other_run = {"execution_id": "second", "session_id": "second"}
    ingest_events(
        context,
        [
            *FAILED_THEN_FIXED,
            attempt("three", "task", minutes=60, failed=False, **other_run, **on(COMMIT[:10])),
            attempt("four", "task", minutes=70, failed=False, **other_run, **on("b" * 40)),
        ],
        "test",
    )
    assert record_verdict(context, told(True)).attempts == 2
    assert {name: tier for name, (tier, _) in tiers(context).items()} == {
        "one": "measured",
        "two": "verified",
        "three": "verified",
        "four": "measured",
    }


def test_secrets_in_failing_tests_are_taken_out(context: StepContext) -> None:
    ingest_events(context, FAILED_THEN_FIXED, "test")
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    record_verdict(context, told(False, failures=(ExecutionError(message=f"AuthError: {secret}", test="t"),)))
    run_dirty_days(context)
    with context.database.transaction() as connection:
        for table in ("verdicts", "execution_inbox", "attempt_errors"):
            found = connection.exec_driver_sql(f"select count(*) from {table} t where t::text like '%%{secret}%%'")
            assert found.scalar() == 0, table


def test_forgetting_a_session_removes_its_verdicts_and_recommendations(context: StepContext) -> None:
    ingest_events(context, FAILED_THEN_FIXED, "test")
    record_verdict(context, told(False, failures=(ExecutionError(message="boom", test="t"),)))
    with context.database.transaction() as connection:
        connection.exec_driver_sql(
            "insert into recommendations (recommendation_id, session_id, occasion, arm, stf_hashes, mapping_ids,"
            " golden_state_ids, characters, served_at)"
            " values (gen_random_uuid(), 'session-task', 'failure', 'treatment', '{}', '{}', '{}', 1, now())"
        )
    forget(context, "session", "session-task")
    for table in ("verdicts", "recommendations", "execution_inbox"):
        assert fetch_rows(context.database, f"select 1 from {table}") == []


def test_the_command_reads_junit_and_speaks_of_pull_requests(
    context: StepContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = context.database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", url)
    get_settings.cache_clear()
    report = tmp_path / "junit.xml"
    report.write_text(JUNIT, encoding="utf-8")
    ingest_events(
        context,
        [
            attempt("one", "task", minutes=10, failed=False, **on(COMMIT, "https://github.com/example/names/pull/12")),
            attempt("two", "else", minutes=10, failed=False, **on("b" * 40, "12", "example/other")),
        ],
        "test",
    )
    run = CliRunner().invoke
    ambiguous = run(main.app, ["verdict", "--pr", "12", "--failed"])
    assert ambiguous.exit_code == 1
    assert "example/names, example/other" in ambiguous.stderr
    done = run(main.app, ["verdict", "--pr", "12", "--repository", "example/names", "--junit", str(report)])
    assert done.exit_code == 0, done.output
    assert "1 attempts are verified" in done.output
    rows = fetch_rows(context.database, "select attempt_id, error_type, test, path, line from attempt_errors")
    assert rows == [
        {
            "attempt_id": uid("one"),
            "error_type": "KeyError",
            "test": "tests/test_names.py::test_missing",
            "path": "config.py",
            "line": 12,
        }
    ]
    contradiction = run(main.app, ["verdict", "--pr", "12", "--passed", "--junit", str(report)])
    assert contradiction.exit_code == 1
    assert run(main.app, ["verdict", "--passed"]).exit_code == 1
    waits = run(main.app, ["verdict", "--commit", "c" * 40, "--passed"])
    assert "applies when one comes" in waits.output
    get_settings.cache_clear()
