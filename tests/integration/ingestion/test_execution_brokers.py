"""Executions over real brokers: each once however often it comes, poison passed over, logs that are others, drivers that compete."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DataError

from debug_loop_pipeline.client.broker import TopicMismatchError
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.kafka import EXECUTION_REJECTS, EXECUTIONS, Kafka
from debug_loop_pipeline.models.servers import ServerAddresses
from debug_loop_pipeline.models.verdict import Verdict, VerdictKind
from debug_loop_pipeline.steps import consume_executions as consume_module
from debug_loop_pipeline.steps import ingestion as ingestion_module
from debug_loop_pipeline.steps.consume_executions import ExecutionLoop, consume_partition, take_batches
from debug_loop_pipeline.steps.execution_service import ExecutionService
from debug_loop_pipeline.steps.forget import forget
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.verdicts import record_verdict
from tests.support.digests import table_digests
from tests.support.events import attempt
from tests.support.executions import Ingestion, empty_execution_topics, events, ingestion_on
from tests.support.ledger import wait_for

SECRET = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"


@pytest.fixture
def ingestion(store_urls: Callable[[], str], kafka: ServerAddresses, tmp_path: Path) -> Iterator[Ingestion]:
    servers = kafka.kafka_bootstrap_servers
    assert servers is not None
    empty_execution_topics(servers)
    with ingestion_on(store_urls(), servers, tmp_path) as made:
        made.kafka.ensure_topics([EXECUTIONS])
        yield made


def rows(ingestion: Ingestion, query: str) -> list[dict[str, Any]]:
    return fetch_rows(ingestion.context.database, query)


def inbox(ingestion: Ingestion) -> int:
    return int(rows(ingestion, "select count(*) as n from execution_inbox")[0]["n"])


def test_what_is_told_is_in_the_inbox_once_as_if_it_had_been_imported(
    ingestion: Ingestion, store_urls: Callable[[], str]
) -> None:
    told = events(120)
    ingestion.tell(told)
    ingestion.tell(told[:50])
    report = consume_partition(ingestion.context, ingestion.consumer)
    assert (report.messages, report.events, report.changed_attempts, report.rejects) == (170, 170, 120, 0)
    assert consume_partition(ingestion.context, ingestion.consumer).messages == 0
    with ingestion_on(store_urls(), ingestion.servers, ingestion.context.settings.data_dir) as straight:
        ingest_events(straight.context, told, "test")
        assert {**table_digests(ingestion.context.database), "consumer_offsets": ""} == {
            **table_digests(straight.context.database),
            "consumer_offsets": "",
        }


def test_a_batch_that_was_taken_is_not_taken_again(ingestion: Ingestion) -> None:
    ingestion.tell(events(20))
    log = ingestion.consumer.follow()
    reader = ingestion.consumer.reader(log)
    batches: list[Any] = []
    assert wait_for(lambda: len(batches.__iadd__(reader.poll(0.2))) > 0)
    reader.close()
    report, stale = take_batches(ingestion.context, ingestion.consumer, batches, log.topic_id)
    assert report.messages == sum(len(batch.messages) for batch in batches)
    assert stale == {}
    again, stale = take_batches(ingestion.context, ingestion.consumer, batches, log.topic_id)
    assert again.messages == 0
    assert stale == {batch.partition: batch.end for batch in batches}
    other, stale = take_batches(ingestion.context, ingestion.consumer, batches, "another topic")
    assert (other.messages, stale.keys()) == (0, {batch.partition for batch in batches})


def test_poison_is_kept_apart_with_its_reason_and_nothing_waits_behind_it(ingestion: Ingestion) -> None:
    good = events(30)
    deep: dict[str, Any] = {}
    for _ in range(700):
        deep = {"a": deep}
    template = json.loads(good[0].model_dump_json(exclude_defaults=True, exclude={"completed_at"}))
    poison: list[tuple[str, bytes | None]] = [
        ("k", b"\xff\xfe no json"),
        ("k", None),
        ("k", b"[]"),
        ("k", b'{"attempt_id": "x", "password": "' + SECRET.encode() + b'"}'),
        ("k", json.dumps(template | {"status": "perfect"}).encode()),
        ("k", json.dumps(template | {"metadata": deep}).encode()),
        ("k", json.dumps(template | {"started_at": "2019-01-01T00:00:00Z"}).encode()),
        ("k", json.dumps(template | {"started_at": (datetime.now(UTC) + timedelta(days=3)).isoformat()}).encode()),
    ]
    ingestion.tell(good[:15])
    ingestion.put(poison)
    ingestion.tell(good[15:])
    report = consume_partition(ingestion.context, ingestion.consumer)
    assert (report.events, report.rejects, report.untold_rejects) == (30, len(poison), 0)
    assert inbox(ingestion) == 30
    kept = rows(ingestion, "select reason, source, position, payload from execution_rejects order by reject_id")
    assert len(kept) == len(poison)
    assert {row["source"] for row in kept} == {EXECUTIONS.name}
    letters = [json.loads(letter.value or b"") for letter in ingestion.dead_letters()]
    assert {(letter["reason"], letter["position"]) for letter in letters} == {
        (row["reason"], row["position"]) for row in kept
    }
    reasons = " | ".join(row["reason"] for row in kept)
    for expected in ("not JSON", "status", "before the first partition", "more than a day ahead"):
        assert expected in reasons
    assert SECRET not in json.dumps(letters) + str(kept)


def test_an_event_that_the_store_refuses_is_found_among_the_others(
    ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = consume_module.write_prepared

    def refuse(context: Any, connection: Any, prepared: Any) -> Any:
        if any(event.agent_name == "poison" for event in prepared.events):
            raise DataError("insert", {}, Exception("value out of range"))
        return real(context, connection, prepared)

    for module in (consume_module, ingestion_module):  # together, and one by one
        monkeypatch.setattr(module, "write_prepared", refuse)
    ingestion.tell([*events(10), attempt("bad", "task", minutes=1, failed=True, agent_name="poison"), *events(20)[10:]])
    report = consume_partition(ingestion.context, ingestion.consumer)
    assert (report.events, report.rejects) == (20, 1)
    assert "value out of range" in rows(ingestion, "select reason from execution_rejects")[0]["reason"]
    assert len(ingestion.dead_letters()) == 1


def test_a_topic_of_dead_letters_that_takes_nothing_blocks_nothing(
    ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Kafka.publish

    def publish(self: Kafka, topic: Any, messages: Any) -> int:
        if topic == EXECUTION_REJECTS:
            raise TopicMismatchError("another number of partitions")
        return real(self, topic, messages)

    monkeypatch.setattr(Kafka, "publish", publish)
    ingestion.put([("k", b"no event")])
    report = consume_partition(ingestion.context, ingestion.consumer)
    assert (report.rejects, report.untold_rejects) == (1, 1)
    assert len(rows(ingestion, "select 1 as one from execution_rejects")) == 1


def test_what_was_forgotten_and_comes_again_stays_out_and_is_counted(ingestion: Ingestion) -> None:
    told = events(6)
    ingestion.tell(told)
    consume_partition(ingestion.context, ingestion.consumer)
    assert told[0].session_id is not None
    forget(ingestion.context, "session", told[0].session_id)
    left = inbox(ingestion)
    ingestion.tell(told)
    report = consume_partition(ingestion.context, ingestion.consumer)
    assert (report.messages, report.forgotten) == (6, 6 - left)
    assert inbox(ingestion) == left < 6


def test_an_emptied_topic_is_followed_from_its_beginning(ingestion: Ingestion) -> None:
    ingestion.tell(events(40))
    assert consume_partition(ingestion.context, ingestion.consumer).messages == 40
    ingestion.kafka.close()
    empty_execution_topics(ingestion.servers)
    assert wait_for(lambda: ingestion.kafka.topic_id(EXECUTIONS) is None)
    ingestion.kafka.ensure_topics([EXECUTIONS])
    ingestion.tell(events(60)[30:])
    report = consume_partition(ingestion.context, ingestion.consumer)
    assert (report.messages, report.changed_attempts) == (30, 20)
    assert inbox(ingestion) == 60


def test_a_service_sees_that_the_topic_was_emptied_under_it(ingestion: Ingestion) -> None:
    service = ExecutionService(ingestion.context, ingestion.consumer)
    service.start()
    try:
        ingestion.tell(events(10))
        assert wait_for(lambda: inbox(ingestion) == 10)
        ingestion.kafka.close()
        empty_execution_topics(ingestion.servers)
        assert wait_for(lambda: ingestion.kafka.topic_id(EXECUTIONS) is None)
        ingestion.kafka.ensure_topics([EXECUTIONS])
        ingestion.tell(events(25)[10:])
        assert wait_for(lambda: inbox(ingestion) == 25, 30), service.passes.last_error
    finally:
        service.stop()


def test_drivers_that_read_the_same_partitions_share_the_work_and_double_nothing(
    ingestion: Ingestion, store_urls: Callable[[], str]
) -> None:
    url = ingestion.context.database.engine.url.render_as_string(hide_password=False)
    told = events(600, tasks=40)
    with ingestion_on(url, ingestion.servers, ingestion.context.settings.data_dir) as second:
        services = [ExecutionService(i.context, i.consumer) for i in (ingestion, second)]
        for service in services:
            service.start()
        try:
            for start in range(0, 600, 60):
                ingestion.tell(told[start : start + 60])
                if start == 240:
                    with ingestion_on(url, ingestion.servers, ingestion.context.settings.data_dir) as third:
                        consume_partition(third.context, third.consumer, [1, 2, 3])
            assert wait_for(lambda: inbox(ingestion) == 600, 40), [service.passes.last_error for service in services]
        finally:
            for service in services:
                service.stop()
        offsets = rows(
            ingestion, "select sum(next_offset) as n from consumer_offsets where consumer = 'execution_inbox'"
        )
        assert offsets == [{"n": 600}]
        assert sum(service.report.messages for service in services) <= 600


def test_events_of_one_task_arrive_in_the_order_in_which_they_were_told(ingestion: Ingestion) -> None:
    told = [attempt(f"in-order-{n}", "one-task", minutes=n, failed=True) for n in range(200)]
    for start in range(0, 200, 9):
        ingestion.tell(told[start : start + 9])
    found = [json.loads(message.value or b"")["attempt_id"] for message in ingestion.on_topic()]
    assert found == [str(event.attempt_id) for event in told]


def test_a_verdict_finds_the_attempts_that_come_through_kafka_whichever_is_first(ingestion: Ingestion) -> None:
    commit = "a" * 40
    verdict = Verdict(
        kind=VerdictKind.COMMIT,
        subject=commit,
        name="ci",
        passed=True,
        decided_at=datetime(2026, 3, 2, tzinfo=UTC),
        recorded_by="test",
    )
    here = {"context": {"repository": "a/b", "commit": commit}}
    record_verdict(ingestion.context, verdict)
    ingestion.tell([attempt("judged", "task", minutes=1, failed=False, **here)])
    consume_partition(ingestion.context, ingestion.consumer)
    held = rows(ingestion, "select evidence_rank from execution_inbox where holds")
    assert held == [{"evidence_rank": 3}]


def test_verdicts_and_attempts_that_come_at_once_always_meet(ingestion: Ingestion) -> None:
    def judge(number: int) -> None:
        record_verdict(
            ingestion.context,
            Verdict(
                kind=VerdictKind.COMMIT,
                subject=f"{number:040x}",
                name="ci",
                passed=True,
                decided_at=datetime(2026, 3, 2, tzinfo=UTC),
                recorded_by="test",
            ),
        )

    told = [
        attempt(f"at-once-{n}", f"at-once-{n}", minutes=n, failed=False, context={"commit": f"{n:040x}"})
        for n in range(40)
    ]
    judges = threading.Thread(target=lambda: [judge(n) for n in range(40)])
    judges.start()
    for event in told:
        ingest_events(ingestion.context, [event], "test")
    judges.join()
    held = rows(ingestion, "select count(*) as n from execution_inbox where holds and evidence_rank = 3")
    assert held == [{"n": 40}]


def test_reading_goes_on_where_it_was_after_the_broker_was_away(ingestion: Ingestion) -> None:
    ingestion.tell(events(10))
    log = ingestion.consumer.follow()
    loop = ExecutionLoop(ingestion.context, ingestion.consumer, log)
    try:
        deadline = time.monotonic() + 20
        while inbox(ingestion) < 10 and time.monotonic() < deadline:
            loop.turn(0.2)
    finally:
        loop.close()
    assert ingestion.consumer.follow().offsets == ingestion.consumer.offsets(log.topic_id)
    ingestion.tell(events(20)[10:])
    assert consume_partition(ingestion.context, ingestion.consumer).messages == 10
