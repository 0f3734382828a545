"""Each rule of DOMAIN 4.3 against the attack that it stops, on a real PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from debug_loop_pipeline.compute import error_pattern_extractor, event_errors
from debug_loop_pipeline.compute.economy.transaction_id import encode_transaction
from debug_loop_pipeline.effects.contribution_store import ContributionStore
from debug_loop_pipeline.effects.decision_store import DecisionStore
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.kafka import PARTITIONS, Batch, Message, partition_of
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.token_fold import TokenFold
from debug_loop_pipeline.effects.token_ledger import TokenLedgerEffect
from debug_loop_pipeline.models.contribution import CodeSpan
from debug_loop_pipeline.models.errors import ErrorPattern
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.settings import EconomySettings, GoldenSettings, Settings
from debug_loop_pipeline.steps import contributions, token_rewards
from debug_loop_pipeline.steps.economic_metrics import rings_of
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_all, run_dirty_days
from debug_loop_pipeline.steps.token_rewards import ContributionDecider
from tests.support.contributors import unlike, wrote
from tests.support.economy import contribution, transaction
from tests.support.events import START, attempt, fixed_task, uid

MODEL = '''
def read_rows(path, limit=10):
    """Rows of a file, at most `limit`."""
    # a file may be missing
    if path is None:
        raise ValueError("a path is needed")
    rows = []
    with open(path, encoding="utf-8") as handle:
        for line in handle:
            if len(rows) >= limit:
                break
            if not line.strip():
                continue
            rows.append(json.loads(line))
    return sorted(rows, key=lambda row: row["time"])
'''

COPY = '''
def load_everything(source, maximum = 10):
    """Loads it all, sorted."""
    # nothing to be done without it
    if source is None:
        raise ValueError("a path is needed")
    collected = []
    with open( source, encoding = 'utf-8' ) as stream:

        for text in stream:   # each of them
            if len(collected) >= maximum :
                break
            if not text.strip( ):
                continue
            collected.append( json.loads(text) )
    return sorted(collected, key = lambda item : item['time'],)
'''
"""MODEL under other names and in another layout."""

FIRST = START.date()
TODAY = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Economy:
    """The steps of a day over one database."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.context = StepContext(Database(url), Settings(economy_enabled=True, **settings))
        self.now = TODAY

    def work(self, *events: ExecutionEvent, last: date | None = None) -> None:
        """Events through Part 1, what they give, and the decisions about it."""
        assert ingest_events(self.context, list(events), "test").rejects == []
        run_dirty_days(self.context)
        self.decide(last)

    def decide(self, last: date | None = None) -> None:
        span = Span(FIRST - timedelta(days=60), last or self.now.date())
        contributions.run(self.context, span)
        token_rewards.run(self.context, span, clock=lambda: self.now)

    def rows(self, query: str, **params: Any) -> list[dict[str, Any]]:
        return fetch_rows(self.context.database, query, params)

    def execute(self, statement: str, **params: Any) -> None:
        with self.context.database.transaction() as connection:
            connection.execute(text(statement), params)

    def statuses(self, kind: str = "stf") -> list[tuple[str, str]]:
        """(peer, status) in the sequence of decisions."""
        rows = self.rows(
            "select peer_id, status from contributions where kind = :kind order by sequence, contribution_id", kind=kind
        )
        return [(row["peer_id"], row["status"]) for row in rows]

    def earned(self, peer: str) -> int:
        return sum(row["balance"] for row in self.rows("select balance from token_accounts where peer_id = :p", p=peer))


@pytest.fixture
def economy(store_urls: Callable[[], str]) -> Iterator[Economy]:
    made = Economy(store_urls())
    yield made
    made.context.database.close()


def hash_of(economy: Economy, name: str) -> str:
    [row] = economy.rows("select stf_hash from debug_transform_functions where name = :name", name=name)
    return row["stf_hash"]


