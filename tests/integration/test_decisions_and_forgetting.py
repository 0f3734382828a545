"""What people decide holds on every recompute; what is forgotten is gone everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from debug_loop_pipeline.cli import errors, model, privacy
from debug_loop_pipeline.cli.decide import resolve
from debug_loop_pipeline.compute.fixes.wilson import wilson_lower_bound
from debug_loop_pipeline.compute.prices.genai_price_catalog import bundled_prices
from debug_loop_pipeline.compute.serving.manifest_text import render_markdown
from debug_loop_pipeline.effects.debug_stf_storage import DebugSTFStorageEffect, UnknownFunctionError
from debug_loop_pipeline.effects.decision_store import DecisionStore
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.match_epoch_store import MatchEpochStore
from debug_loop_pipeline.effects.model_price_catalog import ModelPriceCatalogEffect, PriceConflictError
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.schema_columns import table_columns
from debug_loop_pipeline.effects.statements import execute
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.cost import BucketPrices, ModelPrice
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.manifest import Manifest, ManifestFix
from debug_loop_pipeline.models.recommendation import ManifestRequest, Recommendation
from debug_loop_pipeline.serving.answers import Answerer
from debug_loop_pipeline.settings import ManifestSettings, Settings
from debug_loop_pipeline.steps import golden_states, model_prices, stf_registry
from debug_loop_pipeline.steps.explain import explain_sessions
from debug_loop_pipeline.steps.forget import forget
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.known_failures import known_failures
from debug_loop_pipeline.steps.manifest import build_manifest
from debug_loop_pipeline.steps.model_prices import reprice, seed
from debug_loop_pipeline.steps.run_all import run_dirty_days
from tests.support.digests import table_digests
from tests.support.events import attempt, fixed_task

REQUEST = "Fix the reader of names in config.py, it fails on a missing name"


@pytest.fixture(scope="module")
def computed(postgres_server_url: str, priced: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Name of a database in which three fixed tasks are computed, to be copied by each test."""
    from tests.conftest import _create, _drop

    name = f"computed_{uuid4().hex[:8]}"
    made = StepContext(
        Database(_create(postgres_server_url, name, priced)), Settings(data_dir=tmp_path_factory.mktemp("computed"))
    )
    ingest_events(made, [event for day in range(3) for event in fixed_task(f"task-{day}", day=day)], "test")
    run_dirty_days(made)
    made.database.close()
    yield name
    _drop(postgres_server_url, name)


@pytest.fixture
def context(store_urls: Callable[..., str], computed: str, tmp_path: Path) -> Iterator[StepContext]:
    made = StepContext(Database(store_urls(computed)), Settings(data_dir=tmp_path))
    yield made
    made.database.close()


def one(context: StepContext, query: str) -> dict:
    rows = fetch_rows(context.database, query)
    assert len(rows) == 1
    return rows[0]


def manifest(context: StepContext, **asked: str) -> Manifest:
    current = MatchEpochStore(context.database, context.settings).current(force_new=True)
    return build_manifest(context.database, context.settings, current.match, **asked)


def test_the_manifest_gives_the_fix_back_with_its_counts(context: StepContext) -> None:
    found = manifest(context, error="KeyError: 'name'")
    assert [(fix.success_count, fix.failure_count, fix.same_slots) for fix in found.fixes] == [(3, 0, True)]
    assert 'record.get("name", default)' in render_markdown(found).markdown


def test_other_values_are_said_to_be_others(context: StepContext) -> None:
    fix = manifest(context, error="KeyError: 'colour'").fixes[0]
    assert not fix.same_slots
    assert fix.seen_values == (("name",),)


