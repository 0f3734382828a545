"""The ledger's service: a transaction becomes a visible balance in milliseconds, for as long as the process lives.

Here: the threads behind `debug-loop consume` and what they do when a server goes away. Not here: what one pass does
(`ledger`), how threads go on after errors (`passes`): each pass begins by looking which log there is now.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import structlog

from debug_loop_pipeline.effects.kafka import TRANSACTIONS, Batch
from debug_loop_pipeline.effects.resilience import EffectError
from debug_loop_pipeline.effects.token_fold import Log
from debug_loop_pipeline.steps.ledger import FoldLoop, Ledger, LedgerReport, mend_cache, renew_cache
from debug_loop_pipeline.steps.passes import Passes

_RELAY_IDLE_S = 0.004  # one indexed look each; a notification would make every deciding commit wait for the others
_RELAY_QUIET_S = 0.025
"""Where nothing was decided for a while: looks as frequent as the idle ones took a fifth of a CPU all day."""
_RELAY_SLOWER = 1.1
_POLL_S = 0.25
_LOOK_S = 2.0
_RENEW_AGAIN_S = 1.0

Part = Literal["relay", "fold", "sweep"]
PARTS: tuple[Part, ...] = ("relay", "fold", "sweep")


@dataclass(slots=True)
class ServiceCounts:
    """What the service did since it started."""

    report: LedgerReport = field(default_factory=LedgerReport)
    swept: int = 0


class LedgerService:
    """Relay, fold, cache and sweep in threads.

    Args:
        ledger: what to work with.
        parts: what this process does; several processes may do the same.
        sweep_every_s: seconds between two sweeps of expired holds.
        clock: aware now.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        parts: Sequence[Part] = PARTS,
        sweep_every_s: float = 60.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._parts = parts
        self._sweep_every_s = sweep_every_s
        self._clock = clock
        self._follow_lock = threading.Lock()
        self._logger = structlog.get_logger("ledger")
        self.passes = Passes("ledger")
        self._stop = self.passes.stopping
        self.counts = ServiceCounts()

    def start(self) -> None:
        """Start the threads."""
        bodies: dict[Part, Callable[[], None]] = {"relay": self._relay, "fold": self._fold, "sweep": self._sweep}
        for name in self._parts:
            self.passes.start(name, bodies[name])

    def stop(self, wait_s: float = 10.0) -> None:
        """Ask the threads to end after their pass, and wait."""
        self.passes.stop(wait_s)

    def _follow(self) -> Log:
        with self._follow_lock:
            log = self._ledger.follow()
        self.counts.report.requeued += log.requeued
        return log

    # -- relay ---------------------------------------------------------------------------------------------------

    def _relay(self) -> None:
        self._follow()
        pause = _RELAY_IDLE_S
        while not self._stop.is_set():
            published = self._ledger.ledger.publish_pending()
            if published.messages:
                self.counts.report.published += published.messages
                pause = _RELAY_IDLE_S
            else:
                self._stop.wait(pause)
                pause = min(pause * _RELAY_SLOWER, _RELAY_QUIET_S)

    # -- fold ----------------------------------------------------------------------------------------------------

    def _fold(self) -> None:
        log = self._follow()
        ahead = mend_cache(self._ledger.cache, self._clock())
        if ahead:
            self._logger.warning("ledger.restored", peers=ahead)
        loop = FoldLoop(self._ledger, log)
        behind: set[str] = set()  # peers whose renewal Valkey missed
        tried = looked = time.monotonic()
        caught_up = False
        try:
            while not self._stop.is_set():
                batches, applied = loop.turn(_POLL_S)
                self.counts.report.add(applied)
                if not renew_cache(self._ledger.cache, applied.balances):
                    behind.update(applied.balances)
                if applied.stale:  # who was quicker may have died before it renewed the cache
                    behind.update(_peers(batches))
                    if any(applied.stale.get(batch.partition, batch.start) < batch.start for batch in batches):
                        return  # the database went back: begin again as after any restore
                now = time.monotonic()
                if behind and now - tried >= _RENEW_AGAIN_S:
                    tried = now
                    if self._refresh(behind):
                        behind.clear()
                if not batches and now - looked >= _LOOK_S:
                    looked = now
                    if self._is_another(log, loop.positions):
                        return  # and begin again with that one
                    if not caught_up:
                        caught_up = True
                        self.counts.report.requeued += self._ledger.ledger.requeue_missing()
        finally:
            loop.close()

    def _is_another(self, log: Log, read: Mapping[int, int]) -> bool:
        """Whether the broker has another log, or the database has gone back behind what was folded into it."""
        kafka, offsets = self._ledger.kafka, self._ledger.fold.offsets(log.topic_id)
        return (
            any(offsets.get(partition, 0) < position for partition, position in read.items())
            or kafka.topic_id(TRANSACTIONS) != log.topic_id
            or bool(kafka.lost(TRANSACTIONS, offsets))
        )

    def _refresh(self, peers: set[str]) -> bool:
        assert self._ledger.cache is not None
        try:
            self._ledger.cache.refresh(sorted(peers))
        except EffectError as error:
            if error.system != "valkey":
                raise
            return False
        return True

    # -- sweep ---------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        while not self._stop.is_set():
            self.counts.swept += self._ledger.accounts.sweep(self._clock())
            self._stop.wait(self._sweep_every_s)


def _peers(batches: Sequence[Batch]) -> set[str]:
    return {
        message.key.decode("utf-8", "replace")
        for batch in batches
        for message in batch.messages
        if message.key is not None
    }
