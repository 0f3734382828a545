"""The assets of Part 2: from what peers gave and used to the ledger, its balances and the economy's numbers."""

import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from debug_loop_pipeline.assets.daily import KINDS, OWNERS, daily_asset, materialized
from debug_loop_pipeline.assets.economy_insight import EconomyInsight
from debug_loop_pipeline.assets.tables import table_metadata, table_sample
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.kafka import PARTITIONS
from debug_loop_pipeline.effects.resilience import EffectError
from debug_loop_pipeline.models.token import MILLITOKENS_PER_TOKEN
from debug_loop_pipeline.partitions import span_of
from debug_loop_pipeline.resources.ledger import broker_on, ledger_on
from debug_loop_pipeline.resources.servers import KafkaResource, PostgresResource, ValkeyResource
from debug_loop_pipeline.steps import contributions as contributions_step
from debug_loop_pipeline.steps import economic_metrics as metrics_step
from debug_loop_pipeline.steps import token_rewards as rewards_step
from debug_loop_pipeline.steps import token_spend as spend_step
from debug_loop_pipeline.steps.contribution_intake import take_in
from debug_loop_pipeline.steps.ledger import catch_up, mend_cache

GROUP = "token_economy"
DAILY = ("contributions", "token_rewards", "token_spend", "economic_metrics")
"""The daily assets, in order."""
CLOSING = "economic_metrics"
"""The last of them."""
BALANCES = "token_balances"
LEDGER_POOL = "debug_loop_ledger"

ledger_partitions = dg.StaticPartitionsDefinition([str(number) for number in range(PARTITIONS)])
"""One per partition of `token.transactions.v1`."""


def _insight(context: dg.AssetExecutionContext, postgres: PostgresResource) -> EconomyInsight:
    return EconomyInsight(postgres.database(), span_of(context))


@daily_asset(
    table="contributions",
    code_version=contributions_step.CODE_VERSION,
    group=GROUP,
    deps=["stf_registry", "error_success_mappings", "golden_states"],
    description="What peers gave that may earn tokens, told once: functions, confident fixes, golden states, and reuse by others.",
)
def contributions(
    context: dg.AssetExecutionContext, postgres: PostgresResource, kafka: KafkaResource
) -> dg.MaterializeResult[Any]:
    """Takes contributions in, those that others tell on the topic too; what was decided stays."""
    report = contributions_step.run(postgres.steps(context), span_of(context))
    report.details |= _told_on_topic(context, postgres, kafka)
    return materialized(context, report, _insight(context, postgres).contributions())


def _told_on_topic(
    context: dg.AssetExecutionContext, postgres: PostgresResource, kafka: KafkaResource
) -> dict[str, Any]:
    if kafka.bootstrap_servers is None and postgres.settings().kafka_bootstrap_servers is None:
        return {}
    with broker_on(postgres, kafka) as broker:
        try:
            intake = take_in(postgres.steps(context), broker)
        except EffectError as error:  # what the pipeline knows itself is not held up by the broker
            context.log.warning(f"contributions.v1 was not read: {error}")
            return {"topic": "not read"}
    return {
        "topic_messages": intake.messages,
        "topic_contributions": intake.contributions,
        "topic_rejects": intake.rejects,
    }


