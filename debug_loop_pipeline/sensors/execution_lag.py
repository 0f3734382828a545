"""Asks for `execution_events` where the topic of executions is not read: no consumer service runs, or it is stuck."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from debug_loop_pipeline.resources.executions import consumer_on
from debug_loop_pipeline.resources.servers import KafkaResource, PostgresResource
from debug_loop_pipeline.sensors.catch_up import PATIENCE, ask_for_catch_up

if TYPE_CHECKING:
    from debug_loop_pipeline.effects.consumer_offsets import PartitionLag

_TICK_TIMEOUT_S = 5.0


def partitions_behind(lags: "Iterable[PartitionLag]", now: datetime, patience: timedelta = PATIENCE) -> list[int]:
    """The partitions with messages that nobody has read since `patience` ago."""
    before = now - patience
    return [lag.partition for lag in lags if lag.unread and (lag.moved_at is None or lag.moved_at <= before)]


def execution_lag_sensor(job_name: str) -> dg.SensorDefinition:
    """The sensor that asks for a run over the partitions that lag."""

    @dg.sensor(
        name="execution_lag",
        job_name=job_name,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A run over the partitions of agent.executions.v1 that lag, where no consumer service has read them.",
    )
    def execution_lag(
        context: dg.SensorEvaluationContext, postgres: PostgresResource, kafka: KafkaResource
    ) -> dg.RunRequest | dg.SkipReason:
        if not kafka.is_known():
            return dg.SkipReason("no Kafka broker is configured or running")
        with consumer_on(postgres, kafka, timeout_s=_TICK_TIMEOUT_S) as consumer:
            return ask_for_catch_up(
                context.instance,
                job_name,
                lambda: partitions_behind(consumer.lags(), datetime.now(UTC)),
                "every execution is read, or was sent a moment ago",
            )

    return execution_lag
