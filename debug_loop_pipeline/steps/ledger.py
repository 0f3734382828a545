"""The ledger's drivers: relay, fold and cache, over one log (ARCHITECTURE section 3).

Here: `Ledger`, what a driver works with; `catch_up`, which does everything that is there and ends (the asset, tests); and
what to do when the broker or its log is another one. Not here: the service that never ends (`ledger_service`), the rules
(`effects`).

Both drivers may run at once, and several of each: the relay of a partition is alone under its lock, and a fold whose batch
does not begin at the stored offset reads on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from debug_loop_pipeline.effects.balance_cache import BalanceCacheEffect
from debug_loop_pipeline.effects.kafka import LEDGER_TOPICS, PARTITIONS, TRANSACTIONS, Batch, Kafka, PartitionReader
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.resilience import CircuitOpenError, EffectError, EffectUnavailableError, breaker_under
from debug_loop_pipeline.effects.token_accounts import TokenAccountsEffect
from debug_loop_pipeline.effects.token_charges import TokenChargesEffect
from debug_loop_pipeline.effects.token_fold import Applied, Log, TokenFold
from debug_loop_pipeline.effects.token_ledger import TokenLedgerEffect
from debug_loop_pipeline.effects.valkey import Valkey
from debug_loop_pipeline.models.token import Balance
from debug_loop_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything the ledger is made of, on one set of servers. Make one per process."""

    database: Database
    kafka: Kafka
    ledger: TokenLedgerEffect
    accounts: TokenAccountsEffect
    charges: TokenChargesEffect
    fold: TokenFold
    cache: BalanceCacheEffect | None
    """None without Valkey: reads then go to PostgreSQL."""

    @classmethod
    def of(cls, database: Database, kafka: Kafka, valkey: Valkey | None, *, cache_ttl_s: int = 3_600) -> Ledger:
        """A ledger on these servers."""
        decider = TokenLedgerEffect(database, kafka)
        return cls(
            database,
            kafka,
            decider,
            TokenAccountsEffect(decider),
            TokenChargesEffect(decider),
            TokenFold(database),
            None if valkey is None else BalanceCacheEffect(valkey, database, ttl_s=cache_ttl_s),
        )

    def follow(self) -> Log:
        """The log to read and where, its topics made where they are missing; what the broker lost is queued again."""
        topic_id = self.kafka.ensure_topics(LEDGER_TOPICS)[TRANSACTIONS.name]
        lost = self.kafka.lost(TRANSACTIONS, self.fold.offsets(topic_id))
        return self.fold.follow(topic_id, self.kafka.beginning_offsets(TRANSACTIONS), lost, self.ledger)

    def balance(self, peer_id: str) -> Balance:
        """A folded balance, through the cache where there is one."""
        if self.cache is not None:
            return self.cache.get(peer_id)
        return self.fold.balances([peer_id]).get(peer_id) or Balance(peer_id=peer_id)


@contextmanager
def open_ledger(settings: Settings, application_name: str = "debug-loop-ledger") -> Iterator[Ledger]:
    """A ledger on the configured servers, closed at the end.

    Raises:
        MissingServerError: PostgreSQL or the broker is neither configured nor running.
    """
    limits = settings.resilience
    database = Database(
        settings.require_postgres_url(),
        limits.postgres_pool_size,
        int(limits.statement_timeout_seconds * 1000),
        application_name,
        breaker=breaker_under(limits),
    )
    kafka = Kafka(
        settings.require_kafka_bootstrap_servers(),
        timeout_s=limits.kafka_timeout_seconds,
        breaker=breaker_under(limits),
    )
    valkey = (
        None
        if settings.valkey_url is None
        else Valkey(settings.valkey_url, socket_timeout_s=limits.valkey_timeout_seconds, breaker=breaker_under(limits))
    )
    try:
        yield Ledger.of(database, kafka, valkey, cache_ttl_s=settings.economy.balance_cache_seconds)
    finally:
        kafka.close()
        if valkey is not None:
            valkey.close()
        database.close()


