from __future__ import annotations

import json
from typing import Any

from debug_loop_pipeline.importers.base import ImportReport, read_head
from debug_loop_pipeline.importers.dgm import DgmImporter
from debug_loop_pipeline.models.trajectory import ToolKind

IMPORTER = DgmImporter()


def test_the_real_logs_are_seven_tasks_with_verdicts_where_a_report_is(shared_data: Any, read_runs: Any) -> None:
    report = ImportReport()
    runs = read_runs(IMPORTER, shared_data("dgm_initial_swebench"), report)
    assert len({run.trajectory.problem_id for run in runs}) == len(runs) == 7
    for run in runs:
        place = run.file.parent / "report.json"
        verdict = run.trajectory.verdict
        assert (verdict is not None) == place.exists()
        if verdict is not None:
            truth = json.loads(place.read_text())[run.trajectory.problem_id]
            assert verdict.passed is truth["resolved"]
            assert set(verdict.failing_tests) >= set(truth["tests_status"]["FAIL_TO_PASS"]["failure"])
            assert verdict.at is not None
        assert {call.id for call in run.calls} == set(run.results)
        assert run.tokens == 0
    assert report.problem_count == 0
    assert not report.skipped


def test_rewriting_a_file_that_was_shown_is_an_edit_of_the_changed_lines(shared_data: Any, read_runs: Any) -> None:
    (run,) = [r for r in read_runs(IMPORTER, shared_data("dgm_initial_swebench")) if "11964" in r.file.name]
    edits = [edit for call in run.calls if call.kind is ToolKind.EDIT for edit in call.edits]
    assert edits[0].path == "/testbed/django/db/models/enums.py"
    assert edits[0].before == "    pass\n"
    assert "def __str__(self):" in edits[0].after
    assert edits[0].content.startswith("import enum")
    commands = [call.command for call in run.calls if call.kind is ToolKind.SHELL]
    assert len(commands) == 1
    assert "runtests.py" in commands[0]


def test_a_text_that_is_no_literal_is_reported_and_never_run(tmp_path: Any) -> None:
    for name, text in (
        ("a.md", "[{'role': __import__('os').system('true')}]"),
        ("b.md", "[{'role': " + "[" * 5000),
        ("c.md", "[{'role': 'user', 'content': 'cut"),
    ):
        path = tmp_path / name
        path.write_text(text)
        assert IMPORTER.sniff(path, read_head(path))
        report = ImportReport()
        assert list(IMPORTER.read(path, report)) == []
        assert report.problem_count == 1
    other = tmp_path / "chat.json"
    other.write_text('[{"role": "user", "content": "x"}]')
    assert not IMPORTER.sniff(other, read_head(other))
