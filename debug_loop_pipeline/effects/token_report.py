"""What people ask the economy: histories, the richest, who earned what by what, the numbers of a day.

Here: reads of the folded side, and how far behind it is. Not here: decisions, the proof that copies are equal (`steps/reconcile`).
"""

from __future__ import annotations

from typing import Any

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.models.token import MILLITOKENS_PER_TOKEN

_TOKENS = f"/ {MILLITOKENS_PER_TOKEN}.0"


def history(database: Database, peer_id: str, limit: int | None = None) -> list[dict[str, Any]]:
    """A peer's transactions, oldest first, with the balance after each; of many the latest `limit`. Amounts are millitokens."""
    rows = fetch_rows(
        database,
        "select transaction_id, group_id, occurred_at, transaction_type, reason, amount, balance, held, subject_hash, cause_id,"
        " counterparty_peer_id, quality_score, novelty_score, metadata from ("
        " select t.*, (sum(amount) filter (where transaction_type not in ('hold', 'release')) over w)::bigint as balance,"
        " (coalesce(sum(amount) filter (where transaction_type in ('hold', 'release')) over w, 0))::bigint as held"
        " from token_transactions t where peer_id = :peer"
        " window w as (order by occurred_at, folded_at, partition, message_offset)) t"
        " order by occurred_at desc, folded_at desc, partition desc, message_offset desc"
        + ("" if limit is None else " limit :limit"),
        {"peer": peer_id, "limit": limit},
    )
    return rows[::-1]


def top(database: Database, limit: int) -> list[dict[str, Any]]:
    """The peers with most, in tokens."""
    return fetch_rows(
        database,
        f"select peer_id, balance {_TOKENS} as balance, held {_TOKENS} as held, lifetime_earned {_TOKENS} as earned,"
        f" lifetime_spent {_TOKENS} as spent, last_updated from token_balances b order by b.balance desc, peer_id limit :limit",
        {"limit": limit},
    )


def waiting(database: Database, peer_id: str | None = None) -> int:
    """How many transactions are decided and not folded yet, of one peer or of all."""
    return sum(
        row["waiting"]
        for row in fetch_rows(
            database,
            "select a.version - coalesce(b.version, 0) as waiting from token_accounts a left join token_balances b using (peer_id)"
            " where a.version > coalesce(b.version, 0) and (cast(:peer as text) is null or peer_id = :peer)",
            {"peer": peer_id},
        )
    )


def earnings(database: Database, limit: int) -> list[dict[str, Any]]:
    """Who earned and spent most, in tokens, and by how many rewarded contributions."""
    return fetch_rows(
        database,
        f"select b.peer_id, b.lifetime_earned {_TOKENS} as earned, b.lifetime_spent {_TOKENS} as spent, b.balance {_TOKENS} as balance,"
        " coalesce(c.rewarded, 0) as rewarded from token_balances b left join (select peer_id, count(*) as rewarded"
        " from contributions where status = 'rewarded' group by 1) c using (peer_id)"
        " order by b.lifetime_earned desc, b.lifetime_spent desc, b.peer_id limit :limit",
        {"limit": limit},
    )


def contributions_by_kind(database: Database) -> list[dict[str, Any]]:
    """How many contributions of each kind ended how, and what they earned in tokens."""
    return fetch_rows(
        database,
        "select kind, count(*) as told, count(*) filter (where status = 'rewarded') as rewarded,"
        " count(*) filter (where status = 'unrewarded') as unrewarded,"
        " count(*) filter (where status in ('rejected', 'rate_limited')) as refused,"
        f" count(*) filter (where status = 'pending') as waiting, sum(amount) {_TOKENS} as tokens"
        " from contributions group by 1 order by 1",
    )


def spending(database: Database) -> dict[str, Any]:
    """What priced attempts came to, in tokens: charged, paid, and not covered by any account."""
    [row] = fetch_rows(
        database,
        f"select count(*) as attempts, coalesce(sum(amount), 0) {_TOKENS} as charged, coalesce(sum(spent), 0) {_TOKENS} as paid,"
        f" coalesce(sum(uncovered), 0) {_TOKENS} as uncovered from token_charges",
    )
    return row


def latest_metrics(database: Database) -> list[dict[str, Any]]:
    """The metrics of the latest day that has any."""
    return fetch_rows(
        database,
        "select day, metric, status, value, target, met, details from economic_metrics"
        " where day = (select max(day) from economic_metrics) order by metric",
    )
