"""The asset and the sensor over the topic of executions, on both brokers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from debug_loop_pipeline.assets.execution_events import EVENTS, execution_events_job
from debug_loop_pipeline.effects.kafka import EXECUTIONS
from debug_loop_pipeline.models.servers import ServerAddresses
from debug_loop_pipeline.resources.servers import KafkaResource
from debug_loop_pipeline.sensors.dirty_days import RANGE_END, RANGE_START
from tests.integration.dagster.conftest import Pipeline
from tests.support.executions import Ingestion, empty_execution_topics, events, ingestion_on


@pytest.fixture
def ingestion(pipeline: Pipeline, kafka: ServerAddresses, tmp_path: Path) -> Iterator[Ingestion]:
    servers = kafka.kafka_bootstrap_servers
    assert servers is not None
    empty_execution_topics(servers)
    with ingestion_on(pipeline.url, servers, tmp_path) as made:
        made.kafka.ensure_topics([EXECUTIONS])
        yield made


def tick(pipeline: Pipeline, servers: str | None) -> dg.RunRequest | dg.SkipReason:
    resources = {"postgres": pipeline.postgres, "kafka": KafkaResource(bootstrap_servers=servers)}
    with dg.build_sensor_context(instance=pipeline.instance, resources=resources) as context:
        answer = pipeline.defs.resolve_sensor_def("execution_lag")(context)
    assert isinstance(answer, (dg.RunRequest, dg.SkipReason))
    return answer


def run(pipeline: Pipeline, servers: str, first: str, last: str) -> dg.ExecuteInProcessResult:
    return pipeline.defs.resolve_job_def(execution_events_job.name).execute_in_process(
        instance=pipeline.instance,
        tags={RANGE_START: first, RANGE_END: last},
        resources={"postgres": pipeline.postgres, "kafka": KafkaResource(bootstrap_servers=servers)},
        raise_on_error=False,
    )


def test_the_sensor_asks_for_what_nobody_reads_and_the_asset_reads_it(pipeline: Pipeline, ingestion: Ingestion) -> None:
    answer = tick(pipeline, ingestion.servers)
    assert isinstance(answer, dg.SkipReason)
    ingestion.tell(events(60))
    asked = tick(pipeline, ingestion.servers)
    assert isinstance(asked, dg.RunRequest)  # never read at all: no service is there
    result = run(pipeline, ingestion.servers, asked.tags[RANGE_START], asked.tags[RANGE_END])
    assert result.success
    told = {
        materialization.partition: materialization.metadata["dagster/partition_row_count"].value
        for materialization in result.asset_materializations_for_node(EVENTS)
    }
    assert sum(told.values()) == 60
    assert pipeline.rows("select count(*) as n from execution_inbox") == [{"n": 60}]
    assert len(pipeline.dirty()) > 0
    assert isinstance(tick(pipeline, ingestion.servers), dg.SkipReason)


def test_a_young_lag_is_left_to_the_service_and_an_old_one_is_not(pipeline: Pipeline, ingestion: Ingestion) -> None:
    ingestion.tell(events(30))
    assert run(pipeline, ingestion.servers, "0", "9").success
    for start in (30, 40):  # two batches: one of the brokers tells an end only behind the first
        ingestion.tell(events(start + 10)[start:])
    young = tick(pipeline, ingestion.servers)
    assert isinstance(young, dg.SkipReason)
    pipeline.execute("update consumer_offsets set updated_at = now() - interval '1 minute'")
    assert isinstance(tick(pipeline, ingestion.servers), dg.RunRequest)
    in_flight = dg.DagsterRun(job_name=execution_events_job.name, status=dg.DagsterRunStatus.NOT_STARTED)
    pipeline.instance.add_run(in_flight)
    waits = tick(pipeline, ingestion.servers)
    assert isinstance(waits, dg.SkipReason)
    assert "1 run sees to it" in (waits.skip_message or "")
    pipeline.instance.report_run_failed(in_flight)
    failed = tick(pipeline, ingestion.servers)
    assert isinstance(failed, dg.SkipReason)
    assert "failed lately" in (failed.skip_message or "")


def test_without_a_broker_the_sensor_says_so_and_with_a_dead_one_the_tick_fails(pipeline: Pipeline) -> None:
    answer = tick(pipeline, None)
    assert isinstance(answer, dg.SkipReason)
    assert "no Kafka broker" in (answer.skip_message or "")
    with pytest.raises(Exception, match=r"127\.0\.0\.1:9"):
        tick(pipeline, "127.0.0.1:9")


def test_the_service_and_runs_over_the_same_partitions_double_nothing(pipeline: Pipeline, ingestion: Ingestion) -> None:
    from debug_loop_pipeline.steps.execution_service import ExecutionService

    service = ExecutionService(ingestion.context, ingestion.consumer)
    service.start()
    try:
        for start in (0, 100, 200):
            ingestion.tell(events(start + 100, tasks=30)[start:])
            assert run(pipeline, ingestion.servers, "0", "9").success
    finally:
        service.stop()
    assert run(pipeline, ingestion.servers, "0", "9").success
    assert pipeline.rows("select count(*) as n from execution_inbox") == [{"n": 300}]
    assert pipeline.rows("select sum(next_offset) as n from consumer_offsets where consumer = 'execution_inbox'") == [
        {"n": 300}
    ]
