"""PostgreSQL is restored from a backup under the running ledger: it decides from there, and every copy follows it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest

from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.steps.ledger import Ledger, catch_up
from debug_loop_pipeline.steps.ledger_service import LedgerService
from debug_loop_pipeline.steps.reconcile import reconcile
from tests.support.ledger import grant, ledger_on, spend, wait_for
from tests.support.ledger_workers import Servers

PEERS = 50
PATIENCE_S = 120.0


def data_of(supervisor: Supervisor) -> Path:
    found = next(server.data for server in supervisor.status() if server.name == "postgres")
    assert found is not None
    return found


def copy(source: Path, target: Path) -> None:
    """With owners and modes, which PostgreSQL looks at."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def shown(ledger: Ledger, peers: list[str]) -> dict[str, int]:
    return {peer: ledger.balance(peer).balance for peer in peers}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_database_from_a_backup_is_what_counts_and_every_copy_comes_to_equal_it(
    stack: tuple[Supervisor, Servers], tmp_path: Path
) -> None:
    supervisor, servers = stack
    backup = tmp_path / "backup"
    peers, lost = [uuid4().hex for _ in range(PEERS)], uuid4().hex
    with ledger_on(servers.postgres, servers.kafka, servers.valkey) as ledger:
        service = LedgerService(ledger)
        service.start()
        try:
            ledger.ledger.decide([grant(peer, 100) for peer in peers])
            assert wait_for(lambda: shown(ledger, peers) == dict.fromkeys(peers, 100), PATIENCE_S), service.counts

            data = data_of(supervisor)
            supervisor.down(["postgres"])
            copy(data, backup)
            supervisor.up("none", valkey=False)
            again = [grant(peer, 7, f"decided again {peer}") for peer in peers[:10]]
            ledger.ledger.decide(again)  # after the backup, and once more after the restore
            ledger.ledger.decide([spend(peer, 40) for peer in peers] + [grant(lost, 5)])
            assert wait_for(lambda: shown(ledger, [lost, peers[-1]]) == {lost: 5, peers[-1]: 60}, PATIENCE_S)
            assert wait_for(lambda: shown(ledger, peers[:10]) == dict.fromkeys(peers[:10], 67), PATIENCE_S)

            supervisor.down(["postgres"])
            shutil.rmtree(data)
            copy(backup, data)
            supervisor.up("none", valkey=False)
            ledger.ledger.decide(again)
            ledger.ledger.decide([grant(peer, 1) for peer in peers])
            wanted = {peer: 108 if peer in peers[:10] else 101 for peer in peers} | {lost: 0}
            assert wait_for(lambda: shown(ledger, [*peers, lost]) == wanted, PATIENCE_S), service.counts
        finally:
            service.stop()
        catch_up(ledger)
        result = reconcile(ledger)
        assert result.clean, result.differences
        assert (result.decided, result.folded, result.in_flight) == (PEERS * 2 + 10, PEERS * 2 + 10, 0)
        assert result.supply == sum(wanted.values())
        # What was decided after the backup, the ten too where they were read before they were decided again.
        with ledger.database.transaction() as connection:
            aside = connection.exec_driver_sql(
                "select count(distinct payload_sha256) from token_quarantine"
            ).scalar_one()
        assert PEERS + 1 <= aside <= PEERS + 11
        assert result.unexplained >= PEERS + 1
