"""An agent that asks about one error again and again is told that it is stuck, also where no fix is known."""

from __future__ import annotations

from uuid import uuid4

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.serving.daemon import ServeDaemon
from debug_loop_pipeline.serving.socket_client import ask
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_dirty_days
from tests.support.events import attempt, uid

UNKNOWN = "ZeroDivisionError: division by zero"


def asked(daemon: ServeDaemon, error: str, **about: object) -> dict:
    return ask(daemon.address, {"op": "manifest", "error": error, "with_manifest": True, **about}, 5)


def test_the_third_failure_of_a_session_raises_the_signal(daemon: ServeDaemon, database: Database) -> None:
    session = f"s-{uuid4()}"
    answers = [asked(daemon, UNKNOWN, session_id=session, tool_call_id=str(n)) for n in range(3)]
    assert [answer["markdown"] for answer in answers[:2]] == ["", ""]
    assert "Stuck" in answers[2]["markdown"]
    assert answers[2]["manifest"]["stuck"]["times"] == 3
    assert daemon._recorder.flush()
    (row,) = fetch_rows(database, f"select error_signature from recommendations where session_id = '{session}'")
    assert row["error_signature"] == answers[2]["manifest"]["stuck"]["error_signature"]
    assert asked(daemon, UNKNOWN, session_id=f"s-{uuid4()}")["markdown"] == ""


def test_other_values_are_progress(daemon: ServeDaemon) -> None:
    session = f"s-{uuid4()}"
    answers = [asked(daemon, f"KeyError: 'field{n}'", session_id=session) for n in range(4)]
    assert not any("stuck" in answer.get("manifest", {}) for answer in answers)


def test_a_task_whose_attempts_are_in_the_store_is_stuck_at_the_first_question(
    daemon: ServeDaemon, settings: Settings
) -> None:
    store = StepContext(Database(settings.require_postgres_url()), settings)
    begin = 40 * 24 * 60
    events = [attempt(f"loop-{n}", "loop", minutes=begin + n * 9, failed=True, error=UNKNOWN) for n in range(4)]
    ingest_events(store, events, "test")
    run_dirty_days(store)
    store.database.close()
    by_task = asked(daemon, UNKNOWN, correlation_id=str(uid("loop")))
    assert by_task["manifest"]["stuck"]["times"] == 4
    assert "4 times in this task" in by_task["markdown"]
    assert asked(daemon, UNKNOWN, session_id="session-loop")["manifest"]["stuck"]["times"] == 4
    assert "stuck" not in asked(daemon, "KeyError: 'name'", correlation_id=str(uid("loop"))).get("manifest", {})