def test_a_copy_that_is_renamed_and_reformatted_earns_nothing_though_it_would_have_earned_alone(
    economy: Economy, store_urls: Callable[[], str]
) -> None:
    economy.work(wrote("model", MODEL, "ann"))
    economy.work(wrote("copy", COPY, "ben", minutes=30))
    assert economy.statuses() == [("ann", "rewarded"), ("ben", "unrewarded")]
    assert economy.earned("ben") == 0
    [copy] = economy.rows("select decision from contributions where peer_id = 'ben'")
    assert copy["decision"]["novelty"]["similarity"] == 1.0
    assert copy["decision"]["reward"]["base"] > 0
    alone = Economy(store_urls())
    alone.work(wrote("copy", COPY, "ben"))
    assert alone.earned("ben") > 0
    alone.context.database.close()


def test_of_a_model_and_its_copy_in_one_batch_the_one_that_was_done_first_earns(economy: Economy) -> None:
    economy.work(wrote("copy", COPY, "ben", minutes=30), wrote("model", MODEL, "ann"))
    assert economy.statuses() == [("ann", "rewarded"), ("ben", "unrewarded")]


def test_reuse_pays_the_writer_once_per_task_and_never_for_its_own_reuse(economy: Economy) -> None:
    economy.work(wrote("model", MODEL, "ann"), wrote("copy", COPY, "eve", minutes=5))
    model, copy = hash_of(economy, "read_rows"), hash_of(economy, "load_everything")
    before = economy.earned("ann")
    economy.work(
        attempt("own", "own", minutes=60, failed=False, peer_id="ann", stf_ids=[model], code_written=[]),
        attempt("other", "other", minutes=61, failed=False, peer_id="ben", stf_ids=[model, copy], code_written=[]),
        attempt("copied", "copied", minutes=62, failed=False, peer_id="cleo", stf_ids=[copy], code_written=[]),
        attempt("fails", "fails", minutes=63, failed=True, peer_id="dan", stf_ids=[model]),
    )
    rows = economy.rows(
        "select used_by_peer_id, peer_id, status, amount, decision #>> '{validation,reasons,0}' as reason"
        " from contributions where kind = 'reuse' order by sequence"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("ann", "ann", "rejected", 0, "self_reuse"),
        ("ben", "ann", "rewarded", 5_000, None),
        ("cleo", "ann", "rewarded", 5_000, None),  # whoever copied it: the writer of the first one is paid
        ("dan", "ann", "pending", 0, None),  # its task may go on
    ]
    assert economy.earned("ann") == before + 10_000
    assert economy.earned("eve") == 0


def test_reuse_without_a_measured_success_waits_and_is_paid_once_it_is_measured(economy: Economy) -> None:
    economy.work(wrote("model", MODEL, "ann"))
    paid = economy.earned("ann")
    reuse: dict[str, Any] = {"minutes": 60, "failed": False, "peer_id": "ben", "code_written": []}
    reuse["stf_ids"] = [hash_of(economy, "read_rows")]
    economy.work(attempt("use", "use", verifications=[], **reuse))
    assert economy.statuses("reuse") == [("ann", "pending")]
    economy.work(attempt("use", "use", **reuse))
    assert economy.statuses("reuse") == [("ann", "rewarded")]
    assert economy.earned("ann") == paid + 5_000


