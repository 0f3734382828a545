"""Asks for the economy's daily runs where something is left to do, and for the fold where the ledger lags.

Level-triggered, both: what is left to do stays so until a run has done it, so there is no cursor that could skip anything.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from debug_loop_pipeline.assets.token_economy import CLOSING, token_economy_unchecked_job
from debug_loop_pipeline.effects.consumer_offsets import PartitionLag
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.kafka import TRANSACTIONS
from debug_loop_pipeline.effects.resilience import EffectError
from debug_loop_pipeline.resources.ledger import broker_on, ledger_on
from debug_loop_pipeline.resources.servers import KafkaResource, PostgresResource, ValkeyResource
from debug_loop_pipeline.sensors.catch_up import PATIENCE, ask_for_catch_up
from debug_loop_pipeline.sensors.dirty_days import (
    RANGE_END,
    RANGE_START,
    REMEMBERED,
    SettlingRuns,
    plan_runs,
)
from debug_loop_pipeline.sensors.execution_lag import partitions_behind
from debug_loop_pipeline.settings import load_settings
from debug_loop_pipeline.steps.contribution_intake import waiting
from debug_loop_pipeline.steps.economy_due import due_days
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ledger import Ledger


def lagging(
    folded: Iterable[PartitionLag],
    unpublished: Mapping[int, datetime],
    now: datetime,
    patience: timedelta = PATIENCE,
) -> list[int]:
    """The partitions that are behind for longer than the consumer service needs.

    Args:
        folded: how far behind the fold is in each partition.
        unpublished: partition -> time of the oldest decision that the broker has not confirmed.
        now: the time of the tick.
        patience: how long the consumer service is given.
    """
    waiting = {partition for partition, oldest in unpublished.items() if oldest <= now - patience}
    return sorted(waiting.union(partitions_behind(folded, now, patience)))


def read_lags(ledger: Ledger) -> tuple[list[PartitionLag], dict[int, datetime]]:
    """How far behind the fold is in each partition, and the oldest unpublished decision of those that have one."""
    rows = fetch_rows(
        ledger.database,
        "select u.partition, min(o.decided_at) as oldest from token_unpublished u join token_outbox o using (outbox_id) group by 1",
    )
    topic_id = ledger.kafka.topic_id(TRANSACTIONS)
    ends = {} if topic_id is None else ledger.kafka.end_offsets(TRANSACTIONS)
    return ledger.fold.lags(topic_id, ends), {row["partition"]: row["oldest"] for row in rows}


def new_contributions_sensor(job_name: str) -> dg.SensorDefinition:
    """The sensor that asks for the economy's daily runs."""
    settling = SettlingRuns({job_name, token_economy_unchecked_job.name}, dg.AssetKey(CLOSING))

    @dg.sensor(
        name="new_contributions",
        job_name=job_name,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="One run per range of days with contributions to take in or decide, attempts to charge, or metrics to compute.",
    )
    def new_contributions(
        context: dg.SensorEvaluationContext, postgres: PostgresResource, kafka: KafkaResource
    ) -> dg.SensorResult | dg.SkipReason:
        in_flight, now = settling.in_flight(context.instance), datetime.now(UTC)
        steps = StepContext(postgres.database(), postgres.settings())
        due = due_days(steps, now.date())
        if now.date() not in due and _told_on_topic(context, steps, postgres, kafka):
            due.append(now.date())
        ended = settling.ended(context.instance, now - REMEMBERED) if due else []
        plan = plan_runs(due, in_flight, ended, load_settings().first_partition, now.date(), now)
        if not plan.ranges:
            return dg.SkipReason(
                plan.why_nothing().replace("dirty days", "days of the economy") if due else "nothing is left to do"
            )
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(tags={RANGE_START: span.first.isoformat(), RANGE_END: span.last.isoformat()})
                for span in plan.ranges
            ]
        )

    return new_contributions


def _told_on_topic(
    context: dg.SensorEvaluationContext, steps: StepContext, postgres: PostgresResource, kafka: KafkaResource
) -> bool:
    """Whether others tell something new. A broker that is gone holds up nothing else; the log says so."""
    if kafka.bootstrap_servers is None and steps.settings.kafka_bootstrap_servers is None:
        return False
    with broker_on(postgres, kafka) as broker:
        try:
            return waiting(steps, broker) > 0
        except EffectError as error:
            context.log.warning(f"contributions.v1 was not read: {error}")
            return False


def ledger_lag_sensor(job_name: str) -> dg.SensorDefinition:
    """The sensor that asks for the fold."""

    @dg.sensor(
        name="ledger_lag",
        job_name=job_name,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="A run over the partitions of the ledger that lag, where no consumer service has folded them.",
    )
    def ledger_lag(
        context: dg.SensorEvaluationContext, postgres: PostgresResource, kafka: KafkaResource, valkey: ValkeyResource
    ) -> dg.RunRequest | dg.SkipReason:
        with ledger_on(postgres, kafka, valkey) as ledger:
            return ask_for_catch_up(
                context.instance,
                job_name,
                lambda: lagging(*read_lags(ledger), datetime.now(UTC)),
                "every decision is folded, or was made a moment ago",
            )

    return ledger_lag
