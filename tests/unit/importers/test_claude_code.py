"""Claude Code sessions: order, prompts, usage, duplicates, sub-agents, outputs in files of their own."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.importers import claude_code
from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.claude_code import ClaudeCodeImporter
from debug_loop_pipeline.importers.registry import files_under
from debug_loop_pipeline.models.trajectory import Step, StepSource, ToolKind, Trajectory

SESSION = "11111111-1111-4111-8111-111111111111"


class Session:
    """Writes the lines of a session."""

    def __init__(self, session_id: str = SESSION) -> None:
        self.session_id = session_id
        self.lines: list[str] = []
        self.numbers = itertools.count(1)

    def add(self, kind: str, message: Any = None, **more: Any) -> dict[str, Any]:
        number = next(self.numbers)
        record = {
            "parentUuid": None,
            "isSidechain": False,
            "cwd": "/repo",
            "sessionId": self.session_id,
            "version": "2.1.0",
            "gitBranch": "topic",
            "type": kind,
            "message": message,
            "uuid": f"{self.session_id[:4]}-u{number}",
            "timestamp": f"2026-01-01T00:00:{number % 60:02}.000Z",
            **more,
        }
        self.lines.append(json.dumps(record, separators=(",", ":")))
        return record

    def user(self, content: Any, **more: Any) -> dict[str, Any]:
        return self.add("user", {"role": "user", "content": content}, **more)

    def agent(self, message_id: str, *blocks: dict[str, Any], output: int = 1, **more: Any) -> dict[str, Any]:
        usage = {
            "input_tokens": 3,
            "cache_read_input_tokens": 10,
            "cache_creation_input_tokens": 7,
            "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2},
            "output_tokens": output,
        }
        message = {"id": message_id, "model": "claude-x", "content": list(blocks), "usage": usage}
        return self.add("assistant", message, **{"requestId": f"r-{message_id}", **more})

    def result(self, call_id: str, content: Any, details: Any = None, **more: Any) -> dict[str, Any]:
        block = {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}
        return self.user([block], toolUseResult=details)

    def write(self, folder: Path, name: str | None = None) -> Path:
        path = folder / (name or f"{self.session_id}.jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        return path


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(call_id: str, name: str = "Bash", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given or {"command": "make"}}


def read(path: Path, report: ImportReport | None = None) -> list[tuple[Trajectory, list[Step]]]:
    importer = ClaudeCodeImporter()
    assert list(files_under(path, only=importer)) == [(importer, path)]
    return [(run, list(run.steps)) for run in importer.read(path, report or ImportReport())]


def read_steps(path: Path, report: ImportReport | None = None) -> list[Step]:
    [(_, steps)] = read(path, report)
    return steps


def totals(steps: list[Step]) -> dict[str, int]:
    return {step.usage.message_id: step.usage.tokens_output for step in steps if step.usage}


def test_a_session_gives_one_run_with_its_steps_in_order(tmp_path: Path) -> None:
    session = Session()
    session.user("fix it")
    session.agent("m1", text("looking"), call("t1", command="go test ./...", timeout=120_000))
    session.result("t1", "ok", {"stdout": "ok", "stderr": "", "interrupted": False})
    [(run, steps)] = read(session.write(tmp_path))
    assert (run.format, run.session_id, run.run_key) == ("claude-code", SESSION, SESSION)
    assert (run.cwd, run.branch, run.agent_version) == ("/repo", "topic", "2.1.0")
    assert run.started_at == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert [step.source for step in steps] == [StepSource.HUMAN, StepSource.AGENT, StepSource.TOOL]
    assert (steps[0].text, steps[1].text, steps[1].model) == ("fix it", "looking", "claude-x")
    [made] = steps[1].calls
    assert (made.kind, made.command, made.cwd, made.timeout_s) == (ToolKind.SHELL, "go test ./...", "/repo", 120.0)
    [result] = steps[2].results
    assert (result.call_id, result.output, result.exit_code, result.is_error) == ("t1", "ok", 0, False)
    assert [step.line for step in steps] == [1, 2, 3]
    assert run.peer_id is None


def test_the_lines_of_one_response_count_once_with_their_largest_copy(tmp_path: Path) -> None:
    session = Session()
    session.user("go")
    session.agent("m1", {"type": "thinking", "thinking": "hm"}, output=1)
    session.agent("m1", text("a"), output=40)
    session.agent("m1", call("t1"), output=8)
    session.result("t1", "done")
    session.agent("m2", text("b"), output=5)
    steps = read_steps(session.write(tmp_path))
    assert totals(steps) == {"m1": 40, "m2": 5}
    usage = next(step.usage for step in steps if step.usage)
    assert (usage.tokens_input, usage.tokens_cache_read) == (3, 10)
    assert (usage.tokens_cache_write_5m, usage.tokens_cache_write_1h, usage.request_id) == (5, 2, "r-m1")
    assert [step.source for step in steps if step.usage] == [StepSource.AGENT, StepSource.AGENT]


def test_usage_comes_after_results_that_stand_between_the_lines_of_a_response(tmp_path: Path) -> None:
    session = Session()
    session.agent("m1", call("t1"), output=1)
    session.result("t1", "one")
    session.agent("m1", call("t2"), output=9)
    session.result("t2", "two")
    steps = read_steps(session.write(tmp_path))
    assert [len(step.calls) for step in steps] == [1, 0, 1, 0]
    assert [step.usage.tokens_output if step.usage else None for step in steps] == [None, None, 9, None]


def test_a_response_that_comes_again_counts_again_only_if_it_is_larger(tmp_path: Path) -> None:
    session = Session()
    session.agent("m1", text("a"), output=5)
    session.agent("m2", text("b"), output=5)
    session.agent("m1", text("a"), output=5)
    session.agent("m2", text("b"), output=6)
    steps = read_steps(session.write(tmp_path))
    counted = [(step.usage.message_id, step.usage.tokens_output) for step in steps if step.usage]
    assert counted == [("m1", 5), ("m2", 5), ("m2", 6)]


def test_a_response_of_thoughts_alone_still_counts(tmp_path: Path) -> None:
    session = Session()
    session.user("go")
    session.agent("m1", {"type": "thinking", "thinking": "hm"}, output=4)
    assert totals(read_steps(session.write(tmp_path))) == {"m1": 4}


def test_steps_are_not_held_back_without_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claude_code, "_MAX_HELD", 3)
    session = Session()
    session.agent("m1", text("a"), output=5)
    for number in range(10):
        session.result(f"t{number}", "x")
    path = session.write(tmp_path)
    run = next(ClaudeCodeImporter().read(path, ImportReport()))
    assert totals(list(itertools.islice(run.steps, 1))) == {"m1": 5}


def test_cache_writes_that_are_not_split_have_the_default_time_to_live(tmp_path: Path) -> None:
    session = Session()
    record = session.agent("m1", text("a"))
    del record["message"]["usage"]["cache_creation"]
    session.lines[-1] = json.dumps(record)
    [usage] = [step.usage for step in read_steps(session.write(tmp_path)) if step.usage]
    assert (usage.tokens_cache_write_5m, usage.tokens_cache_write_1h) == (7, 0)


def test_a_repeated_line_is_read_once(tmp_path: Path) -> None:
    session = Session()
    session.user("go")
    session.agent("m1", call("t1"))
    session.lines.append(session.lines[-1])
    session.lines.append(session.lines[0])
    report = ImportReport()
    steps = read_steps(session.write(tmp_path), report)
    assert [step.source for step in steps] == [StepSource.HUMAN, StepSource.AGENT]
    assert report.skipped["duplicate line"] == 2


@pytest.mark.parametrize(
    ("content", "more"),
    [
        ("<command-name>/clear</command-name>\n<command-message>clear</command-message>", {}),
        ("<local-command-stdout>See ya!</local-command-stdout>", {}),
        ("Caveat: The messages below were generated by the user while running local commands.", {}),
        ("Summary of what was done", {"isCompactSummary": True}),
        ("Base directory for this skill", {"isMeta": True}),
        ("Agent finished", {"origin": {"kind": "task-notification"}}),
        ([{"type": "image", "source": {}}], {}),
        ("<system-reminder>be brief</system-reminder>", {}),
    ],
)
def test_what_no_person_wrote_is_no_prompt(tmp_path: Path, content: Any, more: dict[str, Any]) -> None:
    session = Session()
    session.user(content, **more)
    session.agent("m1", text("a"))
    assert [step.source for step in read_steps(session.write(tmp_path))] == [StepSource.AGENT]


@pytest.mark.parametrize(
    "content",
    [
        "please fix",
        [text("<ide_opened_file>The user opened a.py</ide_opened_file>"), text("please fix")],
        [{"type": "image", "source": {}}, text("please fix")],
    ],
)
def test_what_a_person_wrote_is_a_prompt_without_what_the_editor_put_in(tmp_path: Path, content: Any) -> None:
    session = Session()
    session.user(content, origin={"kind": "human"})
    [step] = read_steps(session.write(tmp_path))
    assert (step.source, step.text) == (StepSource.HUMAN, "please fix")


def test_an_interruption_is_told_and_words_after_it_are_a_prompt(tmp_path: Path) -> None:
    session = Session()
    session.user([text("[Request interrupted by user for tool use]")])
    session.user([text("[Request interrupted by user]"), text("use the other file")])
    steps = read_steps(session.write(tmp_path))
    assert [(step.source, step.interrupted, step.text) for step in steps] == [
        (StepSource.SYSTEM, True, ""),
        (StepSource.SYSTEM, True, ""),
        (StepSource.HUMAN, False, "use the other file"),
    ]


def test_errors_of_the_service_are_told_and_fillers_are_not(tmp_path: Path) -> None:
    session = Session()
    synthetic = {"id": "s1", "model": "<synthetic>", "usage": {"input_tokens": 0, "output_tokens": 0}}
    session.add("assistant", {**synthetic, "content": [text("No response requested.")]}, isApiErrorMessage=False)
    session.add(
        "assistant", {**synthetic, "content": [text("API Error: 529")]}, isApiErrorMessage=True, error="rate_limit"
    )
    session.add(
        "system",
        subtype="api_error",
        error={"status": 529, "error": {"error": {"type": "overloaded_error", "message": "Overloaded"}}},
    )
    steps = read_steps(session.write(tmp_path))
    assert [(step.api_error.kind, step.api_error.message) if step.api_error else None for step in steps] == [
        None,
        ("rate_limit", "API Error: 529"),
        ("overloaded_error", "Overloaded"),
    ]
    assert not any(step.usage or step.model for step in steps)


def test_a_call_that_was_kept_from_running_is_cancelled_whatever_it_says(tmp_path: Path) -> None:
    session = Session()
    session.agent("m1", call("t1", command="pip install yaml"))
    block = {"type": "tool_result", "tool_use_id": "t1", "content": "Not here.", "is_error": True}
    session.user([block], toolUseResult="Error: Not here.", toolDenialKind="automode-blocked")
    [result] = [result for step in read_steps(session.write(tmp_path)) for result in step.results]
    assert (result.cancelled, result.exit_code) == (True, None)


def test_a_pull_request_is_told_from_its_line_on(tmp_path: Path) -> None:
    session = Session()
    session.user("one")
    session.lines.append(json.dumps({"type": "pr-link", "sessionId": SESSION, "prNumber": 7, "prUrl": "https://h/7"}))
    session.user("two")
    steps = read_steps(session.write(tmp_path))
    assert [step.pull_request for step in steps] == [None, "https://h/7", "https://h/7"]


def test_lines_of_other_types_are_counted_by_type(tmp_path: Path) -> None:
    session = Session()
    session.add("progress", data={"type": "hook_progress"})
    session.lines.append('{"type":"file-history-snapshot","snapshot":{}}')
    session.lines.append('{"type":"invented-tomorrow","x":1}')
    session.user("go", note='"type":"progress"')
    session.add("attachment", attachment={"type": "todo"})
    report = ImportReport()
    assert [step.text for step in read_steps(session.write(tmp_path), report)] == ["go"]
    assert report.skipped == {
        "type progress": 1,
        "type file-history-snapshot": 1,
        "type invented-tomorrow": 1,
        "type attachment": 1,
    }
    assert (report.lines, report.problem_count) == (5, 0)


def test_a_line_of_unexpected_shape_costs_itself(tmp_path: Path) -> None:
    session = Session()
    session.user("one")
    session.add("assistant", "no object")
    session.add("assistant", {"id": "m", "content": [None], "usage": {"output_tokens": "many"}})
    session.user("two")
    report = ImportReport()
    assert [step.text for step in read_steps(session.write(tmp_path), report)] == ["one", "two"]
    assert [problem.line for problem in report.problems] == [2, 3]


def test_the_session_is_the_one_that_wrote_last_whatever_the_file_is_called(tmp_path: Path) -> None:
    parent, child = Session("aaaaaaaa-0000-4000-8000-000000000000"), Session("bbbbbbbb-0000-4000-8000-000000000000")
    parent.user("old")
    child.user("new")
    path = tmp_path / "full.jsonl"
    path.write_text("\n".join([*parent.lines, *child.lines, '{"type":"summary","summary":"s","leafUuid":"x"}']))
    [(run, steps)] = read(path)
    assert run.session_id == child.session_id
    assert [(step.text, step.session) for step in steps] == [("old", parent.session_id), ("new", None)]


def test_a_forked_session_names_the_same_responses_and_calls(tmp_path: Path) -> None:
    session = Session()
    session.user("go")
    session.agent("m1", call("t1"))
    session.result("t1", "ok")
    fork = Session("22222222-2222-4222-8222-222222222222")
    fork.user("go", forkedFrom={"sessionId": SESSION})
    fork.agent("m1", call("t1"), forkedFrom={"sessionId": SESSION})
    fork.result("t1", "ok")
    one, two = read_steps(session.write(tmp_path)), read_steps(fork.write(tmp_path))
    assert [step.ref for step in one[1:]] == [step.ref for step in two[1:]] == ["m1", "t1"]
    assert [step.session for step in one] == [None, None, None]
    assert [step.session for step in two] == [SESSION, SESSION, None]
    assert totals(one) == totals(two)


def test_inline_sidechains_become_runs_of_their_own(tmp_path: Path) -> None:
    session = Session()
    session.user("go")
    session.agent("m1", call("t1", "Task", prompt="look around", subagent_type="Explore"))
    first = session.user("look around", isSidechain=True)
    answer = session.agent("s1", call("x1"), isSidechain=True, parentUuid=first["uuid"])
    other = session.user("another", isSidechain=True, agentId="abc")
    session.result("t1", "report")
    session.result("x1", "found", isSidechain=True)
    record = json.loads(session.lines[-1])
    record.update(isSidechain=True, parentUuid=answer["uuid"])
    session.lines[-1] = json.dumps(record)
    session.agent("m2", text("done"))
    runs = read(session.write(tmp_path))
    assert [run.session_id for run, _ in runs] == [
        SESSION,
        f"{SESSION}/agent-{first['uuid']}",
        f"{SESSION}/agent-abc",
    ]
    assert [[step.ref for step in steps] for _, steps in runs] == [
        [runs[0][1][0].ref, "m1", "t1", "m2"],
        ["s1", "x1"],
        [],
    ]
    child = runs[1][0]
    assert (child.parent_session_id, child.parent_call_id, child.request) == (SESSION, "t1", "look around")
    assert child.agent_type == "subagent"
    assert runs[2][0].request == other["message"]["content"]


def test_a_sub_agent_in_a_file_of_its_own_names_the_call_that_started_it(tmp_path: Path) -> None:
    parent = Session()
    parent.user("go")
    parent.agent("m1", call("t1", "Agent", prompt="first"), call("t2", "Agent", prompt="second"))
    parent.result("t1", "done", {"status": "completed", "agentId": "a1"})
    parent.write(tmp_path)
    folder = Path(SESSION) / "subagents"
    for agent, prompt, expected in (("a1", "(compacted)", "t1"), ("a2", "second", "t2"), ("a3", "unknown", None)):
        child = Session()
        child.user(prompt, isSidechain=True, agentId=agent)
        child.agent(f"c-{agent}", text("a"), isSidechain=True, agentId=agent)
        [(run, steps)] = read(child.write(tmp_path, str(folder / f"agent-{agent}.jsonl")))
        assert run.session_id == f"{SESSION}/agent-{agent}"
        assert (run.parent_session_id, run.parent_call_id) == (SESSION, expected)
        assert [step.ref for step in steps] == [f"c-{agent}"]
        assert run.request == prompt


def test_a_note_beside_a_sub_agents_file_wins(tmp_path: Path) -> None:
    child = Session()
    child.user("x", isSidechain=True, agentId="a1")
    path = child.write(tmp_path, "agent-a1.jsonl")
    (tmp_path / "agent-a1.meta.json").write_text(json.dumps({"agentType": "Explore", "toolUseId": "t9"}))
    [(run, _)] = read(path)
    assert run.parent_call_id == "t9"


def test_an_output_in_a_file_of_its_own_is_read_from_beside_the_session_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claude_code, "_OUTPUT_PART_BYTES", 10)
    outputs = tmp_path / "project" / SESSION / "tool-results"
    outputs.mkdir(parents=True)
    (outputs / "short.txt").write_text("whole output")
    (outputs / "long.txt").write_text("a" * 10 + "b" * 50 + "c" * 10)
    (tmp_path / "secret.txt").write_text("not for us")
    session = Session()
    session.agent("m1", *(call(f"t{number}") for number in range(4)))
    shown = (
        "<persisted-output>\nOutput too large (99KB). Full output saved to: {}\n\nPreview:\nxyz\n</persisted-output>"
    )
    session.result("t0", shown.format("/home/u/.claude/projects/p/s/tool-results/short.txt"))
    session.result("t1", shown.format(r"C:\u\tool-results\long.txt"))
    session.result("t2", shown.format("/x/tool-results/../../../secret.txt"))
    session.result("t3", shown.format("/x/tool-results/gone.txt"), {"stdout": "z" * 500})
    results = [step.results[0].output for step in read_steps(session.write(tmp_path / "project")) if step.results]
    assert results[0] == "whole output"
    assert results[1] == "a" * 10 + "\n[50 bytes left out]\n" + "c" * 10
    assert "not for us" not in results[2]
    assert results[3] == "z" * 500
    fork = Session("22222222-2222-4222-8222-222222222222")
    fork.lines = [
        json.dumps(json.loads(line) | {"sessionId": fork.session_id, "forkedFrom": {"sessionId": SESSION}})
        for line in session.lines
    ]
    fork.user("on")
    copied = [step.results[0].output for step in read_steps(fork.write(tmp_path / "project")) if step.results]
    assert copied == results


def test_ids_that_lead_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "tool-results").mkdir()
    (tmp_path / "tool-results" / "secret.txt").write_text("not for us")
    session = Session("x/../..")
    session.agent("m1", call("t1"))
    session.result("t1", "<persisted-output>\nsaved to: /a/tool-results/secret.txt\n</persisted-output>")
    [result] = [
        result for step in read_steps(session.write(tmp_path / "a" / "b", "s.jsonl")) for result in step.results
    ]
    assert "not for us" not in result.output


def test_no_value_in_any_place_of_a_line_stops_the_reading(tmp_path: Path) -> None:
    session = Session()
    session.user("go")
    session.agent("m1", text("a"), call("t1", "Edit", file_path="/a", old_string="x", new_string="y"))
    details = {"filePath": "/a", "oldString": "x", "newString": "y", "originalFile": "x", "structuredPatch": []}
    session.result("t1", [text("done")], details)
    session.agent("m2", call("t2", "Task", prompt="p"), isSidechain=True, agentId="a")
    lines = [json.loads(line) for line in session.lines]
    for place in [place for number, line in enumerate(lines) for place in places(line, (number,))]:
        for value in (None, 5, [], {}, "\x00", [None], [[1]]):
            broken = json.loads(json.dumps(lines))
            inner = broken
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = value
            session.lines = [json.dumps(line) for line in broken]
            path = session.write(tmp_path)
            for run in ClaudeCodeImporter().read(path, ImportReport()):
                assert all(isinstance(step.text, str) and isinstance(step.ref, str) for step in run.steps)


def places(value: Any, start: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Every place inside a JSON value, as the keys that lead there."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in items for place in [(*start, key), *places(inner, (*start, key))]]


def test_a_background_command_ends_with_the_reading_of_its_output(tmp_path: Path) -> None:
    session = Session()
    session.agent("m1", call("t1", command="npm test", run_in_background=True), call("t2", command="make"))
    session.result("t1", "Command running in background with ID: b1. Output is being written to: /tmp/x")
    session.result("t2", "", {"stdout": "", "interrupted": False, "backgroundTaskId": "b2"})
    session.agent("m2", call("r1", "TaskOutput", task_id="b1"), call("r2", "BashOutput", bash_id="b1"))
    session.result("r1", "<status>running</status>\n<output>so far</output>")
    session.result("r2", "<status>failed</status>\n<exit_code>1</exit_code>\n<stdout>\n1 failed\n</stdout>")
    session.user(
        "<task-notification>\n<task-id>b2</task-id>\n<status>completed</status>\n"
        "<summary>Background command completed (exit code 0)</summary>\n</task-notification>"
    )
    steps = read_steps(session.write(tmp_path))
    results = [result for step in steps for result in step.results]
    assert [(result.call_id, result.pending, result.exit_code, result.is_error) for result in results] == [
        ("t1", True, None, None),
        ("t2", True, None, None),
        ("r1", False, None, False),
        ("r2", False, None, False),
        ("t1", False, 1, True),
        ("t2", False, 0, False),
    ]
    assert results[4].output == "1 failed"


@pytest.mark.parametrize(
    "said",
    [
        "Command did not complete within its 90s timeout and was moved to the background (ID: b1). Output is being written to: /t/tasks/b1.output.",
        "Command was manually backgrounded by user with ID: b1. Output is being written to: /t/tasks/b1.output",
    ],
)
def test_a_command_that_was_moved_to_the_background_has_no_result_yet(tmp_path: Path, said: str) -> None:
    session = Session()
    session.agent("m1", call("t1", command="make check"))
    session.result("t1", said)
    session.agent("m2", call("r1", "TaskOutput", task_id="b1"))
    session.result("r1", "<status>failed</status>\n<exit_code>2</exit_code>\n<stdout>\n1 failed\n</stdout>")
    results = [result for step in read_steps(session.write(tmp_path)) for result in step.results]
    told = [(result.pending, result.exit_code) for result in results if result.call_id == "t1"]
    assert told == [(True, None), (False, 2)]


@pytest.mark.parametrize(
    ("reader", "shown", "ended"),
    [
        (
            call("r", "Read", file_path="/t/tasks/b1.output"),
            "1\t2 failed\n2\t\n3\t[exited with code 1]\n",
            (1, "2 failed"),
        ),
        (call("r", "Read", file_path="/t/tasks/b1.output"), "     1→ok\n     2→[exited with code 0]", (0, "ok")),
        (call("r", command="sleep 5; cat /t/tasks/b1.output"), "ok\n\n[exited with code 0]\n", (0, "ok")),
        (call("r", "Read", file_path="/t/tasks/b1.output"), "1\tcompiling\n", None),
        (call("r", "Read", file_path="/t/tasks/b1.output", offset=90), "90\tok\n91\t[exited with code 0]\n", None),
        (call("r", command="tail -2 /t/tasks/b1.output"), "ok\n[exited with code 0]\n", (0, "ok")),
        (call("r", command='tail "C:\\t\\tasks\\b1.output"'), "ok\r\n\n[exited with code 0]", (0, "ok\r")),
        (call("r", command="tail -2 /t/tasks/b1.output"), "20 failed\n[exited with code 0]\n", None),
        (
            call("r", command="tail -2 /t/tasks/b1.output"),
            "3 ok, 0 failed\n[exited with code 0]\n",
            (0, "3 ok, 0 failed"),
        ),
        (call("r", command="tail -2 /t/tasks/b1.output"), "ok\n[exited with code 1]\n", None),
        (call("r", command="cat /t/tasks/b1.output | grep error"), "[exited with code 0]\n", None),
        (call("r", "Read", file_path="/t/tasks/b2.output"), "1\tok\n2\t[exited with code 0]\n", None),
    ],
)
def test_a_background_command_ends_with_the_reading_of_its_file_where_that_tells_all(
    tmp_path: Path, reader: dict[str, Any], shown: str, ended: tuple[int, str] | None
) -> None:
    session = Session()
    session.agent("m1", call("t1", command="make check", run_in_background=True))
    session.result("t1", "Command running in background with ID: b1. Output is being written to: /t/tasks/b1.output")
    session.agent("m2", reader)
    session.result("r", shown)
    results = [result for step in read_steps(session.write(tmp_path)) for result in step.results]
    found = [(result.exit_code, result.output) for result in results if result.call_id == "t1" and not result.pending]
    assert found == ([ended] if ended is not None else [])


def notification(task: str, code: int) -> str:
    return (
        f"<task-notification>\n<task-id>{task}</task-id>\n<output-file>/t/tasks/{task}.output</output-file>\n"
        f"<status>{'failed' if code else 'completed'}</status>\n"
        f'<summary>Background command "Check" ended with exit code {code}</summary>\n</task-notification>'
    )


def in_background(session: Session, *tasks: str) -> None:
    for task in tasks:
        session.agent(f"m-{task}", call(f"t-{task}", command="make check", run_in_background=True))
        session.result(f"t-{task}", f"Command running in background with ID: {task}.")


def ends(session: Session, folder: Path) -> list[tuple[str, int | None, str]]:
    steps = read_steps(session.write(folder))
    return [
        (r.call_id, r.exit_code, r.output)
        for step in steps
        for r in step.results
        if r.call_id.startswith("t-") and not r.pending
    ]


@pytest.mark.parametrize("as_attachment", [False, True])
def test_a_notification_is_no_output_and_each_of_several_counts(tmp_path: Path, as_attachment: bool) -> None:
    session = Session()
    in_background(session, "b1", "b2")
    told = notification("b1", 0) + "\n" + notification("b2", 1) + "\nRead the output file: /t/tasks/b2.output"
    if as_attachment:
        given = {"type": "queued_command", "prompt": told, "commandMode": "task-notification"}
        session.add("attachment", attachment=given)
    else:
        session.user(told, origin={"kind": "task-notification"})
    session.agent("m", text("done"))
    report = ImportReport()
    assert ends(session, tmp_path) == [("t-b1", 0, ""), ("t-b2", 1, "")]
    read_steps(session.write(tmp_path), report)
    assert not report.skipped


@pytest.mark.parametrize(
    ("readers", "printed"),
    [
        ([(call("r", "Read", file_path="/t/tasks/b1.output"), "1\t2 failed\n2\tin all")], "2 failed\nin all"),
        (
            [
                (
                    call("r", "Read", file_path="/t/tasks/b1.output"),
                    "1\tbad\n\n<system-reminder>\nx\n</system-reminder>\n",
                )
            ],
            "bad",
        ),
        ([(call("r", command="cat /t/tasks/b1.output"), "2 failed\n[exited with code 1]\n")], "2 failed"),
        ([(call("r", "TaskOutput", task_id="b1"), "<status>failed</status>\n<output>\nbad\n</output>")], "bad"),
        (
            [
                (call("r1", command="tail -1 /t/tasks/b1.output"), "in all"),
                (call("r2", command="grep -c failed /t/tasks/b1.output"), "1"),
                (call("r3", "Read", file_path="/t/tasks/b1.output"), "1\t2 failed"),
            ],
            "2 failed",
        ),
        ([(call("r1", "Read", file_path="/t/tasks/b1.output", offset=9), "9\t2 failed")], ""),
        (
            [
                (call("r1", command="ls"), "a.py"),
                (call("r2", "Read", file_path="/t/tasks/b1.output"), "1\t2 failed"),
            ],
            "",
        ),
    ],
)
def test_what_a_background_command_printed_is_read_after_it_is_told_to_have_ended(
    tmp_path: Path, readers: list[tuple[dict[str, Any], str]], printed: str
) -> None:
    session = Session()
    in_background(session, "b1")
    session.user(notification("b1", 1), origin={"kind": "task-notification"})
    for number, (reader, shown) in enumerate(readers):
        session.agent(f"m{number}", reader)
        session.result(reader["id"], shown)
    assert ends(session, tmp_path) == [("t-b1", 1, printed)]


def test_a_background_command_has_ended_before_the_next_request(tmp_path: Path) -> None:
    session = Session()
    in_background(session, "b1")
    session.user(notification("b1", 1), origin={"kind": "task-notification"})
    session.user("now the docs")
    steps = read_steps(session.write(tmp_path))
    assert [step.source for step in steps][-2:] == [StepSource.TOOL, StepSource.HUMAN]


def test_a_file_without_a_conversation_gives_no_run(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"type":"summary","summary":"s","leafUuid":"x"}\n')
    report = ImportReport()
    assert list(ClaudeCodeImporter().read(path, report)) == []
    assert report.skipped["type summary"] == 1


def test_the_folder_of_the_configuration_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", "/conf")
    assert ClaudeCodeImporter().default_folders() == [Path("/conf/projects")]
    monkeypatch.delenv("CLAUDE_CONFIG_DIR")
    monkeypatch.setenv("HOME", "/home/u")
    assert ClaudeCodeImporter().default_folders() == [Path("/home/u/.claude/projects")]


def test_the_real_glued_line_costs_nothing(shared_data: Any) -> None:
    path = shared_data("claude_code_quirks") / "37-995ebed6e4-2" / "full.jsonl"
    report = ImportReport()
    steps = read_steps(path, report)
    assert report.problem_count == 0
    assert report.skipped["glued objects taken apart"] == 1
    assert any(step.line == 128 for step in steps)
