from __future__ import annotations

import json
from typing import Any

from debug_loop_pipeline.importers.atif import AtifImporter
from debug_loop_pipeline.importers.base import ImportReport, read_head
from debug_loop_pipeline.models.trajectory import StepSource, ToolKind

IMPORTER = AtifImporter()


def _document(**more: Any) -> dict[str, Any]:
    return {
        "schema_version": "ATIF-v1.6",
        "session_id": "0199-abc",
        "agent": {"name": "terminus", "version": "2", "model_name": "anthropic/claude-x"},
        "steps": [
            {"step_id": 1, "timestamp": "2026-01-01T00:00:00Z", "source": "user", "message": "fix the test"},
            {
                "step_id": 2,
                "timestamp": "2026-01-01T00:00:05Z",
                "source": "agent",
                "message": [{"type": "text", "text": "running"}],
                "unheard_of": {"kept": True},
                "tool_calls": [
                    {"tool_call_id": "call_1", "function_name": "bash", "arguments": {"command": "pytest"}},
                    {
                        "tool_call_id": "call_2",
                        "function_name": "str_replace_editor",
                        "arguments": {"command": "str_replace", "path": "/a.py", "old_str": "1", "new_str": "2"},
                    },
                ],
                "observation": {
                    "results": [
                        {"source_call_id": "call_2", "content": "edited"},
                        {"source_call_id": "call_1", "content": "1 failed\n[exit code: 1]"},
                    ]
                },
                "metrics": {"prompt_tokens": 100, "completion_tokens": 7, "cached_tokens": 60, "cost_usd": 0.01},
            },
        ],
        "final_metrics": {"total_prompt_tokens": 100, "total_completion_tokens": 7, "total_cached_tokens": 60},
        **more,
    }


def test_a_trajectory_is_read_with_its_calls_paired_and_cached_tokens_apart(tmp_path: Any, read_runs: Any) -> None:
    path = tmp_path / "trajectory.json"
    path.write_text(json.dumps(_document()))
    assert IMPORTER.sniff(path, read_head(path))
    (run,) = read_runs(IMPORTER, path)
    assert [step.source for step in run.steps] == [StepSource.HUMAN, StepSource.AGENT, StepSource.TOOL]
    shell, edit = run.calls
    assert (shell.kind, edit.kind) == (ToolKind.SHELL, ToolKind.EDIT)
    assert (run.results[shell.id].exit_code, run.results[shell.id].is_error) == (1, True)
    assert run.results[edit.id].output == "edited"
    assert [(e.path, e.before, e.after) for e in edit.edits] == [("/a.py", "1", "2")]
    usage = run.steps[1].usage
    assert (usage.tokens_input, usage.tokens_cache_read, usage.tokens_output, usage.cost_usd) == (40, 60, 7, "0.01")
    assert run.tokens == 107
    assert (run.trajectory.model, run.trajectory.provider) == ("claude-x", "anthropic")
    assert run.trajectory.verdict is None


def test_totals_count_where_no_step_has_metrics(tmp_path: Any, read_runs: Any) -> None:
    document = _document()
    del document["steps"][1]["metrics"]
    (tmp_path / "t.json").write_text(json.dumps(document))
    (run,) = read_runs(IMPORTER, tmp_path)
    assert run.tokens == 107


def test_the_result_of_a_harbor_trial_is_the_verdict(tmp_path: Any, read_runs: Any) -> None:
    agent = tmp_path / "trial" / "agent"
    verifier = tmp_path / "trial" / "verifier"
    agent.mkdir(parents=True)
    verifier.mkdir()
    (agent / "trajectory.json").write_text(json.dumps(_document()))
    (verifier / "test-stdout.txt").write_text("FAILED test_a.py::test_b")
    result = {"task_name": "fix-git", "trial_name": "t1", "verifier_result": {"rewards": {"reward": 0.0}}}
    (tmp_path / "trial" / "result.json").write_text(json.dumps(result))
    (run,) = read_runs(IMPORTER, tmp_path)
    assert run.trajectory.problem_id == "fix-git"
    assert run.trajectory.verdict.passed is False
    assert "FAILED test_a.py::test_b" in run.trajectory.verdict.output


def test_odd_documents_are_read_as_far_as_they_go(tmp_path: Any) -> None:
    path = tmp_path / "t.json"
    report = ImportReport()
    path.write_text(json.dumps({"schema_version": "ATIF-v1.0", "steps": [1, {"source": "agent"}, {"source": "x"}]}))
    (trajectory,) = IMPORTER.read(path, report)
    assert len(list(trajectory.steps)) == 2
    path.write_text(json.dumps({"schema_version": "ATIF-v1.0", "steps": "none"}))
    assert list(IMPORTER.read(path, report)) == []
    assert report.problem_count == 1
