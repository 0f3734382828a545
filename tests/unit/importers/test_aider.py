from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from debug_loop_pipeline.importers.aider import AiderImporter
from debug_loop_pipeline.importers.aider_log import usage_line
from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.models.trajectory import StepSource, ToolKind

IMPORTER = AiderImporter()


def test_the_real_histories_have_84_runs_of_which_81_have_a_result(shared_data: Any, read_runs: Any) -> None:
    report = ImportReport()
    runs = read_runs(IMPORTER, shared_data("aider_swe_bench_lite"), report)
    assert len(runs) == 84
    assert len({run.trajectory.run_key for run in runs}) == 84
    assert len({run.trajectory.problem_id for run in runs}) == 31
    assert sum(run.trajectory.verdict is not None for run in runs) == 81
    assert report.problem_count == 0
    assert all({call.id for call in run.calls} == set(run.results) for run in runs)


def test_each_result_goes_to_the_run_that_cost_as_much(shared_data: Any, read_runs: Any) -> None:
    by_file: dict[Any, list[Any]] = {}
    for run in read_runs(IMPORTER, shared_data("aider_swe_bench_lite")):
        by_file.setdefault(run.file, []).append(run)
    resolved = 0
    for file, runs in by_file.items():
        document = json.loads(file.with_suffix(".json").read_text())
        alive = [run for run in runs if run.trajectory.verdict is not None]
        for run, result in zip(alive, document["all_results"], strict=True):
            cost = sum(float(step.usage.cost_usd or 0) for step in run.steps if step.usage)
            assert cost == pytest.approx(result["cost"], abs=1e-6)
        passed = [run.trajectory.verdict.passed for run in alive]
        assert passed.count(True) == int(document["resolved"])
        resolved += document["resolved"]
    assert resolved == 9


def test_edits_lint_and_tests_of_the_real_runs_are_calls_with_outcomes(shared_data: Any, read_runs: Any) -> None:
    runs = read_runs(IMPORTER, shared_data("aider_swe_bench_lite"))
    calls = [(run, call) for run in runs for call in run.calls]
    failed_tests = [c for run, c in calls if c.name == "test" and run.results[c.id].is_error]
    passed_tests = [c for run, c in calls if c.name == "test" and run.results[c.id].exit_code == 0]
    lint = [run.results[c.id] for run, c in calls if c.name == "lint"]
    applied = [c for run, c in calls if c.kind is ToolKind.EDIT and not run.results[c.id].is_error]
    assert len(failed_tests) == 102
    assert passed_tests
    assert {c.cwd for c in failed_tests} >= {c.cwd for c in passed_tests}
    assert lint
    assert all(result.is_error for result in lint)
    assert all(c.edits and c.edits[0].path for c in applied)
    assert all(run.calls[0].command != "" for run in runs if run.calls)


def test_moved_histories_keep_their_ids(shared_data: Any, read_runs: Any, tmp_path: Any) -> None:
    folder = shared_data("aider_swe_bench_lite")
    for name in ("django__django-15498.md", "django__django-15498.json"):
        shutil.copy(folder / name, tmp_path)
    moved = read_runs(IMPORTER, tmp_path)
    there = [r for r in read_runs(IMPORTER, folder) if r.file.name == "django__django-15498.md"]
    assert [r.trajectory.run_key for r in moved] == [r.trajectory.run_key for r in there]
    assert [r.trajectory.verdict is None for r in moved] == [True, True, False, False]


@pytest.mark.parametrize(
    ("line", "sent", "received", "cost", "rounded"),
    [
        ("33857 prompt tokens, 77 completion tokens, $0.170440 cost", 33857, 77, "0.170440", False),
        ("1,234 prompt tokens, 5 completion tokens", 1234, 5, None, False),
        ("Tokens: 12k sent, 1.1k received. Cost: $0.05 message, $0.20 session.", 12000, 1100, "0.05", True),
        ("Tokens: 730 sent, 895 received.", 730, 895, None, False),
        ("Tokens: 1.2M sent, 2k received. Cost: $3.10 request, $4 session.", 1200000, 2000, "3.10", True),
    ],
)
def test_every_form_of_the_usage_line_is_read(line: str, sent: int, received: int, cost: Any, rounded: bool) -> None:
    usage = usage_line(line)
    assert usage is not None
    assert (usage.sent, usage.received, usage.cost, usage.rounded) == (sent, received, cost, rounded)


_CHAT = """
# aider chat started at 2025-03-01 10:00:00

> Aider v0.77.0~
> Main model: openrouter/anthropic/claude-3.7-sonnet with diff edit format~

#### make it faster~

I will.

calc.py
```python
<<<<<<< SEARCH
x = 1
=======
x = 2
>>>>>>> REPLACE
```

other.py
```python
print(1)
```

> Tokens: 9.1k sent, 2k cache write, 4k cache hit, 300 received. Cost: $0.03 message, $0.03 session.~
> Applied edit to calc.py~
> Applied edit to other.py~
> I ran this command:

pytest -q

And got this output:

FAILED test_calc.py::test_x - assert 2 == 1
> Attempt to fix test errors? yes~

#### /run python calc.py~
> litellm.RateLimitError: slow down~
> ^C again to exit~
""".replace("~\n", "  \n")


def test_a_session_of_a_newer_version_is_read(tmp_path: Any, read_runs: Any) -> None:
    (tmp_path / ".aider.chat.history.md").write_text(_CHAT)
    (run,) = read_runs(IMPORTER, tmp_path)
    assert (run.trajectory.model, run.trajectory.provider) == ("claude-3.7-sonnet", "anthropic")
    assert run.trajectory.agent_version == "0.77.0"
    first, second, test, asked = run.calls
    assert [(e.path, e.before, e.after) for e in first.edits] == [("calc.py", "x = 1\n", "x = 2\n")]
    assert [(e.path, e.content) for e in second.edits] == [("other.py", "print(1)\n")]
    assert (test.command, run.results[test.id].output) == ("pytest -q", "FAILED test_calc.py::test_x - assert 2 == 1")
    assert asked.command == "python calc.py"
    (usage,) = [step.usage for step in run.steps if step.usage]
    assert (usage.tokens_input, usage.tokens_cache_write_5m, usage.tokens_cache_read) == (3100, 2000, 4000)
    assert usage.estimated
    assert [s.text for s in run.steps if s.source is StepSource.HUMAN] == ["make it faster", "/run python calc.py"]
    assert any(step.api_error and step.api_error.kind == "litellm.RateLimitError" for step in run.steps)
    assert any(step.interrupted for step in run.steps)


def test_a_wrong_byte_costs_a_character_and_nothing_more(tmp_path: Any, read_runs: Any) -> None:
    raw = _CHAT.encode().replace(b"I will.", b"I \xff\x00will.")
    (tmp_path / "x.md").write_bytes(raw)
    (run,) = read_runs(IMPORTER, tmp_path)
    assert any("I \ufffd\ufffdwill." in step.text for step in run.steps)
    assert len(run.calls) == 4