def test_a_use_is_one_of_its_task_and_pays_once_its_task_has_succeeded(store_urls: Callable[[], str]) -> None:
    economy = Economy(store_urls(), golden=GoldenSettings(nominate_quality=0.1, approve_quality=0.2))
    work = wrote("model", MODEL, "ann")
    economy.work(work)
    before = economy.earned("ann")
    named: dict[str, Any] = {"stf_ids": [hash_of(economy, "read_rows")], "golden_state_ids": [str(work.attempt_id)]}
    used: dict[str, Any] = {"peer_id": "ben", "code_written": [], "edits": []}
    kinds = "kind in ('reuse', 'golden_reuse')"
    economy.work(attempt("use-0", "use", minutes=60, failed=True, **used, **named))
    assert economy.rows(f"select distinct status from contributions where {kinds}") == [{"status": "pending"}]
    economy.work(*(attempt(f"use-{n}", "use", minutes=60 + n, failed=False, **used, **named) for n in range(1, 6)))
    query = f"select kind, status, amount from contributions where {kinds} order by kind"
    told = [tuple(row.values()) for row in economy.rows(query)]
    assert told == [("golden_reuse", "rewarded", 50_000), ("reuse", "rewarded", 5_000)]
    # Another attempt turns out to have been the first that named them: the use is the same one.
    economy.work(attempt("use-early", "use", minutes=50, failed=False, **used, **named))
    assert [tuple(row.values()) for row in economy.rows(query)] == told
    # What others tell of the same task is no use of its own.
    claims = [
        contribution(
            "golden_reuse",
            attempt_id=uid(f"use-{n}"),
            subject=str(work.attempt_id),
            peer_id="ann",
            used_by_peer_id="ben",
        )
        for n in range(5)
    ] + [contribution("golden_reuse", attempt_id=uid("use-early"), subject=str(work.attempt_id))]
    tell(economy, *claims)
    assert economy.earned("ann") == before + 55_000
    economy.context.database.close()


def test_a_flood_on_one_day_earns_twenty_times_and_is_limited_for_good(economy: Economy) -> None:
    economy.work(*(wrote(f"flood-{n}", unlike(n), "eve", minutes=n) for n in range(24)), wrote("one", MODEL, "ann"))
    flood = [status for peer, status in economy.statuses() if peer == "eve"]
    assert flood == ["rewarded"] * 20 + ["rate_limited"] * 4
    assert economy.earned("ann") > 0
    economy.now += timedelta(days=1)
    economy.decide()
    assert [status for peer, status in economy.statuses() if peer == "eve"] == flood


def test_a_flood_under_forged_dates_is_stopped_by_the_day_of_decision(economy: Economy) -> None:
    events = [
        wrote(
            f"day-{day}",
            "",
            "eve",
            minutes=day * 24 * 60,
        ).model_copy(
            update={
                "code_written": wrote("x", "\n\n".join(unlike(day * 20 + n) for n in range(20)), "eve").code_written
            }
        )
        for day in range(11)
    ]
    economy.work(*events)
    statuses = [status for _, status in economy.statuses()]
    assert len(statuses) == 220
    assert (statuses.count("rewarded"), statuses.count("rate_limited")) == (200, 20)
    assert economy.rows(
        "select max(n) as most from (select count(*) as n from contributions where status = 'rewarded'"
        " group by attempt_day) d"
    ) == [{"most": 20}]


def test_what_a_contribution_says_of_its_time_does_not_move_the_day_that_is_limited(economy: Economy) -> None:
    economy.work(*(wrote(f"flood-{n}", unlike(n), "eve", minutes=n) for n in range(20)))
    assert ingest_events(economy.context, [wrote("late", MODEL, "eve", minutes=100)], "test").rejects == []
    run_dirty_days(economy.context)
    [late] = economy.rows(
        "select attempt_id from debug_execution_attempts where peer_id = 'eve' order by completed_at desc limit 1"
    )
    forged = contribution(
        peer_id="eve", attempt_id=late["attempt_id"], code=MODEL, occurred_at=START - timedelta(days=40)
    )
    tell(economy, forged)
    [row] = economy.rows("select status, attempt_day from contributions where origin = 'topic'")
    assert row == {"status": "rate_limited", "attempt_day": FIRST}


def tell(economy: Economy, *told: Any) -> None:
    """Contributions as somebody else's program tells them."""
    with economy.context.database.transaction() as connection:
        ContributionStore(economy.context.database).add(connection, told, origin="topic")
    economy.decide()


