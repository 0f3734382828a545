"""Asks for the economy's daily runs where something is left to do, and for the fold where the ledger lags.

Level-triggered, both: what is left to do stays so until a run has done it, so there is no cursor that could skip anything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from debug_loop_pipeline.assets.token_economy import CLOSING, token_economy_unchecked_job
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.kafka import PARTITIONS, TRANSACTIONS
from debug_loop_pipeline.effects.postgres import Database
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
from debug_loop_pipeline.settings import load_settings
from debug_loop_pipeline.steps.contribution_intake import waiting
from debug_loop_pipeline.steps.economy_due import due_days
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ledger import Ledger


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """How far behind a partition of the ledger is."""

    partition: int
    unpublished: int = 0
    """Decided, and not confirmed by the broker."""
    oldest_unpublished: datetime | None = None
    unfolded: int = 0
    """On the broker, and not folded."""
    last_folded: datetime | None = None
    """When the partition's offset last moved; None before it ever did."""


def lagging(lags: Iterable[PartitionLag], now: datetime, patience: timedelta = PATIENCE) -> list[int]:
    """The partitions that are behind for longer than the consumer service needs.

    Args:
        lags: of every partition.
        now: the time of the tick.
        patience: how long the consumer service is given.
    """
    return sorted(lag.partition for lag in lags if _is_behind(lag, now - patience))


def _is_behind(lag: PartitionLag, before: datetime) -> bool:
    unpublished = lag.unpublished > 0 and (lag.oldest_unpublished is None or lag.oldest_unpublished <= before)
    unfolded = lag.unfolded > 0 and (lag.last_folded is None or lag.last_folded <= before)
    return unpublished or unfolded


def partition_lags(
    unpublished: Mapping[int, tuple[int, datetime]],
    folded: Mapping[int, tuple[int, datetime]],
    ends: Mapping[int, int],
) -> list[PartitionLag]:
    """The lag of each partition.

    Args:
        unpublished: partition -> (transactions, time of the oldest).
        folded: partition -> (next offset to fold, when it last moved).
        ends: partition -> the broker's end; empty where there is no topic yet.
    """
    lags = []
    for partition in range(PARTITIONS):
        waiting, oldest = unpublished.get(partition, (0, None))
        offset, moved = folded.get(partition, (0, None))
        lags.append(PartitionLag(partition, waiting, oldest, max(0, ends.get(partition, 0) - offset), moved))
    return lags


def read_lags(ledger: Ledger) -> list[PartitionLag]:
    """The lag of each partition as it is now."""
    database = ledger.database
    unpublished = {
        row["partition"]: (row["waiting"], row["oldest"])
        for row in fetch_rows(
            database,
            "select u.partition, count(*) as waiting, min(o.decided_at) as oldest from token_unpublished u"
            " join token_outbox o using (outbox_id) group by 1",
        )
    }
    ends = ledger.kafka.end_offsets(TRANSACTIONS) if ledger.kafka.topic_id(TRANSACTIONS) is not None else {}
    return partition_lags(unpublished, _folded(database), ends)


def _folded(database: Database) -> dict[int, tuple[int, datetime]]:
    rows = fetch_rows(
        database,
        "select partition, next_offset, updated_at from consumer_offsets where consumer = 'token_balances' and topic = :topic",
        {"topic": TRANSACTIONS.name},
    )
    return {row["partition"]: (row["next_offset"], row["updated_at"]) for row in rows}


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
                lambda: lagging(read_lags(ledger), datetime.now(UTC)),
                "every decision is folded, or was made a moment ago",
            )

    return ledger_lag
