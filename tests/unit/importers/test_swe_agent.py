from __future__ import annotations

import json
import shutil
from typing import Any

from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.swe_agent import SweAgentImporter
from debug_loop_pipeline.models.trajectory import StepSource, ToolKind
from debug_loop_pipeline.steps.importing import _SubagentTasks

IMPORTER = SweAgentImporter()


def test_every_step_of_the_real_files_is_a_call_with_its_result(shared_data: Any, read_runs: Any) -> None:
    report = ImportReport()
    runs = read_runs(IMPORTER, shared_data("sweagent_traj"), report)
    assert len(runs) == 14
    records = 0
    for run in runs:
        document = json.loads(run.file.read_text())
        entries = document.get("trajectory") or [m for m in document["history"] if m["role"] == "assistant"]
        records += len(document.get("trajectory") or document["history"])
        assert len(run.calls) == len(entries) == sum(step.source is StepSource.AGENT for step in run.steps)
        assert {call.id for call in run.calls} == set(run.results)
        stats = document.get("info", {}).get("model_stats", {})
        assert run.tokens == stats.get("tokens_sent", 0) + stats.get("tokens_received", 0)
    assert records == 151
    assert len({run.trajectory.run_key for run in runs}) == 14
    assert len({call.id for run in runs for call in run.calls}) == sum(len(run.calls) for run in runs)
    assert report.problem_count == 0


def test_submitted_is_not_solved_only_a_report_says_so(shared_data: Any, read_runs: Any) -> None:
    verdicts = {run.file.name: run.trajectory.verdict for run in read_runs(IMPORTER, shared_data("sweagent_traj"))}
    known = {name: verdict for name, verdict in verdicts.items() if verdict is not None}
    assert list(known) == ["pydantic__pydantic.acb0f10f.pr_8316.traj"]
    (verdict,) = known.values()
    assert verdict.passed is True
    assert "test_to_snake" in verdict.output


def test_all_runs_of_one_problem_name_it_alike(shared_data: Any, read_runs: Any) -> None:
    runs = [r for r in read_runs(IMPORTER, shared_data("sweagent_traj")) if "marshmallow" in r.file.name]
    assert len(runs) == 6
    assert {run.trajectory.problem_id for run in runs} == {"marshmallow-code__marshmallow-1867"}
    assert {run.trajectory.repository for run in runs} == {"marshmallow-code/marshmallow"}


def test_windowed_edits_tell_what_they_replaced_in_every_dialect(shared_data: Any, read_runs: Any) -> None:
    for run in read_runs(IMPORTER, shared_data("sweagent_traj")):
        if "marshmallow" not in run.file.name:
            continue
        edits = [
            (run.results[c.id].is_error, run.results[c.id].edits or c.edits)
            for c in run.calls
            if c.kind is ToolKind.EDIT and c.name != "create" and c.target and c.target.endswith("fields.py")
        ]
        assert [failed for failed, _ in edits] == [True, False]
        (edit,) = edits[1][1]
        assert edit.path.endswith("src/marshmallow/fields.py")
        assert edit.path.startswith("/")
        assert edit.before is not None
        assert "int(value.total_seconds() / base_unit" in edit.before
        assert "int(round(value.total_seconds()" in edit.after


def test_a_whole_file_shown_after_an_edit_is_its_content(shared_data: Any, read_runs: Any) -> None:
    (run,) = [r for r in read_runs(IMPORTER, shared_data("sweagent_traj")) if "BabyEncryption" in r.file.name]
    contents = [edit.content for result in run.results.values() for edit in result.edits or []]
    assert contents[-1].splitlines()[0] == "import binascii"
    assert "% 256" in contents[-1]


def test_a_moved_file_keeps_its_ids(shared_data: Any, read_runs: Any, tmp_path: Any) -> None:
    source = shared_data("sweagent_traj")
    moved = tmp_path / "sweagent_traj"
    shutil.copytree(source, moved)
    assert [r.trajectory.run_key for r in read_runs(IMPORTER, moved)] == [
        r.trajectory.run_key for r in read_runs(IMPORTER, source)
    ]


def _entry(action: str, observation: str, **more: Any) -> dict[str, Any]:
    return {"action": action, "observation": observation, "thought": "t", "response": "r", "state": {}, **more}


def test_a_retry_agents_attempts_are_runs_and_the_verdict_is_the_submitted_ones(tmp_path: Any, read_runs: Any) -> None:
    folder = tmp_path / "acme__tool-7"
    folder.mkdir()
    attempts = [
        {"trajectory": [_entry("pytest", f"{n} failed")], "history": [], "info": {"model_stats": {"tokens_sent": n}}}
        for n in (1, 2)
    ]
    attempts[1]["info"]["exit_status"] = "exit_api"  # type: ignore[call-overload]
    document = {"attempts": attempts, **attempts[0], "info": {"best_attempt_idx": 0}, "environment": "acme__tool-7"}
    (folder / "acme__tool-7.traj").write_text(json.dumps(document))
    (folder / "report.json").write_text(json.dumps({"acme__tool-7": {"resolved": False}}))
    first, second = read_runs(IMPORTER, folder)
    assert first.trajectory.run_key != second.trajectory.run_key
    assert first.trajectory.problem_id == second.trajectory.problem_id == "acme__tool-7"
    assert first.trajectory.verdict.passed is False
    assert second.trajectory.verdict is None
    assert [run.tokens for run in (first, second)] == [1, 2]
    assert [step.api_error.kind for step in second.steps if step.api_error] == ["exit_api"]
    # As an import reads it.
    one, retry = _SubagentTasks().attempts_of(IMPORTER, folder / "acme__tool-7.traj", ImportReport(), "0" * 64)
    assert (one.parent_attempt_id, retry.parent_attempt_id) == (None, one.attempt_id)
    assert one.correlation_id == retry.correlation_id


def test_a_string_editor_action_without_its_function_call_is_read_off_the_command_line(
    tmp_path: Any, read_runs: Any
) -> None:
    action = "str_replace_editor str_replace /r/a.py --old_str 'x = 1' --new_str 'x = 2\ny = 3'"
    document = {"trajectory": [_entry(action, "The file /r/a.py has been edited."), _entry("", "no action")]}
    (tmp_path / "x.traj").write_text(json.dumps(document))
    (run,) = read_runs(IMPORTER, tmp_path)
    (call,) = run.calls
    assert [(e.path, e.before, e.after) for e in call.edits] == [("/r/a.py", "x = 1", "x = 2\ny = 3")]
    assert run.results[call.id].is_error is False


def test_a_timed_out_command_says_so(tmp_path: Any, read_runs: Any) -> None:
    (tmp_path / "x.traj").write_text(json.dumps({"trajectory": [_entry("./rock", "\nEXECUTION TIMED OUT")]}))
    (run,) = read_runs(IMPORTER, tmp_path)
    assert run.results[run.calls[0].id].timed_out
    assert run.calls[0].kind is ToolKind.SHELL
