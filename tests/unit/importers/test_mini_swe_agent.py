from __future__ import annotations

import json
import shutil
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from debug_loop_pipeline.importers.base import ImportReport, read_head
from debug_loop_pipeline.importers.mini_swe_agent import MiniSweAgentImporter
from debug_loop_pipeline.importers.registry import files_under
from debug_loop_pipeline.models.trajectory import StepSource

IMPORTER = MiniSweAgentImporter()


def test_the_real_runs_have_their_problems_verdicts_and_exits(shared_data: Any, read_runs: Any) -> None:
    folder = shared_data("mini_swe_deepseek")
    report = ImportReport()
    runs = read_runs(IMPORTER, folder, report)

    assert len(runs) == 23
    assert len({run.trajectory.problem_id for run in runs}) == 9
    assert len({run.trajectory.run_key for run in runs}) == 23
    assert Counter(run.trajectory.verdict.passed for run in runs) == {True: 9, False: 12, None: 2}
    assert report.problem_count == 0
    for run in runs:
        truth = json.loads((run.file.parent.parent / "verdicts.json").read_text())[run.file.parent.name]
        passed = {"resolved": True, "unresolved": False, None: None}[truth["verdict"]]
        assert run.trajectory.verdict.passed is passed
        failures = [step.api_error.kind for step in run.steps if step.api_error]
        assert failures == ([] if truth["exit_status"] == "Submitted" else [truth["exit_status"]])
        assert len({call.id for call in run.calls}) == len(run.calls)
        assert {call.id for call in run.calls} == set(run.results)


def test_usage_and_cost_of_the_real_runs_sum_up_to_what_the_runs_say(shared_data: Any, read_runs: Any) -> None:
    for run in read_runs(IMPORTER, shared_data("mini_swe_deepseek")):
        document = json.loads(run.file.read_text())
        usages = [step.usage for step in run.steps if step.usage]
        raw = [m["extra"]["response"]["usage"] for m in document["messages"] if m["role"] == "assistant"]
        assert sum(usage.total for usage in usages) == sum(entry["total_tokens"] for entry in raw)
        assert sum(u.tokens_cache_read for u in usages) == sum(entry["prompt_cache_hit_tokens"] for entry in raw)
        assert sum(u.tokens_input for u in usages) == sum(entry["prompt_cache_miss_tokens"] for entry in raw)
        cost = sum((Decimal(u.cost_usd or 0) for u in usages), Decimal(0))
        assert float(cost) == pytest.approx(document["info"]["model_stats"]["instance_cost"], abs=1e-12)
        if document["info"]["exit_status"] != "Timeout":
            assert len(usages) == len(raw)


def test_the_failing_tests_and_their_root_cause_are_in_the_verdicts(shared_data: Any, read_runs: Any) -> None:
    folder = shared_data("mini_swe_deepseek")
    truth: dict[tuple[str, str], set[str]] = {}
    for entry in json.loads((folder / "failing_tests.json").read_text()):
        truth.setdefault((entry["instance"], entry["run"]), set()).add(entry["test"])
    seen = {
        (run.trajectory.problem_id, run.file.parent.name): run.trajectory.verdict
        for run in read_runs(IMPORTER, folder)
        if run.trajectory.verdict.failing_tests
    }
    assert {key: set(verdict.failing_tests) for key, verdict in seen.items()} == truth
    broken = [verdict for (problem, _), verdict in seen.items() if problem.startswith("pvlib")]
    assert len(broken) == 2
    assert all("`np.Inf` was removed in the NumPy 2.0 release" in verdict.output for verdict in broken)
    assert all("conda activate" not in verdict.output for verdict in broken)


def test_a_moved_or_lone_copy_keeps_its_ids(shared_data: Any, read_runs: Any, tmp_path: Any) -> None:
    source = shared_data("mini_swe_deepseek") / "pvlib__pvlib-python-1072" / "chat_dev"
    moved = tmp_path / "elsewhere" / "other-name"
    moved.mkdir(parents=True)
    shutil.copy(source / "pvlib__pvlib-python-1072.traj.json", moved)
    before, after = read_runs(IMPORTER, source)[0], read_runs(IMPORTER, moved)[0]
    assert after.trajectory.run_key == before.trajectory.run_key
    assert [step.ref for step in after.steps] == [step.ref for step in before.steps]
    assert str(tmp_path) not in after.trajectory.run_key


