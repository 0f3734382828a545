"""`debug-loop tokens balance | history | top | grant | adjust | transfer | reconcile | simulate`."""

from __future__ import annotations

import csv
import json as json_
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from pydantic import ValidationError

from debug_loop_pipeline.cli.output import JsonOption, counted, explain_invalid, one_line, print_json, print_table
from debug_loop_pipeline.cli.store import ReasonOption, open_store, who
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.token import MAX_AMOUNT, MILLITOKENS_PER_TOKEN

if TYPE_CHECKING:
    from debug_loop_pipeline.effects.token_accounts import TokenAccountsEffect
    from debug_loop_pipeline.effects.token_ledger import Decided
    from debug_loop_pipeline.models.economic_metrics import Metric
    from debug_loop_pipeline.models.token import Balance
    from debug_loop_pipeline.settings import EconomySettings, Settings
    from debug_loop_pipeline.steps.framework import StepContext

app = typer.Typer(add_completion=False, no_args_is_help=True, help="The token economy: accounts, transfers, proof.")

PeerArgument = Annotated[str, typer.Argument(help="Name of the account.")]
ShownPeerArgument = Annotated[str, typer.Argument(help="Name of the account, or the one that the demo shows it under.")]
TokensArgument = Annotated[str, typer.Argument(help="Tokens, down to a thousandth: 12 or 0.005. 1 token = 0.001 USD.")]
IdOption = Annotated[
    str | None, typer.Option("--id", help="Your own id of this decision: the same one decides nothing twice.")
]
_MOST_TOKENS = MAX_AMOUNT // MILLITOKENS_PER_TOKEN
_NOT_COMPARED = 2
"""Exit code of a reconciliation that could not look at every copy."""


@app.command()
def balance(peer: ShownPeerArgument, json: JsonOption = False) -> None:
    """Show a balance, from the cache where there is one."""
    with open_store() as store:
        from debug_loop_pipeline.cli.economy import account_named
        from debug_loop_pipeline.effects.token_ledger import read_balances
        from debug_loop_pipeline.models.token import Balance

        peer = account_named(store.database, peer)
        folded = _cached_balance(store, peer)
        decided = read_balances(store.database, "token_accounts", [peer]).get(peer, Balance(peer_id=peer))
    waiting = decided.version - folded.version
    if json:
        print_json(folded.model_dump(mode="json") | {"available": folded.available, "not_folded_yet": waiting})
        return
    typer.echo(f"{one_line(peer)}: {tokens(folded.balance)} tokens, {tokens(folded.available)} available")
    typer.echo(f"earned {tokens(folded.lifetime_earned)}, spent {tokens(folded.lifetime_spent)} in all")
    if not decided.version:
        typer.echo("nothing was ever decided for this name; `debug-loop tokens top` lists accounts")
    _tell_waiting(waiting)


@app.command()
def history(
    peer: ShownPeerArgument,
    csv_: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    json: JsonOption = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="The latest so many; by default 50 in a table, else all.")
    ] = None,
) -> None:
    """Show a peer's transactions, oldest first, with the balance after each."""
    from debug_loop_pipeline.cli.economy import account_named
    from debug_loop_pipeline.effects import token_report

    with open_store() as store:
        peer = account_named(store.database, peer)
        rows = token_report.history(store.database, peer, limit or (None if csv_ or json else 50))
        _tell_waiting(token_report.waiting(store.database, peer), err=csv_ or json)
    if json:
        print_json(
            [
                row | {"amount_tokens": tokens(row["amount"]), "balance_tokens": tokens(row["balance"] or 0)}
                for row in rows
            ]
        )
        return
    columns = ("time", "type", "reason", "tokens", "balance", "held", "with", "about", "note")
    told = [
        (
            f"{row['occurred_at']:%Y-%m-%dT%H:%M:%S}Z",
            row["transaction_type"],
            row["reason"],
            tokens(row["amount"]),
            tokens(row["balance"] or 0),
            tokens(row["held"]),
            (row["counterparty_peer_id"] or "") if csv_ else one_line(row["counterparty_peer_id"] or ""),
            row["subject_hash"] if csv_ else row["subject_hash"][:12],
            _note(row["metadata"]),
        )
        for row in rows
    ]
    if csv_:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow((*columns, "transaction_id", "cause_id"))
        writer.writerows(
            (*cells[:6], *_safe((*cells[6:], str(row["transaction_id"]), row["cause_id"])))
            for cells, row in zip(told, rows, strict=True)
        )
        return
    print_table(columns, told)


