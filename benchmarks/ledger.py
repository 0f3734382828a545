"""How fast the ledger decides, publishes, folds and answers, on servers of its own.

    python -m benchmarks.ledger           20,000 transactions, about a minute
    python -m benchmarks.ledger --full    200,000 transactions

`decide_one_by_one` commits each decision (what the disk's flush allows), with one and with eight threads; `decide_batched` commits
2,000 at a time. `publish` and `fold` are one process each, on what was decided; `sustained` is decide, relay and fold at once in
three processes, from the first decision to the last fold. `visible` is the time from before the decision to a balance read through the
cache, with the service in a process of its own. `reads` compares the effect with a bare GET of the same keys on the same server.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from sqlalchemy import text

from benchmarks.common import machine, scratch_directory, show
from debug_loop_pipeline.compute.economy.transaction_id import make_transaction
from debug_loop_pipeline.effects import schema
from debug_loop_pipeline.effects.balance_cache import value_key
from debug_loop_pipeline.effects.kafka import TRANSACTIONS, Kafka
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.valkey import Valkey
from debug_loop_pipeline.embedded.kafka import find_jars, why_no_apache
from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.models.servers import ServerAddresses
from debug_loop_pipeline.models.token import Reason, TokenTransaction, TransactionType
from debug_loop_pipeline.settings import get_settings
from debug_loop_pipeline.steps.ledger import FoldLoop, Ledger, catch_up
from debug_loop_pipeline.steps.ledger_service import LedgerService
from debug_loop_pipeline.steps.reconcile import reconcile

BATCH = 2_000
PEERS = 1_000
ZIPF_PEERS = 100_000


def ledger_of(servers: ServerAddresses, pool_size: int = 10) -> Ledger:
    assert servers.postgres_url is not None
    assert servers.kafka_bootstrap_servers is not None
    assert servers.valkey_url is not None
    return Ledger.of(
        Database(servers.postgres_url, pool_size), Kafka(servers.kafka_bootstrap_servers), Valkey(servers.valkey_url)
    )


def grants(count: int, peers: int = PEERS) -> list[TokenTransaction]:
    run, now = uuid4().hex, datetime.now(UTC)
    return [
        make_transaction(
            transaction_type=TransactionType.BONUS,
            reason=Reason.GRANT,
            peer_id=f"peer-{n % peers}",
            amount=1_000,
            cause_id=f"{run}-{n}",
            timestamp=now,
            metadata={"by": "benchmark"},
        )
        for n in range(count)
    ]


def rate(count: int, work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return round(count / (time.perf_counter() - started), 1)


def rates(count: int, work: Callable[[], object]) -> dict[str, float]:
    """By the clock, and by the CPU seconds of this process: the first is what others leave of the machine."""
    used = time.process_time()
    per_s = rate(count, work)
    return {"per_s": per_s, "per_cpu_s": round(count / (time.process_time() - used), 1)}


def decide_batches(ledger: Ledger, transactions: Sequence[TokenTransaction]) -> None:
    for start in range(0, len(transactions), BATCH):
        ledger.ledger.decide(transactions[start : start + BATCH])


def decide_one_by_one(ledger: Ledger, count: int, threads: int) -> float:
    transactions = grants(count)
    with ThreadPoolExecutor(threads) as pool:
        return rate(count, lambda: list(pool.map(lambda t: ledger.ledger.decide([t]), transactions)))


def one_after_the_other(ledger: Ledger, count: int) -> dict[str, dict[str, float]]:
    ledger.follow()
    transactions = grants(count)
    decided = rates(count, lambda: decide_batches(ledger, transactions))
    published = rates(count, ledger.ledger.publish_all)

    def fold() -> None:
        loop = FoldLoop(ledger, ledger.follow())
        folded = 0
        while folded < count:
            folded += loop.turn(1.0)[1].folded
        loop.close()

    return {"decide_batched": decided, "publish": published, "fold": rates(count, fold)}


def serve(servers: ServerAddresses, parts: Sequence[Any], until: Any) -> None:
    ledger = ledger_of(servers)
    service = LedgerService(ledger, parts=parts)
    service.start()
    until.wait()
    service.stop()


def sustained(servers: ServerAddresses, ledger: Ledger, count: int) -> float:
    """Decide, relay and fold at once, a process each."""
    context = get_context("spawn")
    until = context.Event()
    services = [context.Process(target=serve, args=(servers, (part,), until)) for part in ("relay", "fold")]
    for process in services:
        process.start()
    probe = grants(1)
    ledger.ledger.decide(probe)  # both are up when it is folded
    _until_folded(ledger, probe[0])
    before, transactions = _folded(ledger), grants(count)
    started = time.perf_counter()
    decide_batches(ledger, transactions)
    while _folded(ledger) < before + count:
        time.sleep(0.02)
    took = time.perf_counter() - started
    until.set()
    for process in services:
        process.join()
    return round(count / took, 1)


def _folded(ledger: Ledger) -> int:
    with ledger.database.transaction() as connection:
        return int(connection.execute(text("select coalesce(sum(version), 0) from token_balances")).scalar_one())


def _until_folded(ledger: Ledger, transaction: TokenTransaction) -> None:
    wanted = ledger.ledger.accounts([transaction.peer_id])[transaction.peer_id].version
    while (b := ledger.fold.balances([transaction.peer_id]).get(transaction.peer_id)) is None or b.version < wanted:
        time.sleep(0.02)


def visible(servers: ServerAddresses, ledger: Ledger, count: int) -> dict[str, Any]:
    context = get_context("spawn")
    until = context.Event()
    process = context.Process(target=serve, args=(servers, ("relay", "fold"), until))
    process.start()
    draw = random.Random(1)
    first = grants(1)[0]
    ledger.ledger.decide([first])
    _until_folded(ledger, first)
    took: list[float] = []
    for _ in range(count):
        (transaction,) = grants(1, 1)
        time.sleep(draw.uniform(0.0, 0.03))  # not in step with any timer of the service
        started = time.perf_counter()
        ledger.ledger.decide([transaction])
        wanted = ledger.ledger.accounts([transaction.peer_id])[transaction.peer_id].version
        while ledger.balance(transaction.peer_id).version < wanted:
            time.sleep(0.000_5)
        took.append(time.perf_counter() - started)
    until.set()
    process.join()
    p95 = statistics.quantiles(took, n=20)[18]
    return {"decisions": count, "p50_ms": round(statistics.median(took) * 1000, 1), "p95_ms": round(p95 * 1000, 1)}


def reads(ledger: Ledger, valkey_url: str, count: int) -> dict[str, Any]:
    """Through the effect, and bare commands for the same keys on the same server through the same client library."""
    cache = ledger.cache
    assert cache is not None
    peers = [f"peer-{n % PEERS}" for n in range(count)]
    cache.get_many(peers[:PEERS])
    keys = [value_key(cache.epoch(), peer) for peer in peers]
    client = Valkey(valkey_url).client

    def each(size: int, call: Callable[[Sequence[str]], object], of: Sequence[str]) -> None:
        for start in range(0, len(of), size):
            call(of[start : start + size])

    raw = rate(count, lambda: [client.get(key) for key in keys])
    through = rate(count, lambda: [cache.get(peer) for peer in peers])
    raw_many = rate(count, lambda: each(100, client.mget, keys))
    through_many = rate(count, lambda: each(100, cache.get_many, peers))
    return {
        "get_per_s": through,
        "bare_get_per_s": raw,
        "get_ratio": round(through / raw, 2),
        "get_many_100_per_s": through_many,
        "bare_mget_100_per_s": raw_many,
        "get_many_ratio": round(through_many / raw_many, 2),
    }


def zipf_hit_rate(ledger: Ledger, count: int) -> dict[str, Any]:
    """Reads of peers by Zipf's law, a hundred at once; a balance is renewed after each hundred.

    First from an empty cache, where every peer's first read misses, then as many again.
    """
    cache = ledger.cache
    assert cache is not None
    cache.begin_epoch("benchmark: an empty cache")
    weights = 1 / np.arange(1, ZIPF_PEERS + 1)
    draws = np.random.default_rng(1)
    report: dict[str, Any] = {"peers": ZIPF_PEERS, "reads_each": count}
    for state in ("cold", "warm"):
        ranks = draws.choice(ZIPF_PEERS, size=count, p=weights / weights.sum())
        cache.counts.hits = cache.counts.misses = cache.counts.unavailable = 0
        started = time.perf_counter()
        for start in range(0, count, 100):
            cache.get_many(f"peer-{rank}" for rank in ranks[start : start + 100])
            cache.renew(ledger.fold.balances([f"peer-{ranks[start]}"]))
        report[state] = {
            "hit_rate": round(cache.counts.hit_rate or 0.0, 3),
            "reads_per_s": round(count / (time.perf_counter() - started), 1),
        }
    return report


def measure(kind: str, directory: Path, count: int) -> dict[str, Any]:
    servers = Supervisor(directory / kind)
    try:
        addresses = servers.up(kind)  # type: ignore[arg-type]
        assert addresses.postgres_url is not None
        assert addresses.valkey_url is not None
        schema.upgrade(addresses.postgres_url)
        ledger = ledger_of(addresses)
        with closing(ledger.database), closing(ledger.kafka):
            ledger.follow()
            report: dict[str, Any] = {
                "decide_one_by_one_per_s": {
                    "1 thread": decide_one_by_one(ledger, count // 20, 1),
                    "8 threads": decide_one_by_one(ledger, count // 10, 8),
                }
            }
            catch_up(ledger)
            report |= one_after_the_other(ledger, count)
            report["sustained_per_s"] = sustained(addresses, ledger, count)
            report["visible"] = visible(addresses, ledger, 300)
            report["reads"] = reads(ledger, addresses.valkey_url, count)
            report["zipf"] = zipf_hit_rate(ledger, 10 * count)
            result = reconcile(ledger)
            report["reconciled"] = {"clean": result.clean, "transactions": result.folded}
            report["load_after"] = os.getloadavg()
            return report
    finally:
        servers.purge()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="200,000 transactions")
    parser.add_argument("--broker", choices=["apache", "tansu"], help="only this one")
    chosen = parser.parse_args()
    count = 200_000 if chosen.full else 20_000
    apache = why_no_apache(find_jars(get_settings().kafka_jars)) is None
    kinds = [chosen.broker] if chosen.broker else ["apache", "tansu"] if apache else ["tansu"]
    with scratch_directory() as directory:
        show(
            {
                "machine": machine(),
                "transactions": count,
                "topic": TRANSACTIONS.name,
                **{kind: measure(kind, directory, count) for kind in kinds},
            }
        )


if __name__ == "__main__":
    main()