def test_a_claim_to_the_work_of_others_is_rejected_and_takes_nothing_from_them(economy: Economy) -> None:
    work = wrote("work", MODEL, "ann")
    assert ingest_events(economy.context, [work], "test").rejects == []
    run_dirty_days(economy.context)
    tell(economy, contribution(peer_id="eve", attempt_id=work.attempt_id, code=MODEL))
    assert economy.statuses() in (
        [("eve", "rejected"), ("ann", "rewarded")],
        [("ann", "rewarded"), ("eve", "rejected")],
    )
    [claim] = economy.rows(
        "select decision -> 'validation' -> 'reasons' as reasons from contributions where peer_id = 'eve'"
    )
    assert "foreign_attempt" in claim["reasons"]
    assert economy.earned("eve") == 0
    assert economy.earned("ann") > 0


def test_code_that_the_attempt_never_wrote_is_rejected_and_its_own_under_other_names_is_not(economy: Economy) -> None:
    bare = attempt("bare", "bare", minutes=0, failed=False, peer_id="eve", code_written=[], edits=[])
    work = wrote("work", MODEL, "ann", minutes=5)
    assert ingest_events(economy.context, [bare, work], "test").rejects == []
    tell(economy, contribution(peer_id="eve", attempt_id=bare.attempt_id, code=unlike(7)))
    assert economy.statuses() == [("eve", "pending")]  # nothing is known of the attempt yet
    run_dirty_days(economy.context)
    tell(
        economy,
        contribution(peer_id="ann", attempt_id=work.attempt_id, code=unlike(8)),
        contribution(peer_id="ann", attempt_id=work.attempt_id, code=COPY, span=CodeSpan(path="b.py", function="g")),
    )
    rows = economy.rows(
        "select peer_id, path, status, decision #>> '{validation,reasons}' as why from contributions order by 1, 2"
    )
    foreign = '["foreign_attempt"]'
    assert [tuple(row.values()) for row in rows] == [
        ("ann", "a.py", "rejected", foreign),
        ("ann", "b.py", "rewarded", "[]"),
        ("ann", "rows.py", "unrewarded", "[]"),
        ("eve", "a.py", "rejected", foreign),
    ]
    assert economy.earned("eve") == 0


def test_replayed_events_and_repeated_runs_pay_nothing_again(economy: Economy) -> None:
    events = [wrote("one", MODEL, "ann"), wrote("two", unlike(1), "ben", minutes=5)]
    economy.work(*events)
    first = (economy.earned("ann"), economy.earned("ben"), economy.statuses())
    economy.work(*events)
    economy.execute("delete from step_progress")
    economy.execute("insert into dirty_days (day) values (:day)", day=FIRST)
    economy.work()
    assert (economy.earned("ann"), economy.earned("ben"), economy.statuses()) == first
    assert economy.rows("select count(*) as n from token_outbox") == [{"n": 2}]


def test_another_revision_of_an_attempt_pays_nothing_again_for_the_same_function(economy: Economy) -> None:
    economy.work(wrote("one", MODEL, "ann"))
    paid = economy.earned("ann")
    economy.work(
        wrote("one", unlike(3).replace("work_3", "read_rows"), "ann", tools_used=["Bash", "Edit"], quality_score=0.9)
    )
    assert economy.earned("ann") == paid
    assert economy.statuses() == [("ann", "rewarded")]