@dataclass(slots=True)
class LedgerReport:
    """What a driver did."""

    published: int = 0
    folded: int = 0
    repeated: int = 0
    quarantined: int = 0
    requeued: int = 0
    peers: int = 0
    seconds: float = 0.0
    offsets: dict[int, int] = field(default_factory=dict)

    def add(self, applied: Applied) -> None:
        """Adds what one `apply` did."""
        self.folded += applied.folded
        self.repeated += applied.repeated
        self.quarantined += applied.quarantined
        self.peers += len(applied.balances)


class FoldLoop:
    """Reads some partitions of one log, folds and renews the cache; one `turn` at a time.

    Args:
        ledger: what to work with.
        log: as followed.
        partitions: which ones; all by default.
    """

    def __init__(self, ledger: Ledger, log: Log, partitions: Sequence[int] = range(PARTITIONS)) -> None:
        self._ledger = ledger
        self._log = log
        self._reader: PartitionReader = ledger.kafka.reader(
            TRANSACTIONS, {partition: log.offsets[partition] for partition in partitions}
        )

    @property
    def positions(self) -> dict[int, int]:
        """Partition -> what is read next."""
        return self._reader.positions

    def turn(self, wait_s: float, max_messages: int = 5_000) -> tuple[list[Batch], Applied]:
        """Wait at most `wait_s` for messages, fold them. The cache is not touched: `renew_cache` is the caller's next step."""
        batches = self._reader.poll(wait_s, max_messages)
        return batches, self._fold(batches)

    def to_the_end(self, ends: Mapping[int, int]) -> Iterator[Applied]:
        """Fold what is there, then no more (`PartitionReader.to_the_end`); the cache as with `turn`."""
        return map(self._fold, self._reader.to_the_end(ends))

    def _fold(self, batches: Sequence[Batch]) -> Applied:
        if not batches:
            return Applied()
        applied = self._ledger.fold.apply(batches, self._log.topic_id)
        for partition, offset in applied.stale.items():
            self._reader.seek(partition, offset)
        return applied

    def close(self) -> None:
        """Let the broker go."""
        self._reader.close()


def renew_cache(cache: BalanceCacheEffect | None, balances: Mapping[str, Balance]) -> bool:
    """Renew the cache after a fold; False where Valkey did not answer, and these peers have to be refreshed later."""
    if cache is None:
        return True
    try:
        cache.renew(balances)
    except (EffectUnavailableError, CircuitOpenError):
        return False
    return True


def mend_cache(cache: BalanceCacheEffect | None, now: datetime) -> int:
    """Make good what earlier drivers left in the cache; how many balances were ahead of the database.

    Where any is, the database was restored from an older copy, and another epoch begins. Else folds that nobody lived to
    renew the cache for are renewed. Without Valkey nothing is done: values end with their time to live.

    Args:
        cache: None where there is none.
        now: values folded longer ago than they live have ended.
    """
    if cache is None:
        return 0
    try:
        ahead = len(cache.ahead_of_database())
        if ahead:
            cache.begin_epoch(f"{ahead} cached balances were ahead of the database: it was restored")
        else:
            cache.refresh_since(now - timedelta(seconds=cache.ttl_s))
    except EffectError as error:
        if error.system != "valkey":
            raise
        return 0
    return ahead


def catch_up(
    ledger: Ledger,
    partitions: Sequence[int] = range(PARTITIONS),
    *,
    log: Callable[[str], None] = lambda _message: None,
) -> LedgerReport:
    """Publish what was decided and fold what is there, then end; the body of the asset `token_balances`.

    A partition is at its end when the outbox is published and two looks in a row brought nothing.

    Args:
        ledger: what to work with.
        partitions: which ones are folded; the relay publishes all.
        log: for progress.
    """
    started = time.perf_counter()
    report = LedgerReport()
    followed = ledger.follow()
    report.requeued = followed.requeued
    report.published = ledger.ledger.publish_all()
    loop = FoldLoop(ledger, followed, partitions)
    try:
        for applied in loop.to_the_end(ledger.kafka.end_offsets(TRANSACTIONS)):
            report.add(applied)
            renew_cache(ledger.cache, applied.balances)
            log(f"token_balances: {report.folded} folded, {report.repeated} repeated, {report.quarantined} refused")
        report.offsets = loop.positions
    finally:
        loop.close()
    report.seconds = time.perf_counter() - started
    return report