def more_fixes(context: StepContext, count: int, values: str, *, successes: int = 2, failures: int = 0) -> None:
    """Further mappings of the one error, each with a change of its own, all seen with one value."""
    copied = [
        "insert into resolutions select r.* from (select jsonb_array_elements(jsonb_agg(to_jsonb(r) || jsonb_build_object("
        "'resolution_id', encode(sha256((:values || n)::bytea), 'hex')))) as made from (select * from resolutions limit 1) r,"
        " generate_series(1, :count) n) made, jsonb_populate_record(null::resolutions, made) r",
        "insert into debug_error_success_mappings select m.* from (select jsonb_array_elements(jsonb_agg(to_jsonb(m) ||"
        " jsonb_build_object('mapping_id', encode(sha256(('m' || :values || n)::bytea), 'hex'), 'resolution_id',"
        " encode(sha256((:values || n)::bytea), 'hex'), 'success_count', :successes, 'failure_count', :failures,"
        " 'wilson_lower_bound', :bound, 'slot_values', jsonb_build_array(jsonb_build_array(:values))))) as made"
        " from (select * from debug_error_success_mappings limit 1) m, generate_series(1, :count) n) made,"
        " jsonb_populate_record(null::debug_error_success_mappings, made) m",
        "insert into mapping_events select e.* from (select jsonb_array_elements(jsonb_agg(to_jsonb(e) || jsonb_build_object("
        "'resolution_id', encode(sha256((:values || n)::bytea), 'hex')))) as made from (select * from mapping_events limit 1) e,"
        " generate_series(1, :count) n) made, jsonb_populate_record(null::mapping_events, made) e",
    ]
    told = {
        "count": count,
        "values": values,
        "successes": successes,
        "failures": failures,
        "bound": wilson_lower_bound(successes, successes + failures),
    }
    with context.database.transaction() as connection:
        for statement in copied:
            execute(connection, statement, told)


def test_a_fix_seen_with_the_same_values_comes_before_any_number_of_better_ones(context: StepContext) -> None:
    more_fixes(context, 25, "other")
    more_fixes(context, 1, "yaml", successes=1)
    found = manifest(context, error="KeyError: 'yaml'").fixes
    assert [fix.same_slots for fix in found] == [True] + [False] * 20
    assert (found[0].success_count, found[0].seen_values) == (1, (("yaml",),))


def test_each_of_several_errors_of_one_group_is_asked_about(context: StepContext) -> None:
    more_fixes(context, 1, "yaml", successes=1)
    failed = "\n".join(f"FAILED tests/test_{n}.py::test_it - KeyError: '{n}'" for n in ("requests", "yaml"))
    summary = f"=== short test summary info ===\n{failed}\n=== 2 failed in 0.10s ==="
    found = manifest(context, error=summary)
    assert [fix.seen_values for fix in found.fixes if fix.same_slots] == [(("yaml",),)]


def test_a_fix_just_below_the_threshold_is_not_mentioned(context: StepContext) -> None:
    assert 0.195 < wilson_lower_bound(8, 22) < 0.2 < wilson_lower_bound(1, 1)
    more_fixes(context, 1, "below", successes=8, failures=14)
    more_fixes(context, 1, "just", successes=1)
    found = manifest(context, error="KeyError: 'below'")
    assert {fix.success_count for fix in found.fixes} == {1, 3}


@pytest.mark.parametrize(("with_manifest", "recorded"), [(False, 2), (True, 11)])
def test_what_did_not_fit_into_the_prompt_is_recorded_only_where_all_was_given(
    context: StepContext, with_manifest: bool, recorded: int
) -> None:
    more_fixes(context, 10, "other")
    settings = context.settings.model_copy(update={"manifest": ManifestSettings(token_budget=150)})
    served: list[Recommendation] = []
    asked = ManifestRequest(error="KeyError: 'name'", with_manifest=with_manifest)
    answer = Answerer(context.database, settings, lambda: None, served.append).answer(asked)
    assert answer.markdown.count("### Fix") == 2
    assert len(served[0].mapping_ids) == recorded


def test_an_unknown_error_says_nothing(context: StepContext) -> None:
    found = manifest(context, error="ZeroDivisionError: division by zero")
    assert found.empty
    assert render_markdown(found).markdown == ""


def test_a_request_finds_the_function_that_solved_it(context: StepContext) -> None:
    assert [function.name for function in manifest(context, request=REQUEST).functions] == ["read_name"]


def test_serving_can_be_turned_off(context: StepContext) -> None:
    settings = Settings(serving_enabled=False)
    assert build_manifest(context.database, settings, None, error="KeyError: 'name'").empty


def test_code_stays_inside_its_sharing_group(context: StepContext) -> None:
    match = MatchEpochStore(context.database, context.settings).current().match

    def functions(group: str, repository: str) -> int:
        return len(
            build_manifest(
                context.database, Settings(sharing_group=group), match, request=REQUEST, repository=repository
            ).functions
        )

    assert functions("example/names,example/other", "example/other") == 1
    assert functions("example/other", "example/other") == 0
    assert functions("example/other", "example/names") == 1


