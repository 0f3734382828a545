"""The checks of Part 2: the economy's targets, and the ledger's integrity (DOMAIN 4.6).

Here: which numbers are judged, with their plots. Not here: the formulas (`compute/economy/economic_metrics`), the comparison of the ledger's
copies (`steps/reconcile`). Where there is not enough data the result is a warning that says so, neither passed nor failed.
"""

from collections.abc import Callable
from typing import Any

import dagster as dg

from debug_loop_pipeline.assets.economy_insight import MetricDays, lorenz_plot, metric_days, metric_plot
from debug_loop_pipeline.checks import rules
from debug_loop_pipeline.checks.definition import Check, checks_of_assets, schema_check, shown
from debug_loop_pipeline.checks.rules import Finding
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.resources.ledger import ledger_on
from debug_loop_pipeline.resources.servers import KafkaResource, PostgresResource, ValkeyResource
from debug_loop_pipeline.settings import get_settings
from debug_loop_pipeline.steps.economic_metrics import rings_of
from debug_loop_pipeline.steps.reconcile import Reconciliation, reconcile

NOT_ENOUGH_DATA = "not enough data"
LEAST_READS = 100
"""Reads of the cache below which its hit rate says nothing."""
HIT_RATE_ABOVE = 0.8
"""DOMAIN section 5."""

_OUTPUTS = {
    "contributions": ("contributions",),
    "token_rewards": ("contribution_fingerprints", "token_outbox", "token_accounts"),
    "token_spend": ("token_charges",),
    "token_balances": ("token_balances", "token_transactions", "consumer_offsets"),
    "economic_metrics": ("economic_metrics",),
}
"""Asset -> the tables it writes."""


def judge_metric(days: MetricDays, name: str) -> Finding:
    """The latest day's value of a metric, against its target where it has one."""
    if not days:
        return Finding(None, {"status": NOT_ENOUGH_DATA, "detail": "no day has any metric"})
    day = max(days)
    row = days[day].get(name)
    if row is None:
        return Finding(None, {"status": NOT_ENOUGH_DATA, "day": day.isoformat()})
    details = row["details"]
    numbers: dict[str, Any] = {"day": day.isoformat(), "contributors": row["sample_size"]}
    numbers |= {key: details[key] for key in ("target", "detail", "earnings", "spending", "unit") if details.get(key)}
    if row["status"] != "ok":
        known = details.get("value")
        return Finding(None, numbers | {"status": NOT_ENOUGH_DATA} | ({} if known is None else {"value": known}))
    value = row["value"] if row["value"] != float("inf") else "nothing was spent"
    return Finding(row["met"] is not False, numbers | {"value": value})


def _metric_check(name: str, description: str, *, plot: str | None = None) -> Check:
    def decide(database: Database) -> Finding:
        days = metric_days(database)
        finding = judge_metric(days, name)
        drawn = metric_plot(days, plot or name)
        if drawn is not None:
            finding.numbers["plot"] = drawn
        if name in ("gini", "concentration") and days and "gini" in days[max(days)]:
            curve = lorenz_plot(days[max(days)]["gini"]["details"].get("lorenz") or [])
            if curve is not None:
                finding.numbers["lorenz"] = curve
        return finding

    return Check("economic_metrics", name, description, decide, severity=dg.AssetCheckSeverity.WARN)


METRIC_CHECKS = [
    _metric_check(
        "gini", "The Gini coefficient of contributors' earnings in the trailing 30 days is below its target."
    ),
    _metric_check(
        "velocity", "Tokens spent or transferred in a day, over the mean supply of that day, are above their target."
    ),
    _metric_check("earnings_vs_spending", "Contributors earn at least what they spend, over the trailing 7 days."),
    _metric_check("concentration", "The share of rewards that goes to the top tenth of contributors, for information."),
    _metric_check("supply", "Tokens in circulation, minted and spent, for information."),
]


def supply_is_conserved(database: Database) -> Finding:
    """The sum of balances is the sum of transactions, on the deciding side and on the folded one."""
    [sums] = fetch_rows(
        database,
        "select (select coalesce(sum(balance), 0) from token_accounts)::bigint as accounts,"
        " (select coalesce(sum(balance), 0) from token_balances)::bigint as balances,"
        " (select coalesce(sum(amount), 0) from token_transactions where transaction_type not in ('hold', 'release'))::bigint"
        " as transactions,"
        " (select count(*) from token_outbox o where not exists (select from token_transactions t"
        " where t.transaction_id = o.transaction_id))::bigint as in_flight,"
        " (select coalesce(sum(amount), 0) from token_transactions where transaction_type = 'transferred')::bigint"
        " as transfers",
    )
    folded = sums["balances"] == sums["transactions"]
    decided = bool(sums["in_flight"]) or sums["accounts"] == sums["balances"]
    transfers = bool(sums["in_flight"]) or sums["transfers"] == 0
    return Finding(folded and decided and transfers, sums)


