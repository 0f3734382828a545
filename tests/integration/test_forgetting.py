"""What is forgotten is gone everywhere, takes nothing else along, and stays away until a person takes that back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import Connection
from typer.testing import CliRunner

from debug_loop_pipeline.cli import privacy
from debug_loop_pipeline.compute.event_traces import Subject, traces_of_payload
from debug_loop_pipeline.effects.contribution_store import ContributionStore
from debug_loop_pipeline.effects.execution_store import Reject
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.step_store import PendingAttempt
from debug_loop_pipeline.importers.registry import importer_for
from debug_loop_pipeline.models.contribution import CodeSpan, Contribution, ContributionKind
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps import contributions
from debug_loop_pipeline.steps.error_patterns import ErrorPatternsStep
from debug_loop_pipeline.steps.execution_attempts import ExecutionAttemptsStep
from debug_loop_pipeline.steps.forget import forget, let_in
from debug_loop_pipeline.steps.framework import Derived, Span, StepContext, run_fact_step
from debug_loop_pipeline.steps.importing import ImportSummary, import_files
from debug_loop_pipeline.steps.ingestion import IngestionReport, RawEvent, ingest_events, ingest_raw, write_each
from debug_loop_pipeline.steps.run_all import run_dirty_days
from tests.support.events import START, attempt, uid

DAY = START.date()


@pytest.fixture
def context(store_urls: Callable[..., str], tmp_path: Path) -> Iterator[StepContext]:
    made = StepContext(Database(store_urls()), Settings(data_dir=tmp_path))
    yield made
    made.database.close()


def rows(context: StepContext, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in fetch_rows(context.database, query)]


def work(task: str = "task", **more: Any) -> list[ExecutionEvent]:
    return [
        attempt(f"{task}-1", task, minutes=0, failed=True, **more),
        attempt(f"{task}-2", task, minutes=10, failed=False, **more),
    ]


def in_repository(repository: str) -> dict[str, Any]:
    return {"context": {"repository": repository, "commit": "0" * 40}}


def take_in(context: StepContext, events: Sequence[ExecutionEvent]) -> IngestionReport:
    report = ingest_events(context, events, "test")
    run_dirty_days(context)
    return report


def serve(context: StepContext, **served: str) -> None:
    columns = ", ".join(served)
    values = ", ".join(f"'{value}'" for value in served.values())
    with context.database.transaction() as connection:
        connection.exec_driver_sql(
            "insert into recommendations (recommendation_id, occasion, arm, stf_hashes, mapping_ids, golden_state_ids,"
            f" characters, served_at, {columns}) values (gen_random_uuid(), 'failure', 'treatment', '{{}}', '{{}}', '{{}}', 1, now(), {values})"
        )


def test_the_code_of_contributions_goes_and_their_amounts_stay(context: StepContext) -> None:
    events = work(peer_id="alice")
    take_in(context, events)
    contributions.run(context, Span(DAY, DAY))
    told = (
        "select array[count(*), count(code), count(path), count(function_name)] from contributions where kind = 'stf'"
    )
    assert rows(context, told) == [([1, 1, 1, 1],)]
    with context.database.transaction() as connection:
        connection.exec_driver_sql(
            "update contributions set status = 'rewarded', sequence = 1, amount = 5, transaction_id = gen_random_uuid(), decided_at = now() where kind = 'stf'"
        )
    forget(context, "peer", "alice")
    assert rows(context, told) == [([1, 0, 0, 0],)]
    assert rows(context, "select amount from contributions") == [(5,)]


def test_what_waits_of_a_peer_goes_whatever_attempt_it_names_and_is_not_taken_in_again(context: StepContext) -> None:
    def of(peer: str, hours: int = 0) -> Contribution:
        return Contribution(
            contribution_id=uuid4(),
            kind=ContributionKind.STF,
            peer_id=peer,
            attempt_id=uid("of nobody here"),
            occurred_at=START + timedelta(hours=hours),
            subject="0" * 64,
            span=CodeSpan(path="a.py", function="f"),
            code="def f(): pass",
            language="python",
        )

    def tell(*told: Contribution) -> int:
        with context.database.transaction() as connection:
            return ContributionStore(context.database).add(connection, told, origin="topic")

    assert tell(of("alice"), of("bob")) == 2
    forget(context, "peer", "alice")
    assert rows(context, "select peer_id from contributions") == [("bob",)]
    later = (datetime.now(UTC) - START) // timedelta(hours=1) + 2
    assert tell(of("alice"), of("bob"), of("alice", later)) == 2


def test_what_was_only_served_goes_with_its_session_and_its_repository(context: StepContext) -> None:
    take_in(context, work("ours", **in_repository("secret/repo")))
    serve(context, session_id="only-served", repository="else/where")
    serve(context, session_id="another", repository="secret/repo")
    serve(context, session_id="session-ours", repository="else/where")
    serve(context, session_id="session-ours", repository="secret/repo")
    forget(context, "session", "only-served")
    assert len(rows(context, "select * from recommendations")) == 3
    forget(context, "repository", "secret/repo")
    assert rows(context, "select session_id, repository from recommendations") == [("session-ours", "else/where")]


def test_another_session_of_the_same_task_keeps_what_it_was_served(context: StepContext) -> None:
    take_in(context, work())
    serve(context, session_id="another", correlation_id=str(uid("task")))
    forget(context, "session", "session-task")
    assert rows(context, "select session_id from recommendations") == [("another",)]


def test_rejects_go_by_their_fields_and_not_by_what_stands_in_them(context: StepContext) -> None:
    whole = orjson.dumps({"peer_id": "o", "user_request": "another word"}).decode()
    cut_off = '{"session_id": "s-1", "agent_name": "o", "user_request": "and so on and'
    other = orjson.dumps({"peer_id": "someone", "user_request": 'o, "peer_id": "o"'}).decode()
    with context.database.transaction() as connection:
        context.executions.reject_in(
            connection, [Reject("r", "s", str(n), payload) for n, payload in enumerate((whole, cut_off, other, "o"))]
        )
    assert forget(context, "peer", "o").rejects == 2
    assert rows(context, "select position from execution_rejects order by 1") == [("2",), ("3",)]
    assert traces_of_payload("no JSON", "me").subjects == {}, "of nobody, so it is nobody's to forget"
    assert traces_of_payload(cut_off, None).subjects == {Subject.SESSION: "s-1", Subject.PEER: "o"}


def test_a_reject_of_what_was_forgotten_is_not_kept_again(context: StepContext) -> None:
    take_in(context, work())
    forget(context, "session", "session-task")
    bad = orjson.dumps({"session_id": "session-task", "user_request": "hidden"})
    ingest_raw(context, [RawEvent(bad, "1"), RawEvent(b'{"session_id": "x"}', "2")], "test")
    assert rows(context, "select position from execution_rejects") == [("2",)]


def test_samples_of_what_moved_stay_where_they_are_of_other_attempts(context: StepContext) -> None:
    take_in(context, [*work(), *work("kept")])
    samples = [{"table": "attempt_errors", "key": [str(uid(name)), "0"]} for name in ("task-1", "kept-1")]
    samples.append({"table": "debug_transform_functions", "key": ["0" * 64]})
    with context.database.transaction() as connection:
        connection.exec_driver_sql(
            "insert into recompute_reports (step, from_version, to_version, first_day, last_day, report)"
            " values ('s', 'a', 'b', now(), now(), %(report)s), ('t', 'a', 'b', now(), now(), '{\"samples\": []}')",
            {"report": orjson.dumps({"tables": {}, "samples": samples}).decode()},
        )
    forget(context, "session", "session-task")
    left = rows(context, "select report -> 'samples' from recompute_reports order by step")
    assert left == [([samples[1]],), ([],)]


def import_(context: StepContext, file: Path, *, force: bool = False) -> ImportSummary:
    return import_files(context, [(importer_for("jsonl"), file)], force=force)


def test_a_forgotten_session_comes_back_by_no_import_until_that_is_taken_back(
    context: StepContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "open_store", lambda: nullcontext(context))
    file = tmp_path / "log.jsonl"
    events = [*work(), *work("kept")]

    def write() -> None:
        file.write_text("".join(event.model_dump_json(exclude_defaults=True) + "\n" for event in events))

    write()
    assert import_(context, file).attempts == 4
    assert "forgot 2 attempts" in CliRunner().invoke(privacy.app, ["forget", "session", "session-task", "--yes"]).stdout
    misspelt = CliRunner().invoke(privacy.app, ["forget", "session", "session-tsak", "--yes"]).stdout
    assert misspelt.startswith("nothing of session 'session-tsak' was there")
    events.append(attempt("task-3", "task", minutes=20, failed=True))
    write()
    for summary in (import_(context, file), import_(context, file, force=True)):
        assert (summary.attempts, summary.forgotten, summary.as_dict()["forgotten"]) == (2, 3, 3)
    sessions = "select distinct session_id from execution_inbox order by 1"
    assert rows(context, sessions) == [("session-kept",)]
    undo = ["forget", "session", "session-task", "--undo"]
    assert "import FORMAT --force" in CliRunner().invoke(privacy.app, undo).stdout
    assert "was not forgotten" in CliRunner().invoke(privacy.app, undo).stdout
    assert import_(context, file, force=True).forgotten == 0
    assert rows(context, sessions) == [("session-kept",), ("session-task",)]


def test_of_a_repository_or_peer_what_begins_later_is_kept(context: StepContext) -> None:
    take_in(context, work(peer_id="alice", **in_repository("a/b")))
    forget(context, "repository", "a/b")
    unseen = attempt("before", "before", minutes=0, failed=True, **in_repository("a/b"))
    minutes = (datetime.now(UTC) - START) // timedelta(minutes=1) + 3
    later = attempt("later", "task", minutes=minutes, failed=True, peer_id="alice", **in_repository("a/b"))
    assert take_in(context, [unseen, later]).forgotten == 1
    assert rows(context, "select attempt_id from execution_inbox") == [(uid("later"),)]
    forget(context, "peer", "alice")
    assert take_in(context, [later]).forgotten == 1


def test_an_attempt_stays_out_whatever_another_source_says_of_it(context: StepContext) -> None:
    take_in(context, work(peer_id="alice"))
    forget(context, "peer", "alice")
    assert take_in(context, work()).forgotten == 2
    assert let_in(context, "peer", "alice")
    assert take_in(context, work()).forgotten == 0


def test_what_is_forgotten_is_remembered_by_ids_alone(context: StepContext) -> None:
    take_in(context, work(peer_id="alice"))
    for kind, subject in (("session", "session-task"), ("peer", "alice"), ("repository", "example/names")):
        forget(context, kind, subject)
    kept = str(rows(context, "select forgotten::text from forgotten"))
    assert not [name for name in ("alice", "session-task", "example") if name in kept]
    assert rows(context, "select kind, count(*) from forgotten group by 1 order by 1") == [
        ("attempt", 2),
        ("peer", 1),
        ("repository", 1),
        ("session", 1),
    ]


def test_what_is_forgotten_while_a_step_works_on_it_is_not_written(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest_events(context, [*work(), *work("kept")], "test")
    run_fact_step(context, ExecutionAttemptsStep(), Span(DAY, DAY))
    derive = ErrorPatternsStep.derive
    began: list[threading.Thread] = []

    def meanwhile(
        step: ErrorPatternsStep, context: StepContext, chunk: Sequence[PendingAttempt], connection: Connection
    ) -> Derived:
        derived = derive(step, context, chunk, connection)
        if not began:
            began.append(threading.Thread(target=forget, args=(context, "session", "session-task")))
            began[0].start()
            began[0].join(30)
        return derived

    monkeypatch.setattr(ErrorPatternsStep, "derive", meanwhile)
    report = run_fact_step(context, ErrorPatternsStep(), Span(DAY, DAY))
    assert not began[0].is_alive()
    assert report.attempts == 2
    for table in ("execution_inbox", "attempt_errors", "step_progress"):
        ids = {row[0] for row in rows(context, f"select attempt_id from {table}")}
        assert ids <= {uid("kept-1"), uid("kept-2")}, table
        assert uid("kept-1") in ids, table


def test_what_comes_in_while_it_is_forgotten_goes_too(context: StepContext) -> None:
    """An ingestion that is not committed yet is waited for."""
    late, *_ = work()
    with context.database.transaction() as connection:
        context.executions.ingest_in(connection, [late])
        thread = threading.Thread(target=forget, args=(context, "session", "session-task"))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
    thread.join(30)
    assert not thread.is_alive()
    assert rows(context, "select attempt_id from execution_inbox") == []


def test_a_killed_forgetting_leaves_its_days_to_the_next_run(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(context, work())
    assert rows(context, "select count(*) from debug_error_success_mappings") == [(1,)]
    with monkeypatch.context() as patch:
        patch.setattr("debug_loop_pipeline.steps.forget.run_all", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            forget(context, "session", "session-task")
    run_dirty_days(context)
    assert rows(context, "select count(*) from debug_error_success_mappings") == [(0,)]


def test_events_that_are_written_one_by_one_are_counted_as_forgotten_too(context: StepContext) -> None:
    forget(context, "session", "session-task")
    raw = [RawEvent(event.model_dump_json().encode()) for event in [*work(), *work("kept")]]
    with context.database.transaction() as connection:
        report = write_each(context, connection, raw, "test")
    assert (report.events, report.forgotten, report.rejects) == (2, 2, [])
