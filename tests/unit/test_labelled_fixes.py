"""The whole path, importer to credit, against what people say happened in real sessions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.compute.error_pattern_extractor import extract_error_pattern
from debug_loop_pipeline.compute.fixes.explain import explain_sessions
from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.registry import importer_for
from debug_loop_pipeline.importers.segmenter import segment


@pytest.fixture(scope="module")
def scores(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    labels = shared_data / "claude_code_fix_pairs.json"
    scorer = shared_data.parent / "tools" / "score_fix_pairs.py"
    if not labels.is_file() or not scorer.is_file():
        pytest.skip(f"no labels at {labels} or no scorer at {scorer}")
    importer = importer_for("claude-code")
    events = [
        event
        for session in json.loads(labels.read_text(encoding="utf-8"))
        for path in sorted(shared_data.glob(f"claude_code_*/{session}/full.jsonl"))
        for trajectory in importer.read(path, ImportReport())
        for event in segment(trajectory)
    ]
    predicted = tmp_path_factory.mktemp("scores") / "predicted.json"
    predicted.write_text(json.dumps(explain_sessions(events)), encoding="utf-8")
    done = subprocess.run([sys.executable, str(scorer), str(predicted), str(labels)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {"wrong": done.stderr, **json.loads(done.stdout)}


def test_fixes_are_found_and_few_are_made_up(scores: dict[str, Any]) -> None:
    assert scores["fix_precision"] >= 0.9, scores["wrong"]
    assert scores["fix_recall"] >= 0.85, scores["wrong"]


def test_the_credited_parts_are_mostly_those_that_people_name(scores: dict[str, Any]) -> None:
    assert scores["labelled_share_of_credited_parts"] >= 0.85


def test_every_failed_try_is_found(scores: dict[str, Any]) -> None:
    assert scores["failed_tries_found"] == scores["failed_tries"]


def test_one_root_cause_is_one_group_across_problems_and_forms(shared_data: Path) -> None:
    """`np.Inf` was removed: in evaluation logs, tracebacks and observations of several runs."""
    told = "`np.Inf` was removed in the NumPy 2.0 release"
    texts: list[str] = []
    for path in sorted(shared_data.glob("mini_swe_deepseek/*/*/eval/test_output.txt")):
        texts += [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if told in line]
    for path in sorted(shared_data.glob("mini_swe_deepseek/*/*/*.traj.json")):
        for message in json.loads(path.read_text(encoding="utf-8")).get("messages", ()):
            content = message.get("content")
            if message.get("role") != "assistant" and isinstance(content, str) and told in content:
                start = content.find("Traceback (most recent call last)")
                texts.append(content[max(start, 0) : content.index(told) + 120])
    if not texts:
        pytest.skip("no evaluation logs with that error")
    assert len(texts) >= 4
    assert len({extract_error_pattern(text).signature for text in texts}) == 1