def none_below_zero(database: Database) -> Finding:
    """Accounts in which the balance, or what is available, is below zero. Balances only where everything is folded."""
    return rules.violations(
        database,
        "(select 'account' as copy, peer_id, balance, held from token_accounts union all"
        " select 'balance', b.peer_id, b.balance, b.held from token_balances b where not exists ("
        "select from token_outbox o where o.peer_id = b.peer_id and not exists (select from token_transactions t"
        " where t.transaction_id = o.transaction_id))) a",
        "balance < 0 or held < 0 or held > balance",
        "copy, peer_id, balance, held",
    )


def messages_are_explained(database: Database) -> Finding:
    """Messages on the topic that no decision of this ledger explains."""
    [count] = fetch_rows(
        database, "select count(*) as quarantined, max(received_at)::text as latest from token_quarantine"
    )
    rows = fetch_rows(
        database,
        "select partition, message_offset, left(reason, 80) as reason, transaction_id, left(message_key, 40) as key"
        " from token_quarantine order by received_at desc, partition, message_offset limit 10",
    )
    numbers = {"quarantined": count["quarantined"]} | ({"latest": count["latest"]} if count["latest"] else {})
    return Finding(not rows, numbers, rows)


def no_reward_rings(database: Database) -> Finding:
    """Peers that reuse mostly each other's work."""
    rings = rings_of(database, get_settings().economy)
    rows = [{"peers": ", ".join(ring.peers), "uses": ring.uses_inside, "share": round(ring.share, 3)} for ring in rings]
    return Finding(not rings, {"rings": len(rings)}, rows[:10])


def rewards_are_paid_once(database: Database) -> Finding:
    """Rewarded contributions have the one transaction of their amount, and every reward has its contribution."""
    return rules.violations(
        database,
        "(select c.contribution_id::text as contribution, c.amount, o.peer_id from contributions c"
        " left join token_outbox o using (transaction_id) where c.status = 'rewarded') r",
        "peer_id is null",
        "contribution, amount",
    )


def reconciliation_finding(result: Reconciliation) -> Finding:
    """What a comparison of the ledger's copies comes to."""
    numbers: dict[str, Any] = {
        "accounts": result.accounts,
        "decided": result.decided,
        "folded": result.folded,
        "replayed": result.replayed,
        "cached": result.cached,
        "in_flight": result.in_flight,
        "unexplained": result.unexplained,
        "differences": result.count,
    }
    offenders = [
        {"check": d.check, "subject": d.subject, "expected": d.expected, "found": d.found} for d in result.differences
    ]
    if result.skipped:
        numbers |= {"status": NOT_ENOUGH_DATA, "skipped": "; ".join(result.skipped)}
    # A copy that could not be looked at is no proof; a difference that was found is one.
    passed = False if result.count else (None if result.skipped else True)
    return Finding(passed, numbers, offenders[:10])


def cache_hit_finding(hits: int, misses: int) -> Finding:
    """Whether reads are answered by the cache often enough, once there are enough of them."""
    reads = hits + misses
    numbers: dict[str, Any] = {"hits": hits, "misses": misses, "target": f"> {HIT_RATE_ABOVE:g}"}
    if reads < LEAST_READS:
        return Finding(None, numbers | {"status": NOT_ENOUGH_DATA, "least_reads": LEAST_READS})
    return Finding(hits / reads > HIT_RATE_ABOVE, numbers | {"hit_rate": round(hits / reads, 4)})


def _check(asset: str, name: str, decide: Callable[[Database], Finding], *, warn: bool = False) -> Check:
    severity = dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR
    return Check(asset, name, (decide.__doc__ or "").strip(), decide, severity=severity)


CHECKS = [
    *(schema_check(asset, tables) for asset, tables in _OUTPUTS.items()),
    *METRIC_CHECKS,
    _check("token_rewards", "rewards_are_paid_once", rewards_are_paid_once),
    _check("token_rewards", "no_reward_rings", no_reward_rings, warn=True),
    _check("token_balances", "supply_is_conserved", supply_is_conserved),
    _check("token_balances", "none_below_zero", none_below_zero),
    _check("token_balances", "messages_are_explained", messages_are_explained),
]


@dg.asset_check(
    asset="token_balances",
    description="Accounts, folded balances, the stream read again from its beginning, and the cache are equal.",
)
def copies_are_equal(postgres: PostgresResource, kafka: KafkaResource, valkey: ValkeyResource) -> dg.AssetCheckResult:
    """Folds every copy anew and compares."""
    with ledger_on(postgres, kafka, valkey) as ledger:
        return shown(reconciliation_finding(reconcile(ledger)), dg.AssetCheckSeverity.ERROR)


@dg.asset_check(
    asset="token_balances",
    description="More than four fifths of the reads that the cache's server got were answered by it.",
)
def cache_hit_rate(valkey: ValkeyResource) -> dg.AssetCheckResult:
    """Asks the server, which counts the reads of every process since it started."""
    if valkey.url is None and get_settings().valkey_url is None:
        finding = Finding(None, {"status": NOT_ENOUGH_DATA, "detail": "no cache is configured"})
    else:
        stats = valkey.client().run("info", lambda client: client.info("stats"))
        finding = cache_hit_finding(int(stats["keyspace_hits"]), int(stats["keyspace_misses"]))
    return shown(finding, dg.AssetCheckSeverity.WARN)


ALL_CHECKS = [*checks_of_assets(CHECKS), copies_are_equal, cache_hit_rate]