@daily_asset(
    table="token_outbox",
    code_version=rewards_step.CODE_VERSION,
    group=GROUP,
    deps=["contributions"],
    description="Contributions whose evidence is measured, decided once in one sequence: validated, scored for novelty, rewarded.",
)
def token_rewards(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult[Any]:
    """Decides what can be decided of attempts that ended up to the last day of the run."""
    report = rewards_step.run(postgres.steps(context), span_of(context))
    return materialized(context, report, _insight(context, postgres).rewards())


@daily_asset(
    table="token_charges",
    code_version=spend_step.CODE_VERSION,
    group=GROUP,
    deps=["execution_costs", "token_rewards"],
    description="Priced attempts that no hold paid for, charged once each to their peers as far as what is available goes.",
)
def token_spend(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult[Any]:
    """Charges after the rewards, so that who earned today can pay today."""
    report = spend_step.run(postgres.steps(context), span_of(context))
    return materialized(context, report, _insight(context, postgres).spending())


@daily_asset(
    table="economic_metrics",
    code_version=metrics_step.CODE_VERSION,
    group=GROUP,
    deps=["token_rewards", "token_spend"],
    description="Gini, velocity, earnings against spending, concentration and supply of each day, from the transactions folded so far.",
)
def economic_metrics(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult[Any]:
    """Computes the numbers of the days; those on which more is folded later are asked for again."""
    report = metrics_step.run(postgres.steps(context), span_of(context))
    return materialized(context, report, _insight(context, postgres).metrics())


def _ledger_asset(body: Callable[..., Any]) -> dg.AssetsDefinition:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Parameter `backfill_policy`", dg.BetaWarning)
        return dg.asset(
            partitions_def=ledger_partitions,
            deps=[
                dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping())
                for name in ("token_rewards", "token_spend")
            ],
            backfill_policy=dg.BackfillPolicy.single_run(),
            code_version="1",
            description="The fold of the ledger's stream by peer, its offset in the same transaction; and the cache after it."
            " One partition per Kafka partition. `debug-loop consume` does the same in milliseconds; both may run at once.",
            group_name=GROUP,
            owners=OWNERS,
            kinds=KINDS | {"kafka"},
            metadata=table_metadata("token_balances"),
            pool=LEDGER_POOL,
        )(body)


@_ledger_asset
def token_balances(
    context: dg.AssetExecutionContext, postgres: PostgresResource, kafka: KafkaResource, valkey: ValkeyResource
) -> dg.MaterializeResult[Any]:
    """Publishes what was decided and folds what is there, then ends."""
    keys = sorted(context.partition_keys, key=int)
    with ledger_on(postgres, kafka, valkey) as ledger:
        if ahead := mend_cache(ledger.cache, datetime.now(UTC)):
            context.log.warning(f"the database was restored: {ahead} cached balances were of another past")
        report = catch_up(ledger, [int(key) for key in keys], log=context.log.info)
    database = postgres.database()
    for row in fetch_rows(database, _FOLDED_PER_PARTITION, {"partitions": [int(key) for key in keys]}):
        context.add_asset_metadata(
            {"dagster/partition_row_count": row["transactions"], "offset": row["next_offset"]},
            partition_key=str(row["partition"]),
        )
    context.add_asset_metadata(
        {"top": table_sample(fetch_rows(database, _TOP, {"unit": MILLITOKENS_PER_TOKEN}))}, partition_key=keys[-1]
    )
    return dg.MaterializeResult(
        metadata={
            "seconds": round(report.seconds, 3),
            "published": report.published,
            "folded": report.folded,
            "repeated": report.repeated,
            "quarantined": report.quarantined,
            "requeued": report.requeued,
            "peers": report.peers,
            "per_second": round(report.folded / report.seconds, 1) if report.seconds else 0.0,
        }
    )


_FOLDED_PER_PARTITION = """
select o.partition, o.next_offset, (select count(*) from token_transactions t where t.partition = o.partition) as transactions
from consumer_offsets o where o.consumer = 'token_balances' and o.partition = any(:partitions) order by o.partition
"""

_TOP = """
select peer_id, balance / :unit as tokens, lifetime_earned / :unit as earned, lifetime_spent / :unit as spent
from token_balances order by balance desc, peer_id limit 8
"""

token_economy_job = dg.define_asset_job(
    "token_economy_job",
    selection=dg.AssetSelection.assets(*DAILY),
    executor_def=dg.in_process_executor,
    description="Contributions, rewards, charges and metrics over a day or a range of days.",
)
token_economy_unchecked_job = dg.define_asset_job(
    "token_economy_unchecked_job",
    selection=dg.AssetSelection.assets(*DAILY).without_checks(),
    executor_def=dg.in_process_executor,
    description="The same without the checks, for the first of several ranges: checks speak of whole tables, once is enough.",
)
token_balances_job = dg.define_asset_job(
    "token_balances_job",
    selection=dg.AssetSelection.assets(BALANCES),
    executor_def=dg.in_process_executor,
    description="Publishes the ledger and folds it into balances, over some of its ten partitions.",
)