@app.command()
def top(limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 20, json: JsonOption = False) -> None:
    """List the accounts with most."""
    from debug_loop_pipeline.effects import token_report

    with open_store() as store:
        rows = token_report.top(store.database, limit)
        _tell_waiting(token_report.waiting(store.database), err=json)
    if json:
        print_json(rows)
        return
    print_table(
        ("peer", "balance", "held", "earned", "spent"),
        [
            (one_line(r["peer_id"]), *(f"{r[name]:.3f}" for name in ("balance", "held", "earned", "spent")))
            for r in rows
        ],
    )


@app.command()
def grant(
    peer: PeerArgument, amount: TokensArgument, reason: ReasonOption, id_: IdOption = None, json: JsonOption = False
) -> None:
    """Mint tokens for a peer; who did it and why stays on record."""
    wanted = millitokens(amount)
    if wanted <= 0:
        raise DebugLoopError("a grant gives something: name a number above 0, or use `tokens adjust`")
    _decide(
        lambda accounts: accounts.grant(peer, wanted, _cause(id_), by=who(), note=reason, now=datetime.now(UTC)),
        json=json,
    )


@app.command(context_settings={"ignore_unknown_options": True})
def adjust(
    peer: PeerArgument, amount: TokensArgument, reason: ReasonOption, id_: IdOption = None, json: JsonOption = False
) -> None:
    """Correct an account in either direction; who did it and why stays on record."""
    wanted = millitokens(amount)
    if wanted == 0:
        raise DebugLoopError("a correction by nothing is none")
    _decide(
        lambda accounts: accounts.adjust(peer, wanted, _cause(id_), by=who(), note=reason, now=datetime.now(UTC)),
        json=json,
    )


@app.command()
def transfer(
    giver: Annotated[str, typer.Argument(help="Who pays.")],
    receiver: Annotated[str, typer.Argument(help="Who gets it.")],
    amount: TokensArgument,
    note: Annotated[str, typer.Option("--note", help="What for.")] = "",
    id_: IdOption = None,
    json: JsonOption = False,
) -> None:
    """Move tokens from one peer to another, as far as they are available."""
    wanted = millitokens(amount)
    if wanted <= 0:
        raise DebugLoopError("a transfer moves something: name a number above 0")
    if giver == receiver:
        raise DebugLoopError("a transfer needs two peers")
    metadata = {"by": who()} | ({"note": note} if note else {})
    _decide(
        lambda accounts: accounts.transfer(giver, receiver, wanted, _cause(id_), datetime.now(UTC), metadata), json=json
    )


