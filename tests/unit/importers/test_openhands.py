from __future__ import annotations

import json
from typing import Any

import pytest

from debug_loop_pipeline.importers.base import ImportReport, walk_files
from debug_loop_pipeline.importers.openhands import OpenHandsImporter
from debug_loop_pipeline.importers.registry import detect, files_under
from debug_loop_pipeline.models.trajectory import StepSource, ToolKind

IMPORTER = OpenHandsImporter()


def test_observations_of_the_real_files_answer_their_causes(shared_data: Any, read_runs: Any) -> None:
    report = ImportReport()
    runs = read_runs(IMPORTER, shared_data("openhands_outputs"), report)
    assert len(runs) == 5
    assert report.problem_count == 0
    for run in runs:
        assert {call.id for call in run.calls} == set(run.results)
    renamed = next(run for run in runs if "wrong_initial_state" in run.file.name)
    shell = next(call for call in renamed.calls if call.kind is ToolKind.SHELL)
    assert shell.command == "mv /workspace/game_2048.py /workspace/2048.py"
    assert renamed.results[shell.id].exit_code == 0
    written = next(run for run in runs if run.file.name.endswith("trajs__basic.json"))
    (edit,) = written.results[written.calls[0].id].edits
    assert edit.path == "/workspace/game_2048.py"
    assert edit.content.startswith("import random")


def test_usage_of_the_real_files_counts_each_response_once(shared_data: Any, read_runs: Any) -> None:
    for run in read_runs(IMPORTER, shared_data("openhands_outputs")):
        if run.file.suffix != ".json":
            continue
        responses = {
            event["tool_call_metadata"]["model_response"]["id"]: event["tool_call_metadata"]["model_response"]["usage"]
            for event in json.loads(run.file.read_text())
            if "tool_call_metadata" in event
        }
        assert run.tokens == sum(usage["total_tokens"] for usage in responses.values())


def test_resolver_outputs_have_issue_verdict_cost_and_python_edits(shared_data: Any, read_runs: Any) -> None:
    runs = [r for r in read_runs(IMPORTER, shared_data("openhands_outputs")) if r.file.suffix == ".jsonl"]
    assert [run.trajectory.problem_id for run in runs] == ["neubig/pr-viewer#5", "neubig/pr-viewer#1"]
    assert [run.trajectory.verdict.passed for run in runs] == [True, True]
    costs = [float(step.usage.cost_usd) for run in runs for step in run.steps if step.usage]
    assert costs == pytest.approx([0.070713, 1.152933])
    second = runs[1]
    edits = [call for call in second.calls if call.kind is ToolKind.EDIT]
    assert edits
    assert all(call.target and call.target.startswith("/workspace/src/") for call in edits)
    failed = [second.results[call.id] for call in edits if second.results[call.id].is_error]
    assert all(r.output.startswith(("[Your proposed edit", "[No exact match", "ERROR", "Traceback")) for r in failed)
    assert [step.source for step in second.steps].count(StepSource.HUMAN) == 1


def test_a_benchmark_line_has_its_report_as_verdict_and_rejections_are_cancelled(tmp_path: Any, read_runs: Any) -> None:
    history = [
        [
            {"id": 1, "source": "agent", "action": "run", "args": {"command": "pytest"}},
            {
                "id": 2,
                "source": "agent",
                "observation": "run",
                "cause": 1,
                "content": "1 failed\n[The command completed with exit code 1.]",
                "extras": {"metadata": {"exit_code": 1, "working_dir": "/w"}},
            },
        ],
        [
            {"id": 3, "source": "agent", "action": "run", "args": {"command": "rm -rf x"}},
            {"id": 4, "source": "agent", "observation": "user_rejected", "cause": 3, "content": "no"},
        ],
    ]
    usages = [{"prompt_tokens": 10, "completion_tokens": 2, "cache_read_tokens": 4}]
    line = {
        "instance_id": "acme__tool-7",
        "instruction": "fix it",
        "metadata": {"agent_class": "CodeActAgent", "llm_config": {"model": "openai/gpt-x"}},
        "history": history,
        "metrics": {"accumulated_cost": 0.5, "token_usages": usages},
        "test_result": {"report": {"resolved": False}},
        "error": None,
    }
    path = tmp_path / "output.jsonl"
    path.write_text(json.dumps(line) + "\nnot json\n")
    report = ImportReport()
    (run,) = read_runs(IMPORTER, path, report)
    assert run.trajectory.problem_id == "acme__tool-7"
    assert run.trajectory.request == "fix it"
    assert (run.trajectory.model, run.trajectory.provider) == ("gpt-x", "openai")
    assert run.trajectory.verdict.passed is False
    first, second = (run.results[call.id] for call in run.calls)
    assert (first.exit_code, first.output) == (1, "1 failed")
    assert second.cancelled
    assert run.calls[1].cwd == "/w"
    assert run.tokens == 12
    assert [problem.line for problem in report.problems] == [2]


def test_text_extracts_and_labels_of_runs_are_no_transcripts(shared_data: Any) -> None:
    folder = shared_data("labelled_actions_openhands_acr")
    assert [path for path in walk_files(folder) if detect(path) is not None] == []


def conversation() -> list[dict[str, Any]]:
    """An agent runs the tests, once."""
    return [
        {"id": 0, "source": "user", "action": "message", "args": {"content": "fix the tests"}},
        {"id": 1, "source": "agent", "action": "run", "args": {"command": "pytest -q"}},
        {"id": 2, "source": "agent", "cause": 1, "observation": "run", "content": "1 failed", "extras": {}},
    ]


def test_the_servers_store_of_an_event_a_file_is_one_run_the_same_as_its_list(tmp_path: Any, read_runs: Any) -> None:
    events = conversation() * 4
    for number, event in enumerate(events):
        event = events[number] = event | {"id": number}
        file = tmp_path / "c1" / "events" / f"{number}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(event))
    assert list(files_under(tmp_path, only=IMPORTER)) == [(IMPORTER, tmp_path / "c1" / "events" / "11.json")]
    listed = tmp_path / "list.json"
    listed.write_text(json.dumps(events))
    stored, same = read_runs(IMPORTER, tmp_path / "c1")[0], read_runs(IMPORTER, listed)[0]
    assert [step.text for step in stored.steps] == [step.text for step in same.steps]
    assert stored.trajectory.run_key == same.trajectory.run_key
    assert len(stored.calls) == 4


def test_events_of_a_form_that_is_not_read_are_told(tmp_path: Any, read_runs: Any) -> None:
    newer = [{"kind": "MessageEvent", "id": "u1"}, {"kind": "ActionEvent", "id": "u2"}]
    file = tmp_path / "output.jsonl"
    file.write_text(json.dumps({"instance_id": "a-1", "instruction": "x", "metrics": {}, "history": newer}) + "\n")
    report = ImportReport()
    assert read_runs(IMPORTER, file, report) == []
    assert [problem.reason for problem in report.problems] == [
        "no event has an action or an observation; events with a `kind` (OpenHands 1) are not read"
    ]
    file.write_text(
        json.dumps({"instance_id": "a-1", "instruction": "x", "metrics": {}, "history": newer + conversation()}) + "\n"
    )
    report = ImportReport()
    assert len(read_runs(IMPORTER, file, report)[0].calls) == 1
    assert report.skipped == {"event MessageEvent": 1, "event ActionEvent": 1}
