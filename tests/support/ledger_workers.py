"""Processes of a ledger that are killed: deciders, relays and folds, and the plan that the deciders carry out.

The plan is drawn from a seed, and no transaction of it can be refused in any order, so what all accounts come to is known
before anything is decided.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from random import Random

from debug_loop_pipeline.compute.economy.transaction_id import transfer_sides
from debug_loop_pipeline.effects.token_ledger import TokenLedgerEffect
from debug_loop_pipeline.models.token import TokenTransaction
from debug_loop_pipeline.steps.ledger_service import LedgerService, Part
from tests.support.ledger import NOW, grant, ledger_on, spend

ENDOWMENT = 10**9
BATCH = 50
"""On average: from one transaction to some more than what the ledger writes in one statement."""
_LOOK_S = 0.005


@dataclass(frozen=True)
class Servers:
    """Where they answer."""

    postgres: str
    kafka: str
    valkey: str


@dataclass(frozen=True)
class Plan:
    """What one decider decides: batches in order, each all or nothing."""

    seed: int
    decider: int
    peers: int
    batches: int

    def batch(self, number: int) -> list[TokenTransaction]:
        """Transactions of a batch; the same whenever it is asked for."""
        draw = Random(f"{self.seed}-{self.decider}-{number}")
        made: list[TokenTransaction] = []
        size = draw.randint(1, 2 * BATCH)
        while len(made) < size:
            cause = f"{self.seed}-{self.decider}-{number}-{len(made)}"
            peer, other = (f"peer-{n}" for n in draw.sample(range(self.peers), 2))
            amount = draw.randint(1, 10_000)
            kind = draw.random()
            if kind < 0.4:
                made.append(grant(peer, amount, cause, NOW))
            elif kind < 0.8:
                made.append(spend(peer, amount, cause, NOW))
            else:
                made += transfer_sides(giver=peer, receiver=other, amount=amount, cause_id=cause, timestamp=NOW)
        return made


def endow(ledger: TokenLedgerEffect, peers: int) -> None:
    """Enough for everyone that nothing of the plan is refused."""
    ledger.decide([grant(f"peer-{n}", ENDOWMENT, "endowment", NOW) for n in range(peers)])


@cache
def expected(plans: tuple[Plan, ...], peers: int) -> tuple[dict[str, tuple[int, int]], int]:
    """Peer -> (balance, number of transactions), and the number of all, by adding up what the plans say."""
    sums = Counter({f"peer-{n}": ENDOWMENT for n in range(peers)})
    counts = Counter({f"peer-{n}": 1 for n in range(peers)})
    for plan in plans:
        for number in range(plan.batches):
            for transaction in plan.batch(number):
                sums[transaction.peer_id] += transaction.amount
                counts[transaction.peer_id] += 1
    return {peer: (sums[peer], counts[peer]) for peer in sums}, sum(counts.values())


@dataclass(frozen=True)
class Count:
    """A number that outlives who wrote it: in a file that is replaced whole."""

    path: str

    def read(self) -> int:
        """0 before the first write."""
        try:
            with open(self.path, encoding="ascii") as file:
                return int(file.read())
        except FileNotFoundError:
            return 0

    def write(self, number: int) -> None:
        scratch = f"{self.path}-{os.getpid()}"
        with open(scratch, "w", encoding="ascii") as file:
            file.write(str(number))
        os.replace(scratch, self.path)


def decide(servers: Servers, plan: Plan, done: Count, allowed: Count) -> None:
    """Carry the plan out as far as is allowed, from some batches before the last one that was noted: what was decided is
    not decided twice.
    """
    die_with_parent()
    with ledger_on(servers.postgres, servers.kafka, None) as ledger:
        for number in range(max(0, done.read() - 2), plan.batches):
            while number >= allowed.read():
                time.sleep(_LOOK_S)
            ledger.ledger.decide(plan.batch(number))
            done.write(number + 1)


def serve(servers: Servers, parts: Sequence[Part]) -> None:
    """Relay or fold until killed."""
    die_with_parent()
    with ledger_on(servers.postgres, servers.kafka, servers.valkey) as ledger:
        LedgerService(ledger, parts=parts).start()
        while True:
            time.sleep(1)


def die_with_parent() -> None:
    """A test run that is killed leaves no process behind."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Worker:
    """A process that is started again after it was killed, until its work is done."""

    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.support.ledger_workers"])

    def __init__(self, target: object, *arguments: object) -> None:
        self._target = target
        self._arguments = arguments
        self.process = self._start()

    def _start(self) -> ForkServerProcess:
        process = self.context.Process(target=self._target, args=self._arguments, daemon=True)  # type: ignore[arg-type]
        process.start()
        return process

    def kill_and_start_again(self) -> None:
        """kill -9 while it works."""
        assert self.process.is_alive()
        self.process.kill()
        self.process.join()
        self.process = self._start()

    def end(self) -> None:
        """Stop it for good."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