def test_a_new_normaliser_or_extractor_version_pays_nothing_again(
    economy: Economy, monkeypatch: pytest.MonkeyPatch
) -> None:
    economy.work(wrote("one", MODEL, "ann"))
    paid = economy.earned("ann")
    # another normaliser: every hash is another; another extractor: the function is cut and called otherwise
    for table in ("attempt_stfs", "attempt_stf_quality", "debug_transform_functions"):
        economy.execute(f"update {table} set stf_hash = reverse(stf_hash)")
    monkeypatch.setattr(contributions, "CODE_VERSION", "next")
    economy.decide()
    assert economy.statuses() == [("ann", "rewarded")]
    economy.execute(
        "update attempt_stfs set name = 'read_rows_of', start_line = 1, code = 'import json\n\n\n' || code,"
        ' details = details || \'{"owner": "Module"}\''
    )
    monkeypatch.setattr(contributions, "CODE_VERSION", "after next")
    economy.decide()
    assert economy.statuses() == [("ann", "rewarded"), ("ann", "rejected")]
    [again] = economy.rows(
        "select decision -> 'validation' -> 'reasons' as reasons from contributions where status = 'rejected'"
    )
    assert again["reasons"] == ["same_span"]
    assert economy.earned("ann") == paid


def test_a_fix_is_paid_once_when_it_is_confident_to_the_peer_of_the_first_success(economy: Economy) -> None:
    def fixed(task: str, peer: str, day: int) -> list[ExecutionEvent]:
        return [event.model_copy(update={"peer_id": peer, "code_written": ()}) for event in fixed_task(task, day=day)]

    economy.work(*fixed("first", "ann", 1), *fixed("second", "ben", 2))
    assert economy.statuses("fix") == []
    economy.work(*fixed("third", "cleo", 3))
    assert economy.statuses("fix") == [("ann", "rewarded")]
    assert economy.earned("ann") == 100_000
    economy.work(*fixed("before them all", "eve", 0), *fixed("fifth", "ben", 4))
    assert economy.statuses("fix") == [("ann", "rewarded"), ("eve", "unrewarded")]
    assert economy.earned("eve") == 0


def renamed_errors(monkeypatch: pytest.MonkeyPatch, economy: Economy, version: str) -> None:
    """Everything is computed anew by another normaliser, under which every group of errors has another name."""
    known = error_pattern_extractor.extract_error_pattern

    def extract(*args: Any, **kwargs: Any) -> ErrorPattern:
        found = known(*args, **kwargs)
        return found.model_copy(update={"signature": hashlib.sha256(f"{version}{found.pattern}".encode()).hexdigest()})

    monkeypatch.setattr(event_errors, "extract_error_pattern", extract)
    event_errors.pattern_of.cache_clear()
    run_all(economy.context, Span(FIRST, FIRST + timedelta(days=9)), full_refresh=True)
    economy.decide()


def two_errors(task: str, day: int, errors: Sequence[str], peer: str = "ann") -> list[ExecutionEvent]:
    """A task whose one change mends some errors at once."""
    failing, passing = fixed_task(task, day=day)
    [error] = failing.errors
    shown = tuple(error.model_copy(update={"message": text, "type": text.split(":")[0]}) for text in errors)
    return [
        failing.model_copy(update={"peer_id": peer, "errors": shown}),
        passing.model_copy(update={"peer_id": peer, "code_written": ()}),
    ]


BOTH = ("KeyError: 'name'", "TypeError: no name")


def test_another_normaliser_pays_no_fix_again_and_still_pays_the_one_that_was_not_paid(
    economy: Economy, monkeypatch: pytest.MonkeyPatch
) -> None:
    economy.work(*two_errors("first", 1, BOTH), *two_errors("second", 2, BOTH), *two_errors("third", 3, BOTH[:1]))
    assert economy.statuses("fix") == [("ann", "rewarded")]
    renamed_errors(monkeypatch, economy, "next")
    assert economy.statuses("fix") == [("ann", "rewarded"), ("ann", "unrewarded")]
    # An older task comes in: its peer is the first now, and still the fix has been paid.
    economy.work(*two_errors("older", 0, BOTH[:1], "eve"))
    assert economy.earned("eve") == 0
    # The other error of the same attempts becomes confident later: that fix has been paid under no name.
    economy.work(*two_errors("fourth", 4, BOTH[1:]))
    assert economy.earned("ann") == 200_000
    renamed_errors(monkeypatch, economy, "after next")
    assert (economy.earned("ann"), economy.earned("eve")) == (200_000, 0)
    event_errors.pattern_of.cache_clear()


