from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from debug_loop_pipeline.importers.base import walk_files
from debug_loop_pipeline.importers.registry import detect

_TRANSCRIPTS = {
    "mini_swe_deepseek": ("mini-swe-agent", 23, ".traj.json"),
    "sweagent_traj": ("swe-agent", 14, ".traj"),
    "aider_swe_bench_lite": ("aider", 31, ".md"),
    "dgm_initial_swebench": ("dgm", 7, ".md"),
    "gemini_cli_entire": ("gemini", 2, "full.jsonl"),
    "pi_agent": ("pi", 1, ".jsonl"),
    "openhands_outputs": ("openhands", 4, ".json"),
    "codex_copilot_agentv/Copilot_CLI": ("copilot", 2, "full.jsonl"),
}


@pytest.mark.parametrize("folder", _TRANSCRIPTS)
def test_transcripts_are_told_from_their_sidecars_by_content(folder: str, shared_data: Any) -> None:
    name, count, ending = _TRANSCRIPTS[folder]
    found = Counter()
    for path in walk_files(shared_data(folder)):
        importer = detect(path)
        if importer is not None:
            found[importer.name] += 1
            assert ending in path.name
    assert found == {name: count}


def test_labels_and_clone_pairs_are_no_transcripts(shared_data: Any) -> None:
    for folder in ("labelled_actions_openhands_acr", "gptclonebench_py"):
        assert [path for path in walk_files(shared_data(folder)) if detect(path) is not None] == []