def test_a_fix_from_outside_the_sharing_group_is_a_template(context: StepContext) -> None:
    def fix(group: str, repository: str) -> ManifestFix:
        settings = Settings(sharing_group=group)
        asked = build_manifest(context.database, settings, None, error="KeyError: 'colour'", repository=repository)
        (found,) = asked.fixes
        return found

    inside, outside = fix("example/names,example/other", "example/other"), fix("example/other", "elsewhere/repo")
    assert 'record.get("name", default)' in inside.example_diff
    assert inside.seen_values == (("name",),)
    assert fix("example/other", "example/names") == inside
    assert outside == inside.model_copy(update={"example_diff": "", "said": None, "seen_values": ()})
    assert ". get (" in outside.template


def test_what_was_tried_in_vain_outside_the_sharing_group_is_a_template_too(context: StepContext) -> None:
    edit = json.loads(attempt("vain-edit", "vain", minutes=5_000, failed=False).model_dump_json())["edits"]
    again = attempt("vain-2", "vain", minutes=5_010, failed=True, error="KeyError: 'size'", edits=edit, peer_id="bob")
    ingest_events(
        context, [attempt("vain-1", "vain", minutes=4_990, failed=True, error="KeyError: 'size'"), again], "test"
    )
    run_dirty_days(context)
    resolution = "update debug_error_success_mappings set success_count = 0, wilson_lower_bound = 0"
    with context.database.transaction() as connection:
        connection.exec_driver_sql(resolution)
    ours, theirs = (
        build_manifest(
            context.database, Settings(sharing_group=group), None, error="KeyError: 'size'", repository="elsewhere/repo"
        ).tried_and_failed
        for group in ("example/names,elsewhere/repo", "elsewhere/repo")
    )
    assert [(tried.failure_count, bool(tried.example_diff), tried.peer_id) for tried in ours] == [(1, True, "bob")]
    assert [(tried.failure_count, tried.example_diff, tried.peer_id) for tried in theirs] == [(1, "", "bob")]


def test_an_example_is_of_those_that_are_not_suppressed_and_bears_their_name(context: StepContext) -> None:
    def task(peer: str, repository: str, path: str, day: int) -> list[ExecutionEvent]:
        told: dict[str, Any] = {"peer_id": peer, "context": {"repository": repository}}
        failed = attempt(f"{peer}-1", peer, minutes=day * 1_440, failed=True, error="LookupError: no name", **told)
        edit = json.loads(attempt("edit", "edit", minutes=day * 1_440 + 10, failed=False).model_dump_json())["edits"]
        edits = [edit[0] | {"path": path}]
        return [failed, attempt(f"{peer}-2", peer, minutes=day * 1_440 + 10, failed=False, edits=edits, **told)]

    ingest_events(context, [*task("mallory", "m/m", "a.py", 8), *task("bob", "b/b", "longer/path.py", 9)], "test")
    run_dirty_days(context)
    decisions = DecisionStore(context.database)
    settings = context.settings

    def fixes(asking: Settings = settings, repository: str | None = None) -> list[tuple[str, str | None]]:
        found = build_manifest(context.database, asking, None, error="LookupError: no name", repository=repository)
        return [(fix.example_diff.splitlines()[0], fix.peer_id) for fix in found.fixes]

    own = Settings(sharing_group="none")
    of_mallory, of_bob = fixes(own, "m/m"), fixes(own, "b/b")
    assert ([peer for _, peer in of_mallory], [peer for _, peer in of_bob]) == (["mallory"], ["bob"])
    assert ("a.py" in of_mallory[0][0], "longer/path.py" in of_bob[0][0]) == (True, True)
    assert fixes() == of_mallory
    for kind, subject in (("peer", "mallory"), ("repository", "m/m")):
        decisions.suppress(kind, subject, "wrong", "test")
        assert fixes() == of_bob
        decisions.unsuppress(kind, subject)
    assert fixes() == of_mallory


@pytest.mark.parametrize(("kind", "subject"), [("peer", "local"), ("repository", "example/names")])
def test_a_fix_known_from_suppressed_sources_alone_is_not_served(context: StepContext, kind: str, subject: str) -> None:
    if kind == "peer":
        subject = one(context, "select distinct peer_id from debug_execution_attempts")["peer_id"]
    assert known_failures(context.database, context.settings, None, REQUEST)[0].helped
    DecisionStore(context.database).suppress(kind, subject, "wrong", "test")
    assert manifest(context, error="KeyError: 'name'", request=REQUEST).empty
    assert known_failures(context.database, context.settings, None, REQUEST) == ()


