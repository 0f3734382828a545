"""Verifications of real sessions against hand labels: precision and recall by the rule of the scorer."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from debug_loop_pipeline.compute.commands.verdicts import call_verdict
from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.claude_code import ClaudeCodeImporter
from debug_loop_pipeline.importers.segmenter import segment
from debug_loop_pipeline.models.base import Verdict

SHARED = Path(os.environ.get("DEBUG_LOOP_SHARED_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
LABELS = SHARED / "claude_code_fix_pairs.json"

pytestmark = pytest.mark.skipif(not LABELS.exists(), reason=f"needs the labelled sessions in {SHARED}")


def predictions(session: str) -> dict[str, str]:
    (path,) = SHARED.glob(f"claude_code_*/{session}/full.jsonl")
    told: dict[str, list[Verdict]] = defaultdict(list)
    for trajectory in ClaudeCodeImporter().read(path, ImportReport()):
        for event in segment(trajectory):
            for verification in event.verifications:
                told[verification.tool_call_id or ""].append(verification.verdict)
    return {call: verdict.value for call, verdicts in told.items() if (verdict := call_verdict(verdicts))}


def test_verifications_agree_with_the_hand_labels() -> None:
    labels = json.loads(LABELS.read_text(encoding="utf-8"))
    hits = predicted = labelled = 0
    wrong: list[str] = []
    for session, truth in labels.items():
        label = {v["tool_use_id"]: v["verdict"] for v in truth["verifications"]}
        undecided = {call for call, verdict in label.items() if verdict not in ("pass", "fail")}
        want = {call: verdict for call, verdict in label.items() if call not in undecided}
        said = {c: v for c, v in predictions(session).items() if v in ("pass", "fail") and c not in undecided}
        hits += sum(want.get(call) == verdict for call, verdict in said.items())
        predicted, labelled = predicted + len(said), labelled + len(want)
        wrong += [
            f"{session} {c}: {said.get(c)}, label {want.get(c)}"
            for c in said.keys() | want.keys()
            if said.get(c) != want.get(c)
        ]
    assert labelled == 90
    assert hits / predicted >= 0.95, wrong
    assert hits / labelled >= 0.95, wrong