def test_a_fix_over_a_limit_is_not_paid_under_another_name(
    store_urls: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    economy = Economy(store_urls(), economy=EconomySettings(rewards_per_decision_day=1))
    economy.work(wrote("one", MODEL, "ann"))
    paid = economy.earned("ann")
    economy.work(*(event for n in range(3) for event in two_errors(f"task-{n}", n, BOTH[:1])))
    assert economy.statuses("fix") == [("ann", "rate_limited")]
    economy.now += timedelta(days=1)
    renamed_errors(monkeypatch, economy, "next")
    assert economy.statuses("fix") == [("ann", "rate_limited"), ("ann", "unrewarded")]
    assert economy.earned("ann") == paid
    event_errors.pattern_of.cache_clear()
    economy.context.database.close()


def test_a_told_reuse_of_a_fix_is_paid_only_where_the_fix_was_shown_before_it_worked(economy: Economy) -> None:
    def by(peer: str, task: str, day: int) -> list[ExecutionEvent]:
        return two_errors(task, day, BOTH[:1], peer)

    economy.work(*by("ann", "first", 0), *by("ann", "second", 1), *by("ann", "third", 2))
    economy.work(*by("ben", "used", 3))
    [fix] = economy.rows(
        "select mapping_id, signature || ':' || resolution_id as subject from debug_error_success_mappings"
    )
    [used] = economy.rows(
        "select e.attempt_id, e.correlation_id, e.occurred_at from mapping_events e"
        " join debug_execution_attempts a using (attempt_id) where a.peer_id = 'ben'"
    )
    claim = contribution("reuse", subject=fix["subject"], attempt_id=used["attempt_id"], used_by_peer_id="ben")
    tell(economy, claim)
    assert economy.statuses("reuse") == [("ann", "pending")]

    def served(at: datetime) -> None:
        economy.execute(
            "insert into recommendations (recommendation_id, correlation_id, occasion, arm, stf_hashes, mapping_ids,"
            " golden_state_ids, characters, served_at)"
            " values (gen_random_uuid(), :task, 'failure', 'treatment', '{}', array[:fix], '{}', 1, :at)",
            task=used["correlation_id"],
            fix=fix["mapping_id"],
            at=at,
        )
        economy.decide()

    served(used["occurred_at"] + timedelta(seconds=1))
    assert economy.statuses("reuse") == [("ann", "pending")]
    before = economy.earned("ann")
    served(used["occurred_at"] - timedelta(seconds=1))
    assert economy.statuses("reuse") == [("ann", "rewarded")]
    assert economy.earned("ann") == before + 5_000


def test_groups_that_a_person_merges_pay_no_fix_again(economy: Economy) -> None:
    economy.work(*(event for n in range(3) for event in two_errors(f"task-{n}", n, BOTH[:1])))
    economy.work(*two_errors("other", 4, ["LookupError: nothing"], "ben"))
    signatures = {
        row["error_type"]: row["signature"] for row in economy.rows("select error_type, signature from attempt_errors")
    }
    assert economy.earned("ann") == 100_000
    store = DecisionStore(economy.context.database)
    store.merge_groups(signatures["KeyError"], signatures["LookupError"], "the same", "a person")
    economy.work()
    assert economy.statuses("fix") == [("ann", "rewarded"), ("ann", "unrewarded")]
    assert economy.earned("ann") == 100_000


def edit(name: str, minutes: int, path: str) -> dict[str, Any]:
    return {
        "path": path,
        "language": "python",
        "before": 'return record["name"]',
        "after": 'return record.get("name", default)',
        "step": minutes * 10 + 1,
        "tool_call_id": f"edit-{name}",
    }


def test_a_fix_is_paid_to_the_peer_whose_change_it_was_though_the_check_passed_for_another(economy: Economy) -> None:
    for n in range(3):
        task, at = f"shared-{n}", n * 60
        economy.work(
            attempt(f"{task}-1", task, minutes=at, failed=True, peer_id="ann"),
            attempt(
                f"{task}-2",
                task,
                minutes=at + 10,
                failed=True,
                error="ValueError: bad",
                peer_id="ann",
                edits=[edit(f"{task}-2", at + 10, "config.py")],
            ),
            attempt(
                f"{task}-3",
                task,
                minutes=at + 20,
                failed=False,
                peer_id="ben",
                code_written=[],
                edits=[edit(f"{task}-3", at + 20, "other.py") | {"after": "return parse(record)"}],
            ),
        )
    paid = economy.rows(
        "select c.peer_id, c.amount, m.error_type from contributions c"
        " join debug_error_success_mappings m on c.subject = m.signature || ':' || m.resolution_id where kind = 'fix'"
        " order by m.error_type"
    )
    assert [tuple(row.values()) for row in paid] == [("ann", 100_000, "KeyError"), ("ben", 100_000, "ValueError")]


def test_a_golden_state_of_copied_code_earns_nothing(store_urls: Callable[[], str]) -> None:
    economy = Economy(store_urls(), golden=GoldenSettings(nominate_quality=0.1, approve_quality=0.2))
    economy.work(
        wrote("model", MODEL, "ann"), wrote("again", MODEL, "ann", minutes=10), wrote("copy", COPY, "eve", minutes=20)
    )
    assert economy.statuses("golden_state") == [("ann", "rewarded"), ("ann", "unrewarded"), ("eve", "unrewarded")]
    economy.work(wrote("later", COPY, "mal", minutes=30))
    assert economy.statuses("golden_state")[-1] == ("mal", "unrewarded")
    economy.context.database.close()


def test_the_reuse_of_a_golden_state_earns_less_each_time_and_nothing_above_its_limit(
    store_urls: Callable[[], str],
) -> None:
    easy = GoldenSettings(nominate_quality=0.1, approve_quality=0.2)
    limits = EconomySettings(golden_reuse_limit=130)
    economy = Economy(store_urls(), golden=easy, economy=limits)
    work = wrote("golden", MODEL, "ann")
    economy.work(work)
    assert economy.statuses("golden_state") == [("ann", "rewarded")]
    uses = [
        attempt(
            f"use-{n}",
            f"use-{n}",
            minutes=60 + n,
            failed=False,
            peer_id=peer,
            golden_state_ids=[str(work.attempt_id)],
            code_written=[],
        )
        for n, peer in enumerate(["ben", "ann", "cleo", "dan", "eve", "ben"])
    ]
    economy.work(*uses)
    rows = economy.rows(
        "select used_by_peer_id, amount, status from contributions where kind = 'golden_reuse' order by sequence"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("ben", 50_000, "rewarded"),
        ("ann", 0, "rejected"),
        ("cleo", 40_000, "rewarded"),
        ("dan", 30_000, "rewarded"),
        ("eve", 10_000, "rewarded"),
        ("ben", 0, "unrewarded"),
    ]
    economy.context.database.close()


def test_peers_that_reuse_mostly_each_other_are_reported_as_a_ring(economy: Economy) -> None:
    economy.work(
        wrote("of-eve", unlike(1), "eve"), wrote("of-mal", unlike(2), "mal"), wrote("of-ann", unlike(3), "ann"),
        wrote("of-ben", unlike(4), "ben"), wrote("of-cleo", unlike(5), "cleo"),
    )  # fmt: skip
    works = {
        name: hash_of(economy, f"work_{n}") for n, name in enumerate(["eve", "mal", "ann", "ben", "cleo"], start=1)
    }
    pairs = [("eve", "mal"), ("mal", "eve")] * 5 + [("ann", "ben"), ("ben", "cleo"), ("cleo", "ann"), ("ann", "cleo")]
    economy.work(
        *(
            attempt(
                f"use-{n}",
                f"use-{n}",
                minutes=60 + n,
                failed=False,
                peer_id=user,
                stf_ids=[works[owner]],
                code_written=[],
            )
            for n, (user, owner) in enumerate(pairs)
        )
    )
    [ring] = rings_of(economy.context.database, economy.context.settings.economy)
    assert ring.peers == ("eve", "mal")
    assert (ring.uses_inside, ring.share) == (10, 1.0)


def test_code_that_holds_a_redaction_and_code_that_is_suppressed_earn_nothing(economy: Economy) -> None:
    economy.execute(
        "insert into suppressions (subject_kind, subject_id, reason, decided_by) values ('peer', 'eve', 'spam', 'a person')"
    )
    secret = MODEL.replace('"utf-8"', '"<REDACTED:password>"')
    economy.work(wrote("secret", secret, "ann"), wrote("spam", unlike(2), "eve", minutes=5))
    assert economy.statuses() == [("ann", "rejected"), ("eve", "rejected")]


def test_a_message_put_straight_on_the_topic_is_quarantined_and_never_folded(economy: Economy) -> None:
    ledger, fold = TokenLedgerEffect(economy.context.database), TokenFold(economy.context.database)
    economy.work(wrote("one", MODEL, "ann"))
    [genuine] = [bytes(row["payload"]) for row in economy.rows("select payload from token_outbox")]
    forged = encode_transaction(transaction("earned", 1_000_000, cause="nothing", peer="eve"))
    raised = genuine.replace(b'"amount":', b'"amount":9')
    empty = dict.fromkeys(range(PARTITIONS), 0)
    fold.follow("topic", empty, empty, ledger)
    for peer, payloads in (("ann", [raised, genuine, genuine]), ("eve", [forged, b"{}"])):
        partition = partition_of(peer)
        messages = [Message(partition, peer.encode(), payload, offset) for offset, payload in enumerate(payloads)]
        applied = fold.apply([Batch(partition, 0, len(messages), messages)], "topic")
        assert (applied.folded, applied.quarantined) == ((1, 1) if peer == "ann" else (0, 2))
    assert {peer: balance.balance for peer, balance in fold.balances().items()} == {"ann": economy.earned("ann")}
    assert economy.rows("select count(*) as n from token_quarantine") == [{"n": 3}]


def test_a_decision_that_breaks_off_pays_nothing_and_the_next_run_pays_once(
    economy: Economy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(ContributionStore, "write_decisions", fails)
        with pytest.raises(RuntimeError, match="killed"):
            economy.work(wrote("one", MODEL, "ann"))
    assert economy.statuses() == [("ann", "pending")]
    assert economy.earned("ann") == 0
    economy.decide()
    paid = economy.earned("ann")
    economy.decide()
    assert economy.earned("ann") == paid > 0


def test_deciders_at_once_decide_everything_once_and_in_one_sequence(economy: Economy) -> None:
    events = [wrote(f"w-{n}", unlike(n), f"peer-{n % 5}", minutes=n) for n in range(40)]
    assert ingest_events(economy.context, events, "test").rejects == []
    run_dirty_days(economy.context)
    contributions.run(economy.context, Span(FIRST, TODAY.date()))
    limits = economy.context.settings.economy
    deciders = [ContributionDecider(economy.context.database, limits, lambda: TODAY) for _ in range(4)]

    def drain(decider: ContributionDecider) -> int:
        decided = 0
        while found := decider.decide(TODAY.date(), limit=3).decisions:
            decided += len(found)
        return decided

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(drain, deciders)) == 40
    rows = economy.rows(
        "select sequence, amount, decision #>> '{novelty,similarity}' as near from contributions order by 1"
    )
    assert [row["sequence"] for row in rows] == list(range(1, 41))
    assert sum(row["amount"] for row in rows) == sum(
        row["balance"] for row in economy.rows("select balance from token_accounts")
    )