def test_a_suppressed_fix_is_not_served_and_can_come_back(context: StepContext) -> None:
    resolution = one(context, "select resolution_id from resolutions")["resolution_id"]
    decisions = DecisionStore(context.database)
    assert decisions.suppress("resolution", resolution, "wrong", "test")
    assert not decisions.suppress("resolution", resolution, "wrong", "test")
    assert manifest(context, error="KeyError: 'name'").fixes == ()
    assert decisions.unsuppress("resolution", resolution)
    assert len(manifest(context, error="KeyError: 'name'").fixes) == 1


def test_what_is_suppressed_by_the_beginning_of_its_id_is_not_served(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "open_store", lambda: nullcontext(context))
    suppress = partial(CliRunner().invoke, privacy.app)
    signature = one(context, "select distinct signature from debug_error_success_mappings")["signature"]
    words = ["suppress", "signature", signature[:12]]
    assert suppress([*words, "--reason", "wrong"]).stdout == "suppressed\n"
    assert manifest(context, error="KeyError: 'name'").fixes == ()
    assert suppress([*words, "--undo"]).stdout == "shown again\n"
    assert len(manifest(context, error="KeyError: 'name'").fixes) == 1
    assert str(suppress(words[:2]).exception).startswith("name the signature to keep out")
    unknown = suppress(["suppress", "signature", "zzz", "--reason", "x"])
    assert isinstance(unknown.exception, DebugLoopError)
    assert str(unknown.exception) == "the id of no error group begins with 'zzz'; `debug-loop errors top` shows ids"


def test_a_group_is_not_split_by_a_slot_that_none_of_its_errors_has(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "open_store", lambda: nullcontext(context))
    signature = one(context, "select distinct signature from debug_error_success_mappings")["signature"]
    refused = CliRunner().invoke(errors.app, ["split", signature[:12], "--by", "slot:2", "--reason", "x"])
    assert str(refused.exception) == f"no error of {signature[:12]} has slot:2; the most that one has is 1 slot"


def test_an_error_group_names_the_sessions_that_explain_takes(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "open_store", lambda: nullcontext(context))
    row = one(context, "select distinct signature from debug_error_success_mappings")
    session = fetch_rows(context.database, "select session_id from debug_execution_attempts limit 1")[0]["session_id"]
    shown = CliRunner().invoke(errors.app, ["show", row["signature"][:12]])
    assert shown.exit_code == 0
    assert "debug-loop explain --session SESSION" in shown.stdout
    assert session in shown.stdout
    assert explain_sessions(context, [session])[session]["verifications"]


def test_a_rejected_function_is_not_served_and_stays_rejected(context: StepContext) -> None:
    row = one(context, "select stf_hash, first_completed_at from debug_transform_functions")
    day = row["first_completed_at"].date()
    DecisionStore(context.database).decide(
        "stf", row["stf_hash"], "reject", "not ours", "test", datetime.now(UTC), [day]
    )
    stf_registry.run(context, Span(day, day))
    assert one(context, "select approval, approved_by from debug_transform_functions") == {
        "approval": "rejected",
        "approved_by": "test",
    }
    assert manifest(context, request=REQUEST).functions == ()
    run_dirty_days(context)
    stf_registry.run(context, Span(day, day), full_refresh=True)
    assert one(context, "select approval from debug_transform_functions")["approval"] == "rejected"


def test_a_persons_rejection_of_a_golden_state_outranks_its_quality(context: StepContext) -> None:
    golden = fetch_rows(
        context.database, "select golden_state_id, state, nominated_at from debug_golden_states order by 1"
    )
    assert {row["state"] for row in golden} <= {"nominated", "approved"}
    assert golden
    subject, day = golden[0]["golden_state_id"], golden[0]["nominated_at"].date()
    DecisionStore(context.database).decide("golden_state", subject, "reject", "no", "test", datetime.now(UTC), [day])
    golden_states.run(context, Span(day, day))
    states = {
        r["golden_state_id"]: r["state"] for r in fetch_rows(context.database, "select * from debug_golden_states")
    }
    assert states[subject] == "rejected"


def test_merged_groups_count_as_one_on_every_recompute(context: StepContext) -> None:
    ingest_events(context, [attempt("x-1", "x", minutes=5_000, failed=True, error="LookupError: no name here")], "test")
    run_dirty_days(context)
    rows = fetch_rows(context.database, "select distinct error_type, signature from attempt_errors order by error_type")
    key_error, lookup_error = rows[0]["signature"], rows[1]["signature"]
    assert DecisionStore(context.database).merge_groups(lookup_error, key_error, "same cause", "test") == 1
    run_dirty_days(context)
    assert one(context, "select distinct signature from attempt_errors")["signature"] == key_error
    assert len(manifest(context, error="LookupError: no name here").fixes) == 1
    costs = fetch_rows(context.database, "select distinct signature from error_costs")
    assert [row["signature"] for row in costs] == [key_error]


