from __future__ import annotations

import json
from typing import Any

from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.copilot import CopilotImporter
from debug_loop_pipeline.models.trajectory import StepSource, ToolKind

IMPORTER = CopilotImporter()


def test_the_real_sessions_agree_with_their_metadata(shared_data: Any, read_runs: Any) -> None:
    runs = read_runs(IMPORTER, shared_data("codex_copilot_agentv") / "Copilot_CLI")
    assert len(runs) == 2
    for run in runs:
        truth = json.loads((run.file.parent / "metadata.json").read_text())
        assert run.trajectory.session_id == truth["session_id"]
        assert run.trajectory.branch == truth["branch"]
        usages = [step.usage for step in run.steps if step.usage]
        counted = usages[: truth["token_usage"]["api_call_count"]]
        # The metadata were written before the last message was.
        assert sum(usage.tokens_output for usage in counted) == truth["token_usage"]["output_tokens"]
        assert len({usage.message_id for usage in usages}) == len(usages)
        assert {call.id for call in run.calls} == set(run.results)


def test_exit_codes_of_the_real_shells_are_read_off_their_output(shared_data: Any, read_runs: Any) -> None:
    runs = read_runs(IMPORTER, shared_data("codex_copilot_agentv") / "Copilot_CLI")
    results = [r for run in runs for call in run.calls if call.kind is ToolKind.SHELL for r in [run.results[call.id]]]
    assert len(results) == 61
    assert sum(result.exit_code is not None for result in results) >= 50
    assert not any("completed with exit code" in result.output for result in results)


def _event(kind: str, number: int, **data: Any) -> dict[str, Any]:
    return {"type": kind, "id": f"e{number}", "parentId": None, "timestamp": "2026-01-01T00:00:00Z", "data": data}


def test_totals_of_a_shutdown_complete_what_the_messages_told(tmp_path: Any, read_runs: Any) -> None:
    usage = {
        "inputTokens": 1000,
        "cacheReadTokens": 700,
        "cacheWriteTokens": 100,
        "outputTokens": 60,
        "reasoningTokens": 5,
    }
    events = [
        _event("session.start", 1, sessionId="s", context={"cwd": "/r", "branch": "b"}),
        _event("user.message", 2, content="go"),
        _event(
            "assistant.message",
            3,
            messageId="m",
            model="x",
            content="",
            outputTokens=50,
            toolRequests=[{"toolCallId": "t1", "name": "bash", "arguments": {"command": "npm test"}}],
        ),
        _event("permission.completed", 4, toolCallId="t1", result={"kind": "denied-interactively-by-user"}),
        _event("tool.execution_complete", 5, toolCallId="t1", success=False, error={"message": "denied"}),
        _event("abort", 6, reason="user initiated"),
        _event("session.error", 7, errorType="rate_limit", message="slow down"),
        _event("some.new_event", 8),
        _event("session.shutdown", 9, modelMetrics={"x": {"usage": usage}}),
    ]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(map(json.dumps, events)) + '\n{"type": "assist')
    report = ImportReport()
    (run,) = read_runs(IMPORTER, path, report)
    assert run.tokens == 1000 + 60
    totals = [step.usage for step in run.steps if step.usage][-1]
    assert (totals.tokens_input, totals.tokens_cache_read, totals.tokens_output) == (200, 700, 10)
    assert run.results["t1"].cancelled
    assert any(step.interrupted for step in run.steps)
    assert [step.api_error.kind for step in run.steps if step.api_error] == ["rate_limit"]
    assert report.skipped["event of type some.new_event"] == 1
    assert [problem.line for problem in report.problems] == [10]
    assert [step.text for step in run.steps if step.source is StepSource.HUMAN] == ["go"]


def _asks(number: int, call_id: str, name: str, arguments: dict[str, Any], tokens: int, **more: Any) -> dict[str, Any]:
    request = {"toolCallId": call_id, "name": name, "arguments": arguments}
    message = {"messageId": f"m{number}", "model": "x", "content": "", "toolRequests": [request]}
    return _event("assistant.message", number, outputTokens=tokens, **message, **more)


def test_a_sub_agent_is_a_run_of_its_own_that_names_the_call_that_started_it(tmp_path: Any, read_runs: Any) -> None:
    inner = {"parentToolCallId": "t1"}
    usage = {"inputTokens": 100, "outputTokens": 60}
    events = [
        _event("session.start", 1, sessionId="s", context={"cwd": "/r"}),
        _event("user.message", 2, content="mend all"),
        _asks(3, "t1", "task", {"agent_type": "explore", "prompt": "mend the tests"}, 10),
        _event("subagent.started", 4, toolCallId="t1", agentName="explore") | {"agentId": "a1"},
        _asks(5, "t2", "bash", {"command": "npm test"}, 20, **inner),
        _event("tool.execution_complete", 6, toolCallId="t2", success=True, result={"content": "ok"})
        | {"agentId": "a1"},
        _asks(7, "t3", "task", {"prompt": "look deeper"}, 5, **inner),
        _event("subagent.started", 8, toolCallId="t3", agentName="explore") | {"agentId": "t3"},
        _asks(9, "t4", "bash", {"command": "npm run lint"}, 5) | {"agentId": "t3"},
        _event("subagent.completed", 10, toolCallId="t1") | {"agentId": "a1"},
        _event("tool.execution_complete", 11, toolCallId="t1", success=True, result={"content": "done"}),
        _asks(12, "t5", "bash", {"command": "npm run build"}, 20),
        _event("session.shutdown", 13, modelMetrics={"x": {"usage": usage}}),
    ]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(map(json.dumps, events)))
    report = ImportReport()
    session, child, grandchild = read_runs(IMPORTER, path, report)
    assert [call.id for call in session.calls] == ["t1", "t5"]
    assert [call.id for call in child.calls] == ["t2", "t3"]
    assert [call.id for call in grandchild.calls] == ["t4"]
    assert child.results["t2"].output == "ok"
    told = [
        (run.session_id, run.agent_type, run.parent_session_id, run.parent_call_id, run.request)
        for run in (session.trajectory, child.trajectory, grandchild.trajectory)
    ]
    assert told == [
        ("s", None, None, None, None),
        ("s/agent-t1", "subagent", "s", "t1", "mend the tests"),
        ("s/agent-t3", "subagent", "s/agent-t1", "t3", "look deeper"),
    ]
    counted = [
        sum(step.usage.tokens_output for step in run.steps if step.usage) for run in (session, child, grandchild)
    ]
    assert counted == [30, 25, 5]
    assert not report.problems
    assert not report.skipped