@app.command()
def reconcile(
    replay: Annotated[
        bool, typer.Option("--replay/--no-replay", help="Read the whole stream from the broker too.")
    ] = True,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Publish again what the broker lost; begin the cache anew where it differs."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Prove that accounts, folded balances, the replayed stream and the cache are equal; exit code 1 where they are not."""
    from debug_loop_pipeline.settings import get_settings
    from debug_loop_pipeline.steps.ledger import open_ledger
    from debug_loop_pipeline.steps.reconcile import as_json
    from debug_loop_pipeline.steps.reconcile import reconcile as compare

    with open_ledger(get_settings(), "debug-loop-reconcile") as ledger:
        result = compare(ledger, replay=replay, repair=repair)
    if json:
        print_json(as_json(result))
    else:
        typer.echo(
            f"{result.accounts} accounts with {tokens(result.supply)} tokens; {result.decided} transactions decided,"
            f" {result.folded} folded, {result.replayed} replayed, {result.in_flight} on their way; {result.cached} balances cached"
        )
        for line in (*result.repaired, *(f"not compared: {reason}" for reason in result.skipped)):
            typer.echo(line)
        if result.quarantined:
            typer.echo(
                f"{result.quarantined} messages in quarantine: nothing decided explains them, they count nowhere"
            )
        if result.differences:
            rows = [(d.check, d.subject, d.expected, d.found) for d in result.differences]
            print_table(("check", "subject", "expected", "found"), rows, title=f"{result.count} differences")
        else:
            typer.echo("no differences")
    if result.count:
        raise typer.Exit(1)
    if result.skipped:
        raise typer.Exit(_NOT_COMPARED)


@app.command()
def simulate(
    peers: Annotated[int, typer.Option(min=1, help="Peers.")] = 100,
    days: Annotated[int, typer.Option(min=1, help="Days.")] = 90,
    seed: Annotated[int, typer.Option(help="The same seed gives the same economy.")] = 0,
    contributions: Annotated[float, typer.Option(min=0, help="Functions given per peer and day.")] = 0.5,
    uses: Annotated[float, typer.Option(min=0, help="Uses of others' work per peer and day.")] = 1.0,
    spending_usd: Annotated[float, typer.Option(min=0, help="USD a peer would spend per day.")] = 0.05,
    inequality: Annotated[float, typer.Option(min=0, help="How unequal peers' activity is; 0: all do the same.")] = 0.8,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Try a setting: `reuse_reward=10`, `decay_daily_rate=0.02`. Repeatable."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run a made-up economy, to choose reward and decay settings before using them."""
    from debug_loop_pipeline.compute.economy.economy_simulation import SimulationParameters
    from debug_loop_pipeline.compute.economy.economy_simulation import simulate as run
    from debug_loop_pipeline.settings import load_settings

    economy = _tried(load_settings(), set_ or [])
    parameters = SimulationParameters(
        peers=peers,
        days=days,
        seed=seed,
        contributions=contributions,
        uses=uses,
        spending_usd=spending_usd,
        inequality=inequality,
    )
    result = run(parameters, economy)
    if json:
        print_json(
            {
                "days": [day.model_dump(mode="json", exclude={"lorenz"}) for day in result.days],
                "balances_millitokens": result.balances,
                "wanted_millitokens": result.wanted,
                "uncovered_millitokens": result.uncovered,
                "decayed_millitokens": result.decayed,
                "contributions": {status.value: count for status, count in result.statuses.items()},
            }
        )
        return
    step = max(1, days // 12)
    shown = [*range(step - 1, days - 1, step), days - 1]
    print_table(
        ("day", "gini", "velocity", "earned/spent", "top tenth", "supply", "minted", "spent", "contributors"),
        [
            (
                number + 1,
                *(f"{metric.value:.3f}" if metric.value is not None else "-" for metric in day.metrics),
                tokens(day.supply),
                tokens(day.minted),
                tokens(day.spent),
                day.contributors,
            )
            for number, day in ((number, result.days[number]) for number in shown)
        ],
        title=f"{peers} peers over {days} days, seed {seed}",
    )
    for metric in result.days[-1].metrics:
        typer.echo(_judged(metric))
    paid = 1 - result.uncovered / result.wanted if result.wanted else 1.0
    typer.echo(f"paid {paid:.0%} of what peers would have spent; decayed {tokens(result.decayed)}")


def _judged(metric: Metric) -> str:
    """A metric in words, such as `gini: 0.512, target < 0.5 not met`."""
    told = ["not enough data"] if metric.status == "not_enough_data" else []
    if metric.value is not None:
        told.append(f"{metric.value:.3f}")
    if metric.target:
        word = {"passed": " met", "failed": " not met"}.get(metric.status, "")
        told.append(f"target {metric.target}{word}")
    told += [metric.detail] if metric.detail else []
    return f"{metric.name}: {', '.join(told)}"


def tokens(millitokens: int) -> str:
    """Millitokens as people see them."""
    return f"{Decimal(millitokens) / MILLITOKENS_PER_TOKEN:.3f}"


def millitokens(text: str) -> int:
    """The millitokens of a number of tokens as people write it.

    Raises:
        DebugLoopError: No number, finer than a thousandth, or more than one transaction moves.
    """
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise DebugLoopError(f"{text!r} is no number of tokens") from None
    if amount.is_finite() and abs(amount) > _MOST_TOKENS:
        raise DebugLoopError(f"{text} tokens cannot be booked: at most {_MOST_TOKENS:,} at once")
    if not amount.is_finite() or amount * MILLITOKENS_PER_TOKEN % 1:
        raise DebugLoopError(f"{text} tokens cannot be booked: the smallest unit is 0.001 token")
    return int(amount * MILLITOKENS_PER_TOKEN)


def _tell_waiting(transactions: int, *, err: bool = False) -> None:
    if transactions:
        told = f"{counted(transactions, 'transaction')} decided and not folded yet: `debug-loop consume` folds them"
        typer.echo(told, err=err)


def _cached_balance(store: StepContext, peer: str) -> Balance:
    settings = store.settings
    if settings.valkey_url is None:
        from debug_loop_pipeline.effects.token_fold import TokenFold
        from debug_loop_pipeline.models.token import Balance

        return TokenFold(store.database).balances([peer]).get(peer, Balance(peer_id=peer))
    from debug_loop_pipeline.effects.balance_cache import BalanceCacheEffect
    from debug_loop_pipeline.effects.resilience import breaker_under
    from debug_loop_pipeline.effects.valkey import Valkey

    limits = settings.resilience
    valkey = Valkey(settings.valkey_url, socket_timeout_s=limits.valkey_timeout_seconds, breaker=breaker_under(limits))
    try:
        return BalanceCacheEffect(valkey, store.database, ttl_s=settings.economy.balance_cache_seconds).get(peer)
    finally:
        valkey.close()


def _decide(work: Callable[[TokenAccountsEffect], Decided], *, json: bool) -> None:
    """Decides, and says what that did."""
    from debug_loop_pipeline.effects.token_accounts import TokenAccountsEffect
    from debug_loop_pipeline.effects.token_ledger import TokenLedgerEffect

    with open_store() as store:
        if not store.settings.economy_enabled:
            raise DebugLoopError("the token economy is off; set DEBUG_LOOP_ECONOMY_ENABLED=true to turn it on")
        ledger = TokenLedgerEffect(store.database)
        try:
            decided = work(TokenAccountsEffect(ledger))
        except ValidationError as err:
            raise DebugLoopError(explain_invalid(err)) from err
        transactions = (*decided.new, *decided.repeated)
        accounts = ledger.accounts([t.peer_id for t in transactions])
    if json:
        print_json(
            {
                "new": [t.model_dump(mode="json") for t in decided.new],
                "repeated": [t.model_dump(mode="json") for t in decided.repeated],
            }
        )
        return
    for transaction in transactions:
        again = "" if transaction in decided.new else " (decided before, nothing was done again)"
        now = accounts[transaction.peer_id].balance
        typer.echo(f"{one_line(transaction.peer_id)}: {tokens(transaction.amount)}, now {tokens(now)} tokens{again}")


def _cause(given: str | None) -> str:
    return given or f"by hand {uuid4()}"


def _note(metadata: dict[str, Any]) -> str:
    by = f" (by {metadata['by']})" if metadata.get("by") else ""
    return f"{metadata.get('note', '')}{by}".strip()


def _safe(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Texts that a spreadsheet would take for formulas begin with a quote: names of peers are anybody's."""
    return tuple(f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell for cell in cells)


def _tried(settings: Settings, changes: list[str]) -> EconomySettings:
    economy = settings.economy
    values: dict[str, Any] = economy.model_dump()
    for change in changes:
        name, sign, value = change.partition("=")
        if not sign or name not in values:
            raise DebugLoopError(f"--set wants NAME=VALUE with one of {', '.join(values)}, not {change!r}")
        values[name] = _parsed(value)
    try:
        return type(economy).model_validate(values)
    except ValidationError as err:
        raise DebugLoopError(explain_invalid(err)) from err


def _parsed(value: str) -> Any:
    """A value as JSON where it is some, so that rewards by quality can be tried: `stf_rewards=[[0.9, 500]]`."""
    try:
        return json_.loads(value)
    except ValueError:
        return value
