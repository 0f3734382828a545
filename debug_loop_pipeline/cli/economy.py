"""The economy's part of the demo: run what is due, and show earnings, spending and the numbers of the day."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import typer

from debug_loop_pipeline.cli.dagster_home import use_dagster_home
from debug_loop_pipeline.cli.materialize import show_results
from debug_loop_pipeline.cli.output import counted, print_table
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.effects.balance_cache import read_epoch
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.models.economic_metrics import METRIC_MEANINGS
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import MAX_STEP, contiguous_spans

_TOP = 10
_PSEUDONYM = "peer-"


def run_due(settings: Settings, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Runs the economy's jobs over the days on which something is left to do: what each asset did.

    Raises:
        DebugLoopError: a step failed; the run in the Dagster UI says more.
    """
    from debug_loop_pipeline.steps.economy_due import due_days

    use_dagster_home(settings)
    from debug_loop_pipeline.definitions import materialize_economy

    with open_store() as store:
        days: list[date] = due_days(store, datetime.now(UTC).date())
    spans = contiguous_spans(days, max_step=MAX_STEP)
    say(f"token economy: {counted(len(days), 'day')} in {counted(len(spans), 'run')}, then the ledger's ten partitions")
    return materialize_economy(spans)


def run_and_show(settings: Settings, say: Callable[[str], None]) -> None:
    """Runs what is due, and shows what peers earned and spent under names that tell nobody who they are."""
    show_results(run_due(settings, say))
    show_economy()


def show_economy() -> None:
    """Prints contributions, earnings, spending and the metrics of the latest day."""
    from debug_loop_pipeline.effects import token_report

    with open_store() as store:
        database = store.database
        salt = read_epoch(database)
        kinds = token_report.contributions_by_kind(database)
        peers = token_report.earnings(database, _TOP)
        spent = token_report.spending(database)
        metrics = token_report.latest_metrics(database)
    print_table(
        ("contributions", "told", "rewarded", "worth nothing", "refused", "waiting", "tokens"),
        [
            (r["kind"], r["told"], r["rewarded"], r["unrewarded"], r["refused"], r["waiting"], f"{r['tokens']:.3f}")
            for r in kinds
        ],
        title="what peers gave (debug-loop tokens history PEER)",
    )
    print_table(
        ("peer", "earned", "spent", "balance", "rewarded contributions"),
        [
            (
                pseudonym(r["peer_id"], salt),
                f"{r['earned']:.3f}",
                f"{r['spent']:.3f}",
                f"{r['balance']:.3f}",
                r["rewarded"],
            )
            for r in peers
        ],
        title="who earned, in tokens of 0.001 USD (debug-loop tokens balance PEER)",
    )
    typer.echo(
        f"{spent['attempts']} priced attempts came to {spent['charged']:.3f} tokens: {spent['paid']:.3f} paid,"
        f" {spent['uncovered']:.3f} more than peers had"
    )
    if metrics:
        print_table(
            ("metric", "value", "target", "status", "what it is"),
            [
                (
                    r["metric"],
                    _value(r),
                    r["details"].get("target", ""),
                    _status(r),
                    METRIC_MEANINGS.get(r["metric"], ""),
                )
                for r in metrics
            ],
            title=f"the economy on {metrics[0]['day']}",
        )


def account_named(database: Database, name: str) -> str:
    """The account that a person means: one of that name, else the one that the demo shows under it."""
    if not name.startswith(_PSEUDONYM):
        return name
    peers = [row["peer_id"] for row in fetch_rows(database, "select peer_id from token_accounts order by peer_id")]
    salt = read_epoch(database)
    return name if name in peers else next((peer for peer in peers if pseudonym(peer, salt) == name), name)


def pseudonym(peer_id: str, salt: str) -> str:
    """A name for a peer that says nothing of who it is, the same within one ledger."""
    return _PSEUDONYM + hashlib.blake2b(peer_id.encode(), key=salt.encode()[:64], digest_size=4).hexdigest()


def _value(row: dict[str, Any]) -> str:
    value = row["details"].get("value") if row["value"] is None else row["value"]
    if value is None:
        return "-"
    if value == float("inf"):
        return "nothing was spent"
    if row["metric"] == "contributors":
        return f"{value:.0f}"
    unit = row["details"].get("unit")
    return f"{value:.3f} {unit}" if unit else f"{value:.3f}"


def _status(row: dict[str, Any]) -> str:
    if row["status"] != "ok":
        return f"not enough data: {row['details'].get('detail', '')}".rstrip(": ")
    return {True: "met", False: "not met", None: ""}[row["met"]]
