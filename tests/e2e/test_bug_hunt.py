"""Acceptance 6 of the foundation: what half of each family taught repairs the other half at once."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.importers.registry import importer_for
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.importing import import_files
from examples.bug_hunt.__main__ import main
from examples.bug_hunt.candidates import MENU
from examples.bug_hunt.corpus import load_families
from examples.bug_hunt.evaluation import evaluate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]


@pytest.fixture(scope="module")
def context(postgres_url: str) -> Iterator[StepContext]:
    database = Database(postgres_url)
    yield StepContext(database, Settings())
    database.engine.dispose()


@pytest.fixture(scope="module")
def report(context: StepContext) -> dict:
    return evaluate(context, compare=False)


def test_with_a_signature_of_their_own_four_in_five_pass_at_once(report):
    assert report["unique_signature"]["programs"] >= 24
    assert report["unique_signature"]["manifest"]["first"] >= 0.8


def test_nearly_all_pass_within_three(report):
    assert report["all"]["programs"] >= 48
    assert report["all"]["manifest"]["third"] >= 0.95


def test_without_memory_it_took_much_longer(report):
    without, advised = report["learned"]["random"], report["all"]["manifest"]
    assert without["first"] < 0.3
    assert advised["tries"] < 0.6 * without["tries"]


def test_the_manifest_knew_a_fix_for_every_program(report):
    assert all(program["known_fixes"] for program in report["programs"])


def test_families_share_the_signature_that_they_are_said_to_share(report):
    by_family = {}
    for program in report["programs"]:
        by_family.setdefault(program["family"], set()).add(program["signature"])
    assert all(len(patterns) == 1 for patterns in by_family.values())
    shared = {name: family.shares for name, family in load_families().items()}
    for name, (pattern,) in by_family.items():
        others = {other for other, patterns in by_family.items() if other != name and patterns == {pattern}}
        assert others == ({shared[name]} if shared[name] else set())


def test_nothing_stored_names_an_operator_or_a_family(context, report):
    words = [*(operator.__name__ for operator in MENU), *load_families()]
    rows = fetch_rows(context.database, "select row_to_json(i)::text as event from execution_inbox i")
    assert rows
    text = "\n".join(row["event"] for row in rows)
    assert [word for word in words if word in text] == []


def test_learning_left_functions_golden_states_and_priced_costs(context, report):
    (counts,) = fetch_rows(
        context.database,
        "select (select count(*) from debug_transform_functions) as functions,"
        " (select count(*) from debug_golden_states) as golden_states,"
        " (select count(*) from execution_costs where cost_usd > 0) as priced,"
        " (select count(*) from execution_costs where cost_usd is null) as unpriced",
    )
    assert counts["functions"] > 0
    assert counts["golden_states"] > 0
    assert counts["priced"] > 0
    assert counts["unpriced"] == 0


def test_what_the_hunt_writes_is_imported_without_a_reject(tmp_path, context):
    out = tmp_path / "executions.jsonl"
    assert main(["hunt", "--out", str(out), "--seed", "77", "--budget", "1"]) == 0
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert lines == sorted(lines, key=lambda event: (event["started_at"], event["attempt_id"]))
    importer = importer_for("jsonl")
    assert importer.sniff(out, out.read_bytes()[:65_536])
    summary = import_files(context, [(importer, out)])
    assert (summary.attempts, summary.rejected) == (len(lines), 0)
