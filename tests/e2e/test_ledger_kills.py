"""The ledger under kill -9: deciders, relays, folds, the cache, the broker and the database die; nothing is lost or doubled."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.steps.ledger import Ledger, catch_up
from debug_loop_pipeline.steps.reconcile import reconcile
from tests.support.ledger import SCALE, ledger_on, wait_for
from tests.support.ledger_workers import BATCH, Count, Plan, Servers, Worker, decide, endow, expected, serve
from tests.support.own_servers import Broker, kill_server

PEERS = 300
DECIDERS = 2
TRANSACTIONS = int(100_000 * SCALE)
KILLED = {"decider": 12, "relay": 10, "fold": 10, "kafka": 5, "valkey": 3, "postgres": 2}
SEED = 7
PATIENCE_S = 600.0


def folded(ledger: Ledger) -> int:
    return sum(balance.version for balance in ledger.fold.balances().values())


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_kill_anything_at_any_time_and_every_copy_is_the_sum_of_the_plan(
    stack: tuple[Supervisor, Servers], broker: Broker, tmp_path: Path
) -> None:
    supervisor, servers = stack
    draw = Random(SEED)
    victims = [name for name, times in KILLED.items() for _ in range(times)]
    draw.shuffle(victims)
    plans = tuple(Plan(SEED, n, PEERS, TRANSACTIONS // BATCH // DECIDERS) for n in range(DECIDERS))
    wanted, total = expected(plans, PEERS)
    done = [Count(str(tmp_path / f"done-{plan.decider}")) for plan in plans]
    allowed = Count(str(tmp_path / "allowed"))
    part = plans[0].batches // (len(victims) + 1)
    with ledger_on(servers.postgres, servers.kafka, servers.valkey) as ledger:
        endow(ledger.ledger, PEERS)
        ledger.follow()
        workers = {
            "decider": [Worker(decide, servers, plan, done[plan.decider], allowed) for plan in plans],
            "relay": [Worker(serve, servers, ("relay",))],
            "fold": [Worker(serve, servers, ("fold",))],
        }
        try:
            for number, victim in enumerate(victims, start=1):
                # Deciders are let on by one part after the other, and are somewhere in it when something dies, on any machine.
                before = (number - 1) * part
                assert wait_for(lambda sofar=before: min(c.read() for c in done) >= sofar, PATIENCE_S)
                allowed.write(number * part)
                place = before + draw.randrange(part)
                assert wait_for(lambda place=place: max(c.read() for c in done) >= place, PATIENCE_S)
                if victim in workers:
                    draw.choice(workers[victim]).kill_and_start_again()
                else:
                    kill_server(supervisor, broker, victim)
            allowed.write(plans[0].batches)
            for worker in workers["decider"]:
                worker.process.join(PATIENCE_S)
                assert worker.process.exitcode == 0
            assert wait_for(lambda: folded(ledger) >= total, PATIENCE_S, every=0.2), (folded(ledger), total)
        finally:
            for worker in (worker for group in workers.values() for worker in group):
                worker.end()
        catch_up(ledger)  # what the killed ones were in the middle of
        for copy in (ledger.ledger.accounts(), ledger.fold.balances()):
            assert {peer: (b.balance, b.version) for peer, b in copy.items()} == wanted
        assert ledger.cache is not None
        assert {peer: ledger.balance(peer).balance for peer in wanted} == {peer: b for peer, (b, _) in wanted.items()}
        result = reconcile(ledger, repair=True)
        assert result.clean, result.differences
        assert (result.decided, result.folded, result.replayed, result.quarantined) == (total, total, total, 0)
