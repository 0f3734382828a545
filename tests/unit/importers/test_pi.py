from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.pi import PiImporter
from debug_loop_pipeline.models.trajectory import StepSource, ToolKind

IMPORTER = PiImporter()


def test_the_real_session_keeps_its_failures_aborts_and_usage(shared_data: Any, read_runs: Any) -> None:
    folder = shared_data("pi_agent")
    report = ImportReport()
    (run,) = read_runs(IMPORTER, folder, report)
    records = [json.loads(line) for line in (folder / "large-session.jsonl").read_text().splitlines()]
    messages = [record["message"] for record in records if record["type"] == "message"]
    replies = [message for message in messages if message["role"] == "assistant"]

    ran = [result for result in run.results.values() if not result.cancelled or "aborted" in result.output]
    failing = {m["toolCallId"] for m in messages if m["role"] == "toolResult" and m["isError"]}
    assert len(failing) == 19
    assert all(run.results[call_id].is_error for call_id in failing)
    assert len(ran) >= 373
    assert sum(step.interrupted for step in run.steps) == sum(m["stopReason"] == "aborted" for m in replies) == 21
    assert sum(step.api_error is not None for step in run.steps) == 1
    assert {call.id for call in run.calls} == set(run.results)
    usages = [step.usage for step in run.steps if step.usage]
    assert len({usage.message_id for usage in usages}) == len(usages)
    for ours, theirs in (
        ("tokens_input", "input"),
        ("tokens_output", "output"),
        ("tokens_cache_read", "cacheRead"),
        ("tokens_cache_write_5m", "cacheWrite"),
    ):
        assert sum(getattr(usage, ours) for usage in usages) == sum(m["usage"][theirs] for m in replies)
    cost = sum((Decimal(usage.cost_usd or 0) for usage in usages), Decimal(0))
    assert float(cost) == pytest.approx(sum(m["usage"]["cost"]["total"] for m in replies))
    assert report.problem_count == 0


def test_exit_codes_come_from_the_shells_text(shared_data: Any, read_runs: Any) -> None:
    (run,) = read_runs(IMPORTER, shared_data("pi_agent"))
    shells = [run.results[call.id] for call in run.calls if call.kind is ToolKind.SHELL]
    assert {result.exit_code for result in shells if result.is_error is False} == {0}
    assert any(result.exit_code == 1 and "exited with code" not in result.output for result in shells)


def test_a_command_of_the_human_and_a_truncated_line(tmp_path: Any, read_runs: Any) -> None:
    lines = [
        {"type": "session", "id": "s-1", "cwd": "/r", "timestamp": "2026-01-01T00:00:00Z"},
        {
            "type": "message",
            "id": "m-1",
            "timestamp": "2026-01-01T00:00:01Z",
            "message": {"role": "bashExecution", "command": "pytest", "output": "1 failed", "exitCode": 1},
        },
    ]
    path = tmp_path / "s.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"type":"message","message":{"role"')
    report = ImportReport()
    (run,) = read_runs(IMPORTER, path, report)
    (call,) = run.calls
    assert (call.command, call.cwd, run.results[call.id].exit_code) == ("pytest", "/r", 1)
    assert run.steps[0].source is StepSource.SYSTEM
    assert [problem.line for problem in report.problems] == [3]
