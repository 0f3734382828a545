"""The asset between the topic of executions and the inbox: one static partition per Kafka partition (ARCHITECTURE section 4)."""

import warnings
from collections.abc import Callable
from typing import Any

import dagster as dg

from debug_loop_pipeline.assets.daily import KINDS, OWNERS
from debug_loop_pipeline.assets.tables import table_metadata
from debug_loop_pipeline.models.topics import PARTITIONS
from debug_loop_pipeline.resources.executions import consumer_on
from debug_loop_pipeline.resources.servers import KafkaResource, PostgresResource

EVENTS = "execution_events"
POOL = "debug_loop_executions"

execution_partitions = dg.StaticPartitionsDefinition([str(number) for number in range(PARTITIONS)])
"""One per partition of `agent.executions.v1`."""


def _topic_asset(body: Callable[..., Any]) -> dg.AssetsDefinition:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Parameter `backfill_policy`", dg.BetaWarning)
        return dg.asset(
            partitions_def=execution_partitions,
            backfill_policy=dg.BackfillPolicy.single_run(),
            code_version="1",
            description="Attempts that agents told through Kafka, in the inbox: validated, redacted, each revision once, its offset in the"
            " same transaction. One partition per Kafka partition. `debug-loop consume` does the same in milliseconds; both may run"
            " at once.",
            group_name="debug_intelligence",
            owners=OWNERS,
            kinds=KINDS | {"kafka"},
            metadata=table_metadata("execution_inbox"),
            pool=POOL,
        )(body)


@_topic_asset
def execution_events(
    context: dg.AssetExecutionContext, postgres: PostgresResource, kafka: KafkaResource
) -> dg.MaterializeResult[Any]:
    """Takes in what is there, then ends."""
    from debug_loop_pipeline.steps.consume_executions import consume_partition

    partitions = sorted(int(key) for key in context.partition_keys)
    with consumer_on(postgres, kafka) as consumer:
        report = consume_partition(postgres.steps(context), consumer, partitions)
    for partition in partitions:
        messages = report.per_partition.get(partition, 0)
        context.add_asset_metadata({"dagster/partition_row_count": messages}, partition_key=str(partition))
    return dg.MaterializeResult(
        metadata={
            "seconds": round(report.seconds, 3),
            "messages": report.messages,
            "events": report.events,
            "changed_attempts": report.changed_attempts,
            "forgotten": report.forgotten,
            "rejects": report.rejects,
            "per_second": round(report.messages / report.seconds, 1) if report.seconds else 0.0,
        }
    )


execution_events_job = dg.define_asset_job(
    "execution_events_job",
    selection=dg.AssetSelection.assets(EVENTS),
    executor_def=dg.in_process_executor,
    description="Reads what agents told through Kafka, over some of the topic's ten partitions.",
)