def test_a_merge_is_taken_back_and_groups_merged_in_a_circle_stay_one(context: StepContext) -> None:
    told = [
        attempt("x-1", "x", minutes=5_000, failed=True, error="LookupError: no name here"),
        attempt("y-1", "y", minutes=5_100, failed=True, error="OSError: no such name"),
    ]
    ingest_events(context, told, "test")
    run_dirty_days(context)
    groups = "select distinct signature from attempt_errors order by signature"
    before = [row["signature"] for row in fetch_rows(context.database, groups)]
    one_, other, third = before
    decisions = DecisionStore(context.database)

    def signatures() -> list[str]:
        run_dirty_days(context)
        return [row["signature"] for row in fetch_rows(context.database, groups)]

    decisions.merge_groups(one_, other, "same cause", "test")
    decisions.merge_groups(other, third, "same cause", "test")
    assert signatures() == [third]
    assert resolve(context, "decided_signature", one_[:12]) == one_
    decisions.merge_groups(third, one_, "a better name", "test")
    assert signatures() == [one_]
    assert decisions.undo_group(third, "not so", "test")
    assert signatures() == [third]
    assert decisions.undo_group(other, "not so", "test")
    assert signatures() == sorted((other, third))
    assert decisions.undo_group(other, "not so", "test") is None
    assert decisions.undo_group(one_, "not so", "test")
    assert signatures() == before


def test_a_split_group_tells_its_errors_apart_by_slot(context: StepContext) -> None:
    ingest_events(context, [attempt("y-1", "y", minutes=5_000, failed=True, error="KeyError: 'colour'")], "test")
    run_dirty_days(context)
    whole = one(context, "select distinct signature from attempt_errors")["signature"]
    DecisionStore(context.database).split_group(whole, "slot:1", "different keys", "test")
    run_dirty_days(context)
    assert one(context, "select count(distinct signature) as n from attempt_errors")["n"] == 2
    assert one(context, "select count(distinct signature) as n from debug_error_success_mappings")["n"] == 1
    assert DecisionStore(context.database).undo_group(resolve(context, "decided_signature", whole[:12]), "no", "test")
    run_dirty_days(context)
    assert one(context, "select distinct signature from attempt_errors")["signature"] == whole


def test_a_new_price_prices_what_was_unpriced(context: StepContext) -> None:
    own = [attempt("z-1", "z", minutes=4_000, failed=True, model_used="house-model-1", provider=None)]
    ingest_events(context, own, "test")
    run_dirty_days(context)
    query = "select cost_usd, unpriced_reason from execution_costs where model = 'house-model-1'"
    assert one(context, query) == {"cost_usd": None, "unpriced_reason": "unknown_model"}
    catalog = ModelPriceCatalogEffect(context.database)
    price = ModelPrice(
        provider="house", model="house-model-1", prices=BucketPrices(input=Decimal(2), output=Decimal(4))
    )
    catalog.add_model(price)
    assert reprice(context, "house", "house-model-1") == 1
    assert one(context, query)["cost_usd"] == Decimal("0.0028")
    with pytest.raises(PriceConflictError, match="already"):
        catalog.add_model(price)


def test_a_price_in_force_is_closed_and_never_overwritten(context: StepContext) -> None:
    catalog = ModelPriceCatalogEffect(context.database)
    catalog.add_model(ModelPrice(provider="house", model="m", prices=BucketPrices(input=Decimal(1))))
    later = datetime(2026, 6, 1, tzinfo=UTC)
    catalog.update_pricing(
        ModelPrice(provider="house", model="m", prices=BucketPrices(input=Decimal(3)), effective_from=later)
    )
    before = catalog.get_pricing("house", "m", datetime(2026, 5, 1, tzinfo=UTC))
    after = catalog.get_pricing("house", "m", later)
    assert before is not None
    assert after is not None
    assert (before.prices.input, before.effective_to, after.prices.input) == (Decimal(1), later, Decimal(3))
    catalog.mark_deprecated("house", "m")
    assert catalog.list_models(provider="house") == []
    assert len(catalog.list_models(provider="house", include_deprecated=True)) == 2


