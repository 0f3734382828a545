"""Token truth: what another tool measured of real sessions while they ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.claude_code import ClaudeCodeImporter
from debug_loop_pipeline.models.trajectory import StepSource, Usage


def measured(path: Path, start: int, end: datetime | None = None) -> dict[str, int]:
    """Usage of a session's responses after a line and until a time, each counted once with its largest copy."""
    best: dict[str, Usage] = {}
    responses: set[str] = set()
    for run in ClaudeCodeImporter().read(path, ImportReport()):
        for step in run.steps:
            if step.line is None or step.line <= start or step.source is not StepSource.AGENT:
                continue
            if end is not None and step.timestamp is not None and step.timestamp > end:
                continue
            responses.add(step.ref)
            if step.usage is not None:
                known = best.get(step.usage.message_id)
                if known is None or step.usage.total > known.total:
                    best[step.usage.message_id] = step.usage
    return {
        "input_tokens": sum(usage.tokens_input for usage in best.values()),
        "cache_creation_tokens": sum(
            usage.tokens_cache_write_5m + usage.tokens_cache_write_1h for usage in best.values()
        ),
        "cache_read_tokens": sum(usage.tokens_cache_read for usage in best.values()),
        "output_tokens": sum(usage.tokens_output for usage in best.values()),
        "api_call_count": len(responses),
    }


def truth(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    return told


@pytest.mark.parametrize("data", ["claude_code_entire", "claude_code_packmind", "claude_code_quirks"])
def test_usage_of_every_session_equals_its_metadata(data: str, shared_data: Callable[[str], Path]) -> None:
    compared = 0
    for path in sorted(shared_data(data).glob("*/full.jsonl")):
        told = truth(path.parent)
        if "token_usage" not in told:
            continue
        expected = {key: told["token_usage"][key] for key in measured(path, 1 << 60)}
        assert measured(path, told.get("checkpoint_transcript_start", 0)) == expected, path
        compared += 1
    assert compared >= 2


def test_usage_of_a_session_that_went_on_equals_its_metadata_until_then(shared_data: Callable[[str], Path]) -> None:
    [path] = shared_data("codex_copilot_agentv").glob("Claude_Code/*/*/full.jsonl")
    told = truth(path.parent)
    found = measured(path, told["checkpoint_transcript_start"], datetime.fromisoformat(told["created_at"]))
    assert found == {key: told["token_usage"][key] for key in found}


def test_every_call_of_the_real_sessions_has_its_result(shared_data: Callable[[str], Path]) -> None:
    calls, results = set(), set()
    for data in ("claude_code_entire", "claude_code_packmind"):
        for path in shared_data(data).glob("*/full.jsonl"):
            for run in ClaudeCodeImporter().read(path, ImportReport()):
                for step in run.steps:
                    calls.update(call.id for call in step.calls)
                    results.update(result.call_id for result in step.results)
    assert len(calls) > 400
    assert calls == results
