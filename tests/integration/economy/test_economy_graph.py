"""The economy's group on a real instance: what its assets write and show, its checks, its sensors, and that off is off."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import dagster as dg
import orjson
import pytest

from debug_loop_pipeline.assets.token_economy import BALANCES, DAILY, token_balances_job, token_economy_job
from debug_loop_pipeline.checks.token_economy import ALL_CHECKS
from debug_loop_pipeline.definitions import build_defs
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.kafka import CONTRIBUTION_REJECTS, CONTRIBUTIONS, Message, partition_of
from debug_loop_pipeline.effects.schema_columns import table_columns
from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.resources.ledger import broker_on, ledger_on
from debug_loop_pipeline.resources.servers import KafkaResource, PostgresResource, ValkeyResource
from debug_loop_pipeline.sensors.dirty_days import RANGE_END, RANGE_START
from debug_loop_pipeline.sensors.token_economy import read_lags
from debug_loop_pipeline.settings import Settings, get_settings
from debug_loop_pipeline.steps.contribution_intake import take_in, waiting
from debug_loop_pipeline.steps.economy_due import due_days
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_dirty_days
from tests.conftest import _create, _drop, _make_test_directory
from tests.support.contributors import unlike, wrote
from tests.support.events import START, fixed_task

FIRST = START.date()
SPAN = Span(FIRST, FIRST + timedelta(days=3))
PEERS = 12
TABLES = (
    "contributions",
    "contribution_fingerprints",
    "token_accounts",
    "token_charges",
    "token_outbox",
    "token_transactions",
    "token_balances",
    "economic_metrics",
)


@dataclass
class Graph:
    """The definitions with the economy on, over servers of their own."""

    instance: dg.DagsterInstance
    defs: dg.Definitions
    postgres: PostgresResource
    kafka: KafkaResource
    valkey: ValkeyResource

    @property
    def context(self) -> StepContext:
        return StepContext(self.postgres.database(), Settings(economy_enabled=True))

    def run(self, job: dg.UnresolvedAssetJobDefinition, first: str, last: str) -> dg.ExecuteInProcessResult:
        return self.defs.resolve_job_def(job.name).execute_in_process(
            instance=self.instance, tags={RANGE_START: first, RANGE_END: last}, raise_on_error=False
        )

    def economy(self, span: Span) -> dg.ExecuteInProcessResult:
        return self.run(token_economy_job, span.first.isoformat(), span.last.isoformat())

    def fold(self) -> dg.ExecuteInProcessResult:
        return self.run(token_balances_job, "0", "9")

    def rows(self, query: str) -> list[dict[str, Any]]:
        return fetch_rows(self.postgres.database(), query)

    def counts(self) -> dict[str, int]:
        return {table: self.rows(f"select count(*) as n from {table}")[0]["n"] for table in TABLES}


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    directory = _make_test_directory()
    servers = Supervisor(directory, durable=False)
    address = servers.up("tansu", postgres=False, valkey=False).kafka_bootstrap_servers
    assert address is not None
    yield address
    servers.down()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def graph(
    postgres_server_url: str, priced: str, valkey_url: str, broker: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Graph]:
    """Part 1 is computed over five days of work: twelve peers wrote something, three tasks teach a fix."""
    name = f"test_{uuid4().hex[:12]}"
    url = _create(postgres_server_url, name, priced)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEBUG_LOOP_POSTGRES_URL", url)
        patch.setenv("DEBUG_LOOP_ECONOMY_ENABLED", "true")
        get_settings.cache_clear()
        resources = {
            "postgres": PostgresResource(url=url),
            "kafka": KafkaResource(bootstrap_servers=broker),
            "valkey": ValkeyResource(url=valkey_url),
        }
        with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as instance:
            made = Graph(instance, build_defs(resource_overrides=resources), **resources)  # type: ignore[arg-type]
            events = [wrote(f"w-{n}", unlike(n), f"peer-{n}", minutes=(n % 4) * 24 * 60 + n) for n in range(PEERS)] + [
                event for day in range(3) for event in fixed_task(f"task-{day}", day=day)
            ]
            assert ingest_events(made.context, events, "test").rejects == []
            run_dirty_days(made.context)
            yield made
        resources["postgres"].database().close()  # type: ignore[attr-defined]
    get_settings.cache_clear()
    _drop(postgres_server_url, name)


def materialized(result: dg.ExecuteInProcessResult) -> set[tuple[str, str | None]]:
    told = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
    return {(m.asset_key.to_user_string(), m.partition) for m in told}


def shown(result: dg.ExecuteInProcessResult, asset: str, partition: str) -> dict[str, Any]:
    found = [e.step_materialization_data.materialization for e in result.get_asset_materialization_events()]
    [metadata] = [m.metadata for m in found if m.asset_key == dg.AssetKey(asset) and m.partition == partition]
    return {key: value.value for key, value in metadata.items()}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def today() -> Span:
    day = datetime.now(UTC).date()
    return Span(day, day)


def test_a_range_takes_in_decides_charges_and_measures_and_the_fold_balances(graph: Graph) -> None:
    due = due_days(graph.context, today().last)
    assert set(due) >= {SPAN.first + timedelta(days=n) for n in range(4)}
    early = graph.economy(today())  # what follows from folds is taken in by any run from its day on
    first = shown(early, "token_rewards", today().first.isoformat())
    assert (first["millitokens_fix"], first["rewarded"], first["unrewarded"]) == (100_000, 2, 2)
    before = checks(early)["gini"]
    assert (before.passed, before.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert before.metadata["status"].value == "not enough data"

    result = graph.economy(SPAN)
    assert result.success
    days = [(SPAN.first + timedelta(days=n)).isoformat() for n in range(4)]
    assert materialized(result) == {(asset, day) for asset in DAILY for day in days}
    rewards = shown(result, "token_rewards", days[-1])
    assert rewards["rewarded"] == PEERS + 1  # a function each, and one of those that the tasks wrote
    assert "data:image/png;base64," in rewards["plot"]
    spend = shown(result, "token_spend", days[-1])
    assert spend["attempts"] == PEERS + 6
    assert spend["millitokens_spent"] > 0

    with ledger_on(graph.postgres, graph.kafka, graph.valkey) as ledger:
        _, unpublished = read_lags(ledger)
        assert set(unpublished) == {row["partition"] for row in graph.rows("select partition from token_outbox")}
    folded = graph.fold()
    assert folded.success
    assert {key for _, key in materialized(folded)} == {str(n) for n in range(10)}
    assert shown(folded, BALANCES, "9")["folded"] == graph.counts()["token_outbox"]
    integrity = checks(folded)
    not_passed = {name: check.metadata for name, check in integrity.items() if not check.passed}
    assert set(not_passed) <= {"cache_hit_rate"}
    assert integrity["copies_are_equal"].metadata["replayed"].value == graph.counts()["token_outbox"]
    with ledger_on(graph.postgres, graph.kafka, graph.valkey) as ledger:
        behind, unpublished = read_lags(ledger)
        assert ([lag for lag in behind if lag.unread], unpublished) == ([], {})

    measured = graph.economy(today())
    assert measured.success
    found = checks(measured)
    assert found["gini"].metadata["contributors"].value == PEERS + 1
    assert 0 <= found["gini"].metadata["value"].value < 0.5
    assert found["gini"].passed
    assert "Lorenz" in found["gini"].metadata["lorenz"].value
    assert "data:image/png;base64," in found["supply"].metadata["plot"].value
    assert "data:image/png;base64," in found["velocity"].metadata["plot"].value
    supply = graph.rows("select value from economic_metrics where metric = 'supply'")[0]["value"]
    assert supply * 1000 == graph.rows("select sum(balance) as s from token_accounts")[0]["s"]
    assert due_days(graph.context, today().last) == []


def test_the_same_range_again_changes_nothing(graph: Graph) -> None:
    counts = graph.counts()
    balances = graph.rows("select * from token_accounts order by peer_id")
    assert graph.economy(SPAN).success
    assert graph.fold().success
    assert graph.counts() == counts
    assert graph.rows("select * from token_accounts order by peer_id") == balances


def test_every_check_of_the_group_runs_in_a_job(graph: Graph) -> None:
    jobs = [graph.defs.resolve_job_def(job.name) for job in (token_economy_job, token_balances_job)]
    in_jobs = set().union(*(job.asset_layer.asset_graph.asset_check_keys for job in jobs))
    assert in_jobs == {key for check in ALL_CHECKS for key in check.check_keys}


def tick_of(graph: Graph, name: str) -> dg.SensorExecutionData:
    sensor = graph.defs.get_repository_def().get_sensor_def(name)
    resources = {"postgres": graph.postgres, "kafka": graph.kafka}
    if name == "ledger_lag":
        resources |= {"valkey": graph.valkey}
    with dg.build_sensor_context(instance=graph.instance, resources=resources) as context:
        return sensor.evaluate_tick(context)


def test_the_sensor_asks_for_days_with_something_to_do_and_then_for_none(graph: Graph) -> None:
    def tick() -> dg.SensorExecutionData:
        return tick_of(graph, "new_contributions")

    assert tick().run_requests == []
    assert ingest_events(graph.context, [wrote("late", unlike(77), "peer-77", minutes=9)], "test").rejects == []
    run_dirty_days(graph.context)
    [request] = tick().run_requests
    assert request.tags[RANGE_START] == FIRST.isoformat()
    assert graph.economy(Span(FIRST, FIRST)).success
    assert graph.fold().success
    assert [r.tags[RANGE_START] for r in tick().run_requests] == [today().first.isoformat()]  # its numbers moved
    assert graph.economy(today()).success
    assert tick().run_requests == []


def test_what_others_tell_on_the_topic_is_taken_in_once_and_what_is_none_is_kept_apart(graph: Graph) -> None:
    for due in tick_of(graph, "new_contributions").run_requests:
        assert graph.run(token_economy_job, due.tags[RANGE_START], due.tags[RANGE_END]).success
    [work] = graph.rows("select attempt_id, peer_id from debug_execution_attempts where peer_id = 'peer-2'")
    told = {
        "contribution_id": "told-1",
        "peer_id": "peer-2",
        "kind": "stf",
        "attempt_id": str(work["attempt_id"]),
        "code": unlike(2) + "\n\n" + unlike(500),
        "language": "python",
        "path": "told.py",
        "occurred_at": START.isoformat(),
    }
    stolen = told | {"contribution_id": "told-2", "peer_id": "eve", "code": unlike(502)}
    secret = told | {"kind": "fix", "password": "hunter2hunter2"}
    messages = [orjson.dumps(event) for event in (told, stolen, secret)] + [b"no json"]
    with broker_on(graph.postgres, graph.kafka) as kafka:
        kafka.ensure_topics()
        kafka.publish(CONTRIBUTIONS, [Message(partition_of("any"), b"any", message) for message in messages])
        assert waiting(graph.context, kafka) > 0
    before = graph.rows("select coalesce(sum(balance), 0) as b from token_accounts where peer_id = 'peer-2'")[0]["b"]
    [request] = tick_of(graph, "new_contributions").run_requests
    result = graph.run(token_economy_job, request.tags[RANGE_START], request.tags[RANGE_END])
    assert result.success
    taken = shown(result, "contributions", request.tags[RANGE_END])
    assert (taken["topic_messages"], taken["topic_contributions"], taken["topic_rejects"]) == (4, 3, 2)
    query = "select peer_id, function_name, status, amount from contributions where origin = 'topic' order by 1, 2"
    rows = graph.rows(query)
    assert [(r["peer_id"], r["function_name"], r["status"]) for r in rows] == [
        ("eve", "work_502", "rejected"),
        ("peer-2", "work_2", "unrewarded"),  # its own, which the pipeline told before
        ("peer-2", "work_500", "rejected"),  # it never wrote that
    ]
    after = graph.rows("select balance as b from token_accounts where peer_id = 'peer-2'")[0]["b"]
    assert after == before + sum(r["amount"] for r in rows)
    rejects = graph.rows("select reason, payload from contribution_rejects order by reject_id")
    assert len(rejects) == 2
    assert "hunter2hunter2" not in rejects[0]["payload"]
    with broker_on(graph.postgres, graph.kafka) as kafka:
        with closing(kafka.reader(CONTRIBUTION_REJECTS, kafka.beginning_offsets(CONTRIBUTION_REJECTS))) as reader:
            told_back = [
                message
                for batches in reader.to_the_end(kafka.end_offsets(CONTRIBUTION_REJECTS))
                for batch in batches
                for message in batch.messages
            ]
        assert len(told_back) == 2
        with graph.postgres.database().transaction() as connection:
            connection.exec_driver_sql("delete from consumer_offsets where consumer = 'contributions'")
        assert take_in(graph.context, kafka).messages == 4  # read from the beginning: known by their ids
        assert take_in(graph.context, kafka).messages == 0
    assert graph.rows("select count(*) as n from contribution_rejects") == [{"n": 2}]
    assert rows == graph.rows(query)


def test_the_lag_sensor_leaves_the_young_to_the_service_and_asks_for_the_old(graph: Graph) -> None:
    assert graph.fold().success

    def tick() -> dg.SensorExecutionData:
        return tick_of(graph, "ledger_lag")

    with ledger_on(graph.postgres, graph.kafka, graph.valkey) as ledger:
        ledger.accounts.grant("peer-1", 5_000, "by the test", by="tester", note="", now=datetime.now(UTC))
        assert tick().run_requests == []
        with graph.postgres.database().transaction() as connection:
            connection.exec_driver_sql("update token_outbox set decided_at = decided_at - interval '1 minute'")
        [request] = tick().run_requests
        assert request.tags[RANGE_START] == request.tags[RANGE_END]
        assert graph.run(token_balances_job, request.tags[RANGE_START], request.tags[RANGE_END]).success
        assert tick().run_requests == []
        assert ledger.balance("peer-1") == ledger.ledger.accounts(["peer-1"])["peer-1"]
        # What was read of another log is not read of this one, however far it went.
        with graph.postgres.database().transaction() as connection:
            connection.exec_driver_sql(
                "update consumer_offsets set topic_id = 'another', next_offset = 1000 where consumer = 'token_balances'"
            )
        [request] = tick().run_requests
        assert graph.run(token_balances_job, request.tags[RANGE_START], request.tags[RANGE_END]).success
        assert tick().run_requests == []


def test_a_damaged_ledger_fails_its_checks(graph: Graph) -> None:
    with graph.postgres.database().transaction() as connection:
        connection.exec_driver_sql("update token_balances set balance = balance + 1 where peer_id = 'peer-1'")
        connection.exec_driver_sql("update contributions set transaction_id = gen_random_uuid() where kind = 'fix'")
    found = checks(graph.fold()) | checks(graph.economy(today()))
    assert not found["supply_is_conserved"].passed
    assert not found["copies_are_equal"].passed
    assert found["copies_are_equal"].severity is dg.AssetCheckSeverity.ERROR
    assert "peer-1" in found["copies_are_equal"].metadata["offenders"].value
    assert not found["rewards_are_paid_once"].passed


def test_with_the_economy_off_there_is_no_group_and_no_table_of_it_is_written(
    postgres_server_url: str, priced: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"test_{uuid4().hex[:12]}"
    url = _create(postgres_server_url, name, priced)
    monkeypatch.delenv("DEBUG_LOOP_ECONOMY_ENABLED", raising=False)
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", url)
    get_settings.cache_clear()
    postgres = PostgresResource(url=url)
    defs = build_defs(resource_overrides={"postgres": postgres})
    groups = {spec.group_name for spec in defs.resolve_all_asset_specs()}
    assert groups == {"debug_intelligence"}
    context = StepContext(postgres.database(), Settings())
    ingest_events(context, [event for day in range(3) for event in fixed_task(f"task-{day}", day=day)], "test")
    run_dirty_days(context)
    written = [t for t in table_columns() if t.startswith(("token_", "contribution", "economic_", "consumer_"))]
    assert set(written) >= set(TABLES)
    for table in written:
        assert fetch_rows(postgres.database(), f"select count(*) as n from {table}") == [{"n": 0}], table
    postgres.database().close()
    get_settings.cache_clear()
    _drop(postgres_server_url, name)