def test_the_catalog_is_listed_in_part_and_says_so(context: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "open_store", lambda: nullcontext(context))
    some = CliRunner().invoke(model.app, ["list", "--limit", "2"]).stdout
    assert re.search(r"^2 of \d{3,} models; --name", some, re.MULTILINE)
    listed = json.loads(CliRunner().invoke(model.app, ["list", "--json"]).stdout)
    assert f"2 of {len(listed)} models" in some


def test_seeding_again_changes_nothing(context: StepContext) -> None:
    again = seed(context.database)
    assert (again.inserted, again.updated) == (0, 0)


def test_a_price_list_that_changed_costs_again_what_came_after_the_change_and_tells_what_moved(
    context: StepContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = "select day, sum(cost_usd) as usd from execution_costs group by day order by day"
    before = {row["day"]: row["usd"] for row in fetch_rows(context.database, costs)}
    [used] = fetch_rows(context.database, "select distinct provider, model from execution_costs")
    since = datetime.combine(sorted(before)[1], time(), UTC)
    dearer: list[ModelPrice] = []
    for price in bundled_prices():
        if (price.provider, price.model) != (used["provider"], used["model"]):
            dearer.append(price)
            continue
        doubled = BucketPrices(
            **{name: None if value is None else value * 2 for name, value in price.prices.model_dump().items()}
        )
        dearer.append(price.model_copy(update={"effective_to": since}))
        dearer.append(price.model_copy(update={"effective_from": since, "prices": doubled}))
    monkeypatch.setattr(model_prices, "bundled_prices", lambda: dearer)
    seeded = seed(context.database)
    assert (seeded.inserted, seeded.updated) == (1, 1)
    later = [day for day in before if day >= since.date()]
    assert model_prices.cost_again(context, seeded.changes) > 0
    assert context.executions.dirty_days() == later
    run_dirty_days(context)
    after = {row["day"]: row["usd"] for row in fetch_rows(context.database, costs)}
    assert after == {day: usd * 2 if day in later else usd for day, usd in before.items()}
    [told] = fetch_rows(
        context.database, "select step, from_version, report -> 'tables' as tables from recompute_reports"
    )
    assert (told["step"], told["from_version"].partition(" ")[2]) == ("execution_costs", "before new prices")
    assert told["tables"]["execution_costs"]["same"] == 0 < told["tables"]["execution_costs"]["changed"]
    assert model_prices.cost_again(context, seed(context.database).changes) == 0


def test_forgetting_a_session_leaves_the_rows_of_a_store_that_never_saw_it(
    context: StepContext, store_urls: Callable[[], str]
) -> None:
    never = StepContext(Database(store_urls()), Settings(data_dir=context.settings.data_dir / "never"))
    try:
        kept = [event for day in range(2) for event in fixed_task(f"task-{day}", day=day)]
        ingest_events(never, kept, "test")
        run_dirty_days(never)
        gone = forget(context, "session", "session-task-2")
        assert gone.attempts == 2
        leave_out = {"stf_matches"}  # of another epoch
        one_store, other = table_digests(context.database), table_digests(never.database)
        assert {t: d for t, d in one_store.items() if t not in leave_out} == {
            t: d for t, d in other.items() if t not in leave_out
        }
        with context.database.transaction() as connection:
            for table, columns in table_columns().items():
                told = " || ' ' || ".join(f"coalesce({name}::text, '')" for name, _, _ in columns)
                found = connection.exec_driver_sql(
                    f"select count(*) from {table} where {told} like '%%task-2%%'"
                ).scalar()
                assert found == 0, table
    finally:
        never.database.close()


def test_the_store_searches_and_says_what_it_does_not_know(context: StepContext) -> None:
    storage = DebugSTFStorageEffect(context.database)
    assert [row["name"] for row in storage.search(language="python", min_quality=0.5)] == ["read_name"]
    assert storage.search(language="go") == []
    with pytest.raises(UnknownFunctionError):
        storage.retrieve("0" * 64)


def test_a_session_that_is_not_in_the_store_keeps_no_other_from_being_explained(context: StepContext) -> None:
    (session,) = {event.session_id for event in fixed_task("task-1", day=1)}
    assert session is not None
    told = explain_sessions(context, [session, "unknown"])
    assert told[session]["fixes"]
    assert told["unknown"] == {"verifications": [], "fixes": [], "failed_tries": []}
    with pytest.raises(DebugLoopError, match="no execution of session unknown"):
        explain_sessions(context, ["unknown"])
