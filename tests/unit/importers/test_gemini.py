from __future__ import annotations

import json
from typing import Any

from debug_loop_pipeline.importers.base import ImportReport, read_head
from debug_loop_pipeline.importers.gemini import GeminiImporter
from debug_loop_pipeline.models.trajectory import StepSource

IMPORTER = GeminiImporter()


def test_the_real_sessions_have_disjoint_tokens_and_their_edit(shared_data: Any, read_runs: Any) -> None:
    runs = {run.trajectory.session_id: run for run in read_runs(IMPORTER, shared_data("gemini_cli_entire"))}
    assert len(runs) == 2
    run = runs["fa4593e0-f7e1-4dd1-b656-da95fb4d60fa"]
    usages = [step.usage for step in run.steps if step.usage]
    assert [usage.total for usage in usages] == [12151, 12178]
    assert [(u.tokens_input, u.tokens_cache_read, u.tokens_output, u.tokens_reasoning) for u in usages] == [
        (12059, 0, 17 + 75, 75),
        (12117 - 11835, 11835, 16 + 45, 45),
    ]
    assert [s.text for s in run.steps if s.source is StepSource.HUMAN] == [
        'write to test-gemini.txt "hello, gemini" only'
    ]
    (call,) = run.calls
    assert [(edit.path, edit.content) for edit in call.edits] == [("test-gemini.txt", "hello, gemini")]
    assert run.results[call.id].is_error is False
    empty = runs["29eb990e-c773-4302-a4e7-317f0af0001f"]
    assert [step.source for step in empty.steps] == [StepSource.SYSTEM]


def _shell(call_id: str, output: str, status: str = "success") -> dict[str, Any]:
    return {
        "id": call_id,
        "name": "run_shell_command",
        "args": {"command": "npm test", "dir_path": "/r"},
        "status": status,
        "result": [{"functionResponse": {"response": {"output": output}}}],
    }


_HEADER = {"sessionId": "s", "projectHash": "h", "startTime": "2026-01-01T00:00:00Z"}


def _reply(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"id": "m2", "type": "gemini", "content": "running", "toolCalls": list(calls)}


def test_a_shells_text_is_taken_apart_into_output_and_exit_code(tmp_path: Any, read_runs: Any) -> None:
    text = "Command: npm test\nDirectory: /r\nOutput: 1 failing\nat x.js\nError: (none)\nExit Code: 1\nSignal: (none)"
    changed = {
        "id": "c3",
        "name": "replace",
        "args": {"file_path": "/r/a.py", "old_string": "1", "new_string": "2"},
        "status": "success",
        "resultDisplay": {"originalContent": "x = 1\ny = 1\n", "newContent": "x = 2\ny = 1\n"},
    }
    reply = _reply(_shell("c1", text), _shell("c2", "Output: ok"), changed, _shell("c4", "", "cancelled"))
    document = {**_HEADER, "messages": [{"id": "m1", "type": "user", "content": [{"text": "fix"}]}, reply]}
    (tmp_path / "session.json").write_text(json.dumps(document))
    (run,) = read_runs(IMPORTER, tmp_path)
    first, second, third, fourth = (run.results[call.id] for call in run.calls)
    assert (first.exit_code, first.is_error, first.output) == (1, True, "1 failing\nat x.js")
    assert (second.exit_code, second.output) == (0, "ok")
    assert [(e.before, e.after, e.content) for e in third.edits or []] == [("x = 1\n", "x = 2\n", "x = 2\ny = 1\n")]
    assert fourth.cancelled
    assert run.calls[0].cwd == "/r"
    assert run.steps[0].text == "fix"


def test_a_session_of_lines_counts_a_message_told_again_once(tmp_path: Any, read_runs: Any) -> None:
    question = {"id": "m1", "type": "user", "content": "fix"}
    grown = [_HEADER, question, _reply(), _HEADER, question, _reply(_shell("c1", "Exit Code: 2"))]
    path = tmp_path / "session.jsonl"
    path.write_text("\n".join(map(json.dumps, grown)))
    assert IMPORTER.sniff(path, read_head(path))
    (run,) = read_runs(IMPORTER, path)
    assert [step.ref for step in run.steps] == ["m1", "m2", "m2.results"]
    assert run.results["c1"].exit_code == 2


def test_a_cut_off_document_is_reported(tmp_path: Any) -> None:
    path = tmp_path / "session.json"
    path.write_text('{"sessionId": "s", "projectHash": "h", "startTime": "x",\n "messages": [{"id": "m1", "type"')
    report = ImportReport()
    assert list(IMPORTER.read(path, report)) == []
    assert report.problem_count >= 1
