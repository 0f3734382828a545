"""`debug-loop tokens` as people type it: accounts, decisions on record, proof, and a made-up economy."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from click.testing import Result
from typer.testing import CliRunner

from debug_loop_pipeline.cli.economy import pseudonym
from debug_loop_pipeline.cli.tokens import app
from debug_loop_pipeline.effects.balance_cache import read_epoch
from debug_loop_pipeline.models.servers import ServerAddresses
from debug_loop_pipeline.settings import get_settings
from debug_loop_pipeline.steps.ledger import catch_up
from tests.support.ledger import empty_topics, ledger_on

Servers = tuple[str, str, str]


@pytest.fixture
def store(store_urls: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    url = store_urls()
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", url)
    monkeypatch.setenv("DEBUG_LOOP_ECONOMY_ENABLED", "true")
    get_settings.cache_clear()
    yield url
    get_settings.cache_clear()


@pytest.fixture
def servers(store: str, kafka: ServerAddresses, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Servers:
    broker = kafka.kafka_bootstrap_servers
    assert broker is not None
    empty_topics(broker)
    monkeypatch.setenv("DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS", broker)
    monkeypatch.setenv("DEBUG_LOOP_VALKEY_URL", valkey_url)
    get_settings.cache_clear()
    return store, broker, valkey_url


def tokens(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def fold(servers: Servers) -> None:
    with ledger_on(*servers) as ledger:
        assert ledger.cache is not None
        ledger.cache.begin_epoch("a copy of a template shares its epoch")
        catch_up(ledger)


def test_grants_transfers_and_corrections_are_on_record_and_proven(servers: Servers) -> None:
    assert tokens("grant", "ann", "100", "--reason", "for the test", "--id", "g1").exit_code == 0
    again = tokens("grant", "ann", "100", "--reason", "for the test", "--id", "g1")
    assert "decided before" in again.stdout
    assert tokens("transfer", "ann", "=cmd|'/bob'", "12.345", "--note", "=1+1").exit_code == 0
    assert tokens("adjust", "ann", "--reason", "too much", "--", "-0.345").exit_code == 0
    waiting = tokens("balance", "ann", "--json")
    assert json.loads(waiting.stdout)["not_folded_yet"] == 3
    unfolded = "transactions decided and not folded yet"
    assert f"3 {unfolded}" in tokens("balance", "ann").stdout
    assert f"3 {unfolded}" in tokens("history", "ann").stdout
    assert f"4 {unfolded}" in tokens("top").stdout
    behind = tokens("top", "--json")
    assert (json.loads(behind.stdout), f"4 {unfolded}" in behind.stderr) == ([], True)

    fold(servers)
    told = json.loads(tokens("balance", "ann", "--json").stdout)
    assert (told["balance"], told["available"], told["not_folded_yet"]) == (87_310, 87_310, 0)
    assert "ann: 87.310 tokens" in tokens("balance", "ann").stdout
    assert all(
        "not folded" not in tokens(*words).output for words in (("balance", "ann"), ("history", "ann"), ("top",))
    )
    assert [row["peer_id"] for row in json.loads(tokens("top", "--json").stdout)] == ["ann", "=cmd|'/bob'"]

    history = json.loads(tokens("history", "ann", "--json").stdout)
    assert [(row["reason"], row["amount_tokens"], row["balance_tokens"]) for row in history] == [
        ("grant", "100.000", "100.000"),
        ("transfer", "-12.345", "87.655"),
        ("correction", "-0.345", "87.310"),
    ]
    assert history[0]["metadata"]["note"] == "for the test"
    assert history[0]["metadata"]["by"]
    rows = list(csv.DictReader(StringIO(tokens("history", "ann", "--csv").stdout)))
    assert [(row["tokens"], row["with"]) for row in rows] == [
        ("100.000", ""),
        ("-12.345", "'=cmd|'/bob'"),
        ("-0.345", ""),
    ]
    assert rows[1]["note"].startswith("'=1+1")

    proof = tokens("reconcile", "--json")
    assert proof.exit_code == 0
    found = json.loads(proof.stdout)
    assert (found["clean"], found["decided"], found["replayed"], found["supply_millitokens"]) == (True, 4, 4, 99_655)


def test_a_ledger_whose_topic_was_not_made_yet_is_proven(servers: Servers) -> None:
    assert tokens("grant", "ann", "1", "--reason", "for the test").exit_code == 0
    proof = tokens("reconcile", "--json")
    assert proof.exit_code == 0
    found = json.loads(proof.stdout)
    assert (found["clean"], found["decided"], found["in_flight"], found["replayed"]) == (True, 1, 1, 0)


def test_a_name_that_breaks_the_line_is_shown_in_one(servers: Servers) -> None:
    assert tokens("grant", "a\nb", "1", "--reason", "for the test").stdout.startswith("a\\nb: 1.000")
    fold(servers)
    assert any(line.split()[1:4:2] == ["a\\nb", "1.000"] for line in tokens("top").stdout.splitlines())
    assert tokens("balance", "a\nb").stdout.startswith("a\\nb: 1.000 tokens")


def test_a_difference_is_printed_and_ends_with_1_and_what_is_not_looked_at_with_2(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens("grant", "ann", "100", "--reason", "for the test")
    fold(servers)
    with ledger_on(*servers) as ledger, ledger.database.transaction() as connection:
        connection.exec_driver_sql("update token_balances set balance = balance + 1")
    found = tokens("reconcile", "--json")
    assert found.exit_code == 1
    assert "balances = fold of transactions" in {one["check"] for one in json.loads(found.stdout)["differences"]}
    with ledger_on(*servers) as ledger, ledger.database.transaction() as connection:
        connection.exec_driver_sql("update token_balances set balance = balance - 1")
    assert tokens("reconcile").exit_code == 0
    monkeypatch.setenv("DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    get_settings.cache_clear()
    gone = tokens("reconcile")
    assert gone.exit_code == 2
    assert "not compared: the replayed stream" in gone.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("grant", "ann", "0.0001", "--reason", "x"), "smallest unit"),
        (("grant", "ann", "-1", "--reason", "x"), "No such option"),
        (("grant", "ann", "much", "--reason", "x"), "no number"),
        (("grant", "ann", "snan", "--reason", "x"), "smallest unit"),
        (("grant", "ann", "nan", "--reason", "x"), "smallest unit"),
        (("grant", "ann", "1e30", "--reason", "x"), "at most 1,000,000,000,000 at once"),
        (("grant", "ann", "1e999999", "--reason", "x"), "at most"),
        (("grant", "", "1", "--reason", "x"), "peer_id: "),
        (("transfer", "ann", "ann", "1"), "two peers"),
        (("transfer", "poor", "ann", "1"), "available"),
        (("adjust", "poor", "--reason", "x", "--", "-1"), "available"),
        (("simulate", "--set", "no_such_setting=1"), "NAME=VALUE"),
        (("simulate", "--set", "gini_below=7"), "gini_below"),
        (("simulate", "--set", "golden_reuse_rewards=5,4"), "golden_reuse_rewards: a list is written as JSON"),
    ],
)
def test_what_cannot_be_is_refused_in_words(store: str, words: tuple[str, ...], why: str) -> None:
    result = tokens(*words)
    assert result.exit_code != 0
    assert why in f"{result.output}{result.exception}"


def test_a_store_without_the_economy_decides_nothing(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_LOOP_ECONOMY_ENABLED", "false")
    get_settings.cache_clear()
    assert "DEBUG_LOOP_ECONOMY_ENABLED=true" in str(tokens("grant", "ann", "1", "--reason", "x").exception)


def test_the_same_seed_gives_the_same_economy_and_few_peers_are_not_enough_data(store: str) -> None:
    words = ("simulate", "--peers", 30, "--days", 40, "--seed", 3, "--json")
    first = tokens(*words)
    assert first.exit_code == 0
    assert tokens(*words).stdout == first.stdout
    assert tokens("simulate", "--peers", 30, "--days", 40, "--seed", 4, "--json").stdout != first.stdout
    few = tokens("simulate", "--peers", 4, "--days", 10)
    assert "gini: not enough data" in few.stdout
    judged = tokens("simulate", "--peers", 30, "--days", 40, "--seed", 3, "--set", "velocity_above=1").stdout
    value = json.loads(first.stdout)["days"][-1]["velocity"]["value"]
    assert f"velocity: {value:.3f}, target > 1 not met" in judged
    idle = ("simulate", "--peers", 30, "--days", 40, "--contributions", 0.05, "--uses", 0, "--spending-usd", 0)
    assert "decayed 0.000" in tokens(*idle).stdout
    assert "decayed 0.000" not in tokens(*idle, "--set", "decay_daily_rate=0.5", "--set", "decay_idle_days=1").stdout


def test_an_account_is_found_under_the_name_that_the_demo_shows(servers: Servers) -> None:
    assert tokens("grant", "ann", "7", "--reason", "for the test").exit_code == 0
    fold(servers)
    with ledger_on(*servers) as ledger:
        shown = pseudonym("ann", read_epoch(ledger.database))
    assert tokens("balance", shown).stdout.startswith("ann: 7.000 tokens")
    assert [row["amount_tokens"] for row in json.loads(tokens("history", shown, "--json").stdout)] == ["7.000"]
    assert "nothing was ever decided for this name" in tokens("balance", "peer-00000000").stdout
