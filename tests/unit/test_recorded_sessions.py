"""Importer to credit against sessions recorded on sixteen toolchains (`tests/data/recorded_sessions`): what was labelled is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.compute.fixes.explain import explain_sessions
from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.registry import importer_for
from debug_loop_pipeline.importers.segmenter import segment

RECORDED = Path(__file__).parents[1] / "data" / "recorded_sessions"
LABELS: dict[str, dict[str, Any]] = json.loads((RECORDED / "labels.json").read_text(encoding="utf-8"))
DECIDED = ("pass", "fail")
LONG = frozenset({"parcelhub", "eventbox", "tidepool", "barcodec", "harborlog", "ticketdesk"})
"""Longer ones, recorded later: cut outputs, narrower reruns, several tools behind one command."""

Told = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def told() -> Told:
    importer = importer_for("claude-code")
    return explain_sessions(
        event
        for path in sorted(RECORDED.glob("*.jsonl"))
        for trajectory in importer.read(path, ImportReport())
        for event in segment(trajectory)
    )


def test_verdicts_are_the_labelled_ones(told: Told) -> None:
    wrong: list[tuple[str, str, str | None, str | None]] = []
    labelled = 0
    for session, truth in LABELS.items():
        label = {v["tool_use_id"]: v["verdict"] for v in truth["verifications"]}
        said = {v["tool_use_id"]: v["verdict"] for v in told[session]["verifications"] if v["verdict"] in DECIDED}
        decided = {call: verdict for call, verdict in label.items() if verdict in DECIDED}
        left_out = label.keys() - decided.keys()
        labelled += len(decided)
        wrong += [
            (truth["name"], call, said.get(call), decided.get(call))
            for call in sorted((said.keys() | decided.keys()) - left_out)
            if said.get(call) != decided.get(call)
        ]
    assert labelled == 291
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize(
    ("long", "count", "may_miss", "may_make_up", "agree"), [(False, 118, 1, 0, 0.94), (True, 113, 16, 10, 0.68)]
)
def test_fixes_are_the_labelled_ones(
    told: Told, long: bool, count: int, may_miss: int, may_make_up: int, agree: float
) -> None:
    missed: list[tuple[str, str]] = []
    made_up: list[tuple[str, str]] = []
    credited = agreed = labelled = 0
    for session, truth in LABELS.items():
        if (truth["name"] in LONG) is not long:
            continue
        fixes = told[session]["fixes"]
        labelled += len(truth["fixes"])
        missed += [(truth["name"], t["signature"]) for t in truth["fixes"] if not any(same(f, t) for f in fixes)]
        for fix in fixes:
            matching = [t for t in truth["fixes"] if same(fix, t)]
            if not matching:
                made_up.append((truth["name"], fix["pattern"]))
                continue
            named = {change for t in matching for change in t["changes"]}
            credited += len(set(fix["changes"]))
            agreed += len(set(fix["changes"]) & named)
    assert labelled == count
    assert len(missed) <= may_miss, missed
    assert len(made_up) <= may_make_up, made_up
    assert agreed / credited >= agree


def test_failed_tries_are_found(told: Told) -> None:
    wanted = [(session, t) for session, truth in LABELS.items() for t in truth["failed_tries"]]
    missed = [
        (LABELS[session]["name"], truth)
        for session, truth in wanted
        if not any(
            t["failed_again"] == truth["failed_again"] and set(t["changes"]) & set(truth["changes"])
            for t in told[session]["failed_tries"]
        )
    ]
    assert len(wanted) == 15
    assert len(missed) <= 3, missed
    assert {name for name, _ in missed} <= LONG


def same(fix: dict[str, Any], truth: dict[str, Any]) -> bool:
    """The rule of the scorer of hand labels."""
    return (
        fix["failed"] == truth["failed"]
        and fix["gone_at"] == truth["gone_at"]
        and bool(set(fix["changes"]) & set(truth["changes"]))
    )