def test_sidecars_are_not_taken_for_transcripts(shared_data: Any) -> None:
    folder = shared_data("mini_swe_deepseek")
    found = [path for _, path in files_under(folder, only=IMPORTER)]
    assert all(path.name.endswith(".traj.json") for path in found)
    for other in (
        "sweagent_traj",
        "aider_swe_bench_lite",
        "dgm_initial_swebench",
        "gemini_cli_entire",
        "openhands_outputs",
    ):
        assert list(files_under(shared_data(other), only=IMPORTER)) == []


def _version_1(tmp_path: Any, messages: list[dict[str, Any]], name: str = "run.traj.json", info: Any = None) -> Any:
    document = {"info": info, "messages": messages, "trajectory_format": "mini-swe-agent-1"} if info else messages
    path = tmp_path / name
    path.write_text(json.dumps(document))
    return path


_TALK = [
    {"role": "system", "content": "You answer with one command."},
    {"role": "user", "content": "Please solve this issue: fix the parser"},
    {"role": "assistant", "content": "THOUGHT: look\n\n```bash\npytest -x\n```"},
    {"role": "user", "content": "<returncode>1</returncode>\n<output>\nFAILED test_a\n</output>"},
    {"role": "assistant", "content": "```bash\nls\n```\n```bash\npwd\n```"},
    {"role": "user", "content": "Please always provide EXACTLY ONE action in triple backticks, found 2 actions."},
    {"role": "assistant", "content": "```bash\nsleep 99\n```"},
    {"role": "user", "content": "The last command <command>sleep 99</command> timed out and has been killed."},
    {"role": "assistant", "content": "```bash\necho COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT && git diff\n```"},
    {"role": "user", "content": "--- a/p.py\n+++ b/p.py\n@@ -1,1 +1,1 @@\n-x = 1\n+x = 2\n"},
]


def test_a_text_mode_run_pairs_each_action_with_what_came_back(tmp_path: Any, read_runs: Any) -> None:
    path = _version_1(tmp_path, _TALK, info={"exit_status": "Submitted", "model_stats": {"instance_cost": 0.5}})
    (run,) = read_runs(IMPORTER, path)
    assert run.trajectory.request == "fix the parser"
    assert run.calls[0].command == "pytest -x"
    results = [run.results[call.id] for call in run.calls]
    assert (results[0].exit_code, results[0].output, results[0].is_error) == (1, "FAILED test_a", True)
    assert [result.cancelled for result in results] == [False, True, True, False, False]
    assert results[3].timed_out
    assert results[4].exit_code == 0
    assert [(e.path, e.before, e.after) for e in results[4].edits or []] == [("p.py", "x = 1\n", "x = 2\n")]
    assert [step.usage.cost_usd for step in run.steps if step.usage] == ["0.5"]
    assert [step.source for step in run.steps].count(StepSource.HUMAN) == 1


def test_a_bare_message_list_is_recognised_and_read(tmp_path: Any, read_runs: Any) -> None:
    path = _version_1(tmp_path, _TALK)
    assert IMPORTER.sniff(path, read_head(path))
    (run,) = read_runs(IMPORTER, path)
    assert len(run.calls) == 5
    other = tmp_path / "chat.json"
    other.write_text(json.dumps([{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]))
    assert not IMPORTER.sniff(other, read_head(other))


def test_a_rejected_command_is_cancelled_and_the_run_interrupted(tmp_path: Any, read_runs: Any) -> None:
    talk = [*_TALK[:3], {"role": "user", "content": "Command not executed. The user rejected your command: no"}]
    (run,) = read_runs(IMPORTER, _version_1(tmp_path, talk, info={"exit_status": None}))
    assert run.steps[-1].interrupted
    assert run.results[run.calls[0].id].cancelled


def test_a_broken_file_is_reported_and_passed_over(tmp_path: Any) -> None:
    path = tmp_path / "x.traj.json"
    path.write_bytes(b'{"info": {"mini_version": "2"},\n "messages": [{"role": "user", "content": "\x00\xff')
    report = ImportReport()
    assert list(IMPORTER.read(path, report)) == []
    assert report.problem_count == 1
    assert report.problems[0].line is not None
