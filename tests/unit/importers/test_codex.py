"""Codex rollouts: prompts, commands and their sessions, patches, the token counter, copied history."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.codex import CodexImporter
from debug_loop_pipeline.importers.registry import files_under
from debug_loop_pipeline.models.base import Verdict
from debug_loop_pipeline.models.trajectory import FileEdit, Step, StepSource, ToolKind, ToolResult, Trajectory, Usage
from debug_loop_pipeline.steps.importing import attempts_of


class Rollout:
    """Writes the lines of a rollout."""

    def __init__(self, session_id: str = "s-1", **meta: Any) -> None:
        self.lines: list[dict[str, Any]] = []
        self.add("session_meta", id=session_id, cwd="/repo", cli_version="0.140.0", model_provider="openai", **meta)

    def add(self, record_type: str, **payload: Any) -> None:
        at = f"2026-01-01T00:00:{len(self.lines) % 60:02}.000Z"
        self.lines.append({"timestamp": at, "type": record_type, "payload": payload})

    def turn(self, turn_id: str, prompt: str = "") -> None:
        self.add("event_msg", type="task_started", turn_id=turn_id)
        self.add("turn_context", turn_id=turn_id, cwd="/repo/sub", model="gpt-x")
        if prompt:
            self.message("user", prompt)
            self.add("event_msg", type="user_message", message=prompt)

    def message(self, role: str, words: str) -> None:
        self.add("response_item", type="message", role=role, content=[{"type": "input_text", "text": words}])

    def call(self, call_id: str, name: str, **given: Any) -> None:
        self.add("response_item", type="function_call", name=name, arguments=json.dumps(given), call_id=call_id)

    def output(self, call_id: str, output: Any) -> None:
        self.add("response_item", type="function_call_output", call_id=call_id, output=output)

    def patch(self, call_id: str, text: str) -> None:
        self.add("response_item", type="custom_tool_call", name="apply_patch", input=text, call_id=call_id)

    def item(self, kind: str, /, **content: Any) -> None:
        self.add("event_msg", type="item_completed", thread_id="s-1", turn_id="t", item={"type": kind, **content})

    def command(self, item_id: str, line: str, printed: str, exit_code: int, **content: Any) -> None:
        told = {
            "command": ["/bin/bash", "-lc", line],
            "cwd": "file:///repo",
            "source": "unified_exec_startup",
            "status": "failed" if exit_code else "completed",
            "stdout": printed,
            "stderr": "",
            "aggregated_output": printed,
            "exit_code": exit_code,
        }
        self.item("CommandExecution", id=item_id, **(told | content))

    def tokens(self, total: tuple[int, int, int, int] | None, last: tuple[int, int, int, int] | None = None) -> None:
        info = {"total_token_usage": figures(total), "last_token_usage": figures(last)} if total else None
        self.add("event_msg", type="token_count", info=info)

    def write(self, folder: Path, name: str = "rollout-2026-01-01-s-1.jsonl") -> Path:
        path = folder / name
        path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in self.lines))
        return path


def figures(values: tuple[int, int, int, int] | None) -> dict[str, int] | None:
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")
    return dict(zip(names, values, strict=True)) if values else None


def read(path: Path, report: ImportReport | None = None) -> tuple[Trajectory, list[Step]]:
    importer = CodexImporter()
    assert list(files_under(path, only=importer)) == [(importer, path)]
    run = next(importer.read(path, report or ImportReport()))
    return run, list(run.steps)


def results(steps: list[Step]) -> list[ToolResult]:
    return [result for step in steps for result in step.results]


def usages(steps: list[Step]) -> list[Usage]:
    return [step.usage for step in steps if step.usage]


def test_a_rollout_gives_one_run_with_its_steps_in_order(tmp_path: Path) -> None:
    rollout = Rollout(git={"branch": "topic", "commit_hash": "abc", "repository_url": "https://h/r.git"})
    rollout.message("user", "# AGENTS.md instructions for /repo\n\n<INSTRUCTIONS>be brief")
    rollout.turn("turn-1", "fix it")
    rollout.message("assistant", "looking")
    rollout.call("c1", "exec_command", cmd="go test ./...", workdir="/repo/x")
    rollout.output(
        "c1",
        "Chunk ID: ab\nWall time: 0.1 seconds\nProcess exited with code 1\nOriginal token count: 3\nOutput:\nFAIL\n",
    )
    rollout.tokens((100, 40, 20, 5), (100, 40, 20, 5))
    run, steps = read(rollout.write(tmp_path))
    assert (run.format, run.session_id, run.cwd, run.branch, run.commit) == ("codex", "s-1", "/repo", "topic", "abc")
    assert (run.repository, run.agent_version, run.provider) == ("https://h/r.git", "0.140.0", "openai")
    assert [step.source for step in steps] == [StepSource.HUMAN, StepSource.AGENT, StepSource.AGENT, StepSource.TOOL]
    assert [step.text for step in steps] == ["fix it", "looking", "", ""]
    [call] = steps[2].calls
    assert (call.kind, call.command, call.cwd) == (ToolKind.SHELL, "go test ./...", "/repo/x")
    [result] = steps[3].results
    assert (result.exit_code, result.is_error, result.output, result.pending) == (1, True, "FAIL\n", False)
    assert steps[2].model == "gpt-x"


def test_cached_tokens_are_taken_out_of_the_input_and_reasoning_stays_in_the_output(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.turn("turn-1", "go")
    rollout.message("assistant", "a")
    rollout.tokens((100, 40, 20, 5), (100, 40, 20, 5))
    [usage] = usages(read(rollout.write(tmp_path))[1])
    assert (usage.tokens_input, usage.tokens_cache_read, usage.tokens_output, usage.tokens_reasoning) == (60, 40, 20, 5)
    assert (usage.total, usage.model, usage.provider, usage.message_id) == (120, "gpt-x", "openai", "turn-1")


def test_a_repeated_counter_adds_nothing_and_an_untold_response_is_made_up_for(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.turn("turn-1", "go")
    for total, last in (
        ((100, 0, 10, 0), (100, 0, 10, 0)),
        ((100, 0, 10, 0), (100, 0, 10, 0)),
        ((250, 0, 30, 0), (120, 0, 12, 0)),
    ):
        rollout.message("assistant", "a")
        rollout.tokens(total, last)
    rollout.tokens(None)
    found = usages(read(rollout.write(tmp_path))[1])
    assert [(usage.tokens_input, usage.tokens_output) for usage in found] == [(100, 10), (150, 20)]


def test_a_counter_that_began_elsewhere_or_anew_counts_the_last_response_only(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.turn("turn-1", "go")
    for total, last in (
        ((9000, 0, 900, 0), (100, 0, 10, 0)),
        ((50, 0, 5, 0), (50, 0, 5, 0)),
        ((80, 0, 9, 0), None),
    ):
        rollout.message("assistant", "a")
        rollout.tokens(total, last)
    found = usages(read(rollout.write(tmp_path))[1])
    assert [(usage.tokens_input, usage.tokens_output) for usage in found] == [(100, 10), (50, 5), (30, 4)]


def test_usage_belongs_to_the_call_before_the_result(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.turn("turn-1", "go")
    for number in (1, 2):
        rollout.call(f"c{number}", "shell", command=["bash", "-lc", "make"])
        rollout.output(f"c{number}", '{"output":"ok","metadata":{"exit_code":0,"duration_seconds":0.1}}')
        rollout.tokens((number * 10, 0, number, 0), (10, 0, 1, 0))
    _, steps = read(rollout.write(tmp_path))
    assert [(step.calls[0].id, step.usage is not None) for step in steps if step.calls] == [("c1", True), ("c2", True)]
    assert [result.exit_code for result in results(steps)] == [0, 0]
    assert [result.output for result in results(steps)] == ["ok", "ok"]


def test_history_copied_into_a_fork_names_the_same_responses_and_calls(tmp_path: Path) -> None:
    parent = Rollout("s-1")
    parent.turn("turn-1", "go")
    parent.call("c1", "shell", command=["make"])
    parent.output("c1", "Exit code: 0\nWall time: 0 seconds\nOutput:\nok")
    parent.tokens((100, 0, 10, 0), (100, 0, 10, 0))
    fork = Rollout("s-2", forked_from_id="s-1")
    fork.lines += parent.lines
    fork.turn("turn-2", "on")
    fork.message("assistant", "a")
    fork.tokens((150, 0, 15, 0), (50, 0, 5, 0))
    one, two = read(parent.write(tmp_path)), read(fork.write(tmp_path, "rollout-fork.jsonl"))
    assert two[0].session_id == "s-2"
    keys = [[(usage.message_id, usage.request_id) for usage in usages(steps)] for _, steps in (one, two)]
    assert keys[1][:1] == keys[0]
    assert len(set(keys[1])) == 2
    assert [call.id for step in two[1] for call in step.calls] == ["c1"]


def test_copied_history_without_turns_is_counted_for_the_session_it_is_of(tmp_path: Path) -> None:
    parent = Rollout("s-1")
    parent.message("assistant", "a")
    parent.tokens((100, 0, 10, 0), (100, 0, 10, 0))
    fork = Rollout("s-2")
    fork.lines += parent.lines
    keys = [
        [(usage.message_id, usage.request_id) for usage in usages(read(path)[1])]
        for path in (parent.write(tmp_path), fork.write(tmp_path, "rollout-fork.jsonl"))
    ]
    assert keys[0] == keys[1]


def test_a_command_that_goes_on_ends_with_the_last_reading_of_its_session(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.turn("turn-1", "go")
    rollout.call("c1", "exec_command", cmd="npm test")
    rollout.output("c1", "Chunk ID: a\nWall time: 1 seconds\nProcess running with session ID 42\nOutput:\nstart\n")
    rollout.call("w1", "write_stdin", session_id=42, chars="")
    rollout.output("w1", "Chunk ID: b\nWall time: 1 seconds\nProcess running with session ID 42\nOutput:\nmore\n")
    rollout.call("w2", "write_stdin", session_id=42, chars="")
    rollout.output("w2", "Chunk ID: c\nWall time: 1 seconds\nProcess exited with code 1\nOutput:\n1 failed\n")
    _, steps = read(rollout.write(tmp_path))
    found = results(steps)
    assert [(result.call_id, result.pending, result.exit_code) for result in found] == [
        ("c1", True, None),
        ("w1", False, None),
        ("w2", False, None),
        ("c1", False, 1),
    ]
    assert [result.is_error for result in found[-2:]] == [None, True]
    assert found[-1].output == "start\nmore\n1 failed\n"
    assert [call.kind for step in steps for call in step.calls] == [ToolKind.SHELL, ToolKind.OTHER, ToolKind.OTHER]


PATCH = """*** Begin Patch
*** Update File: a.py
@@ def f():
 kept
-old
+new
*** Add File: b.py
+line
*** Delete File: c.py
*** End Patch
"""


@pytest.mark.parametrize(
    "write",
    [
        lambda rollout: rollout.patch("c1", PATCH),
        lambda rollout: rollout.call("c1", "apply_patch", input=PATCH),
        lambda rollout: rollout.call("c1", "shell", command=["apply_patch", PATCH]),
        lambda rollout: rollout.call("c1", "shell", command=["bash", "-lc", f"apply_patch <<'EOF'\n{PATCH}EOF\n"]),
        lambda rollout: rollout.call("c1", "exec_command", cmd=f"cd /repo && apply_patch <<'EOF'\n{PATCH}EOF\n"),
    ],
)
def test_a_patch_gives_the_edits_of_its_files(tmp_path: Path, write: Callable[[Rollout], None]) -> None:
    rollout = Rollout()
    write(rollout)
    [step] = read(rollout.write(tmp_path))[1]
    [call] = step.calls
    assert (call.kind, call.target) == (ToolKind.EDIT, "a.py")
    assert call.edits == [
        FileEdit("a.py", "old\n", "new\n"),
        FileEdit("b.py", "", "line\n", "line\n"),
        FileEdit("c.py", None, None),
    ]


def test_a_patch_that_failed_changed_nothing(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.patch("c1", PATCH)
    rollout.add("event_msg", type="patch_apply_end", call_id="c1", success=False)
    rollout.output("c1", "apply_patch verification failed: Failed to find expected lines in a.py")
    rollout.patch("c2", PATCH)
    rollout.output("c2", "Exit code: 0\nWall time: 0 seconds\nOutput:\nSuccess. Updated the following files:\nM a.py\n")
    found = results(read(rollout.write(tmp_path))[1])
    assert [(result.is_error, result.edits) for result in found] == [(True, []), (False, None)]


@pytest.mark.parametrize(
    ("output", "exit_code", "is_error", "cancelled", "timed_out"),
    [
        ("aborted by user after 29.7s", None, True, True, False),
        ("Wall time: 29.7 seconds\naborted by user", None, True, True, False),
        ("exec command rejected by user", None, True, True, False),
        (
            f"exec_command failed for `/bin/bash -lc 'cat > a.txt {'x' * 80}'`: "
            'CreateProcess { message: "Rejected(\\"rejected by user\\")" }',
            None,
            True,
            True,
            False,
        ),
        (
            'exec_command failed: CreateProcess { message: "Rejected(\\"`rm x` rejected: blocked by policy\\")" }',
            None,
            True,
            True,
            False,
        ),
        ('exec_command failed: CreateProcess { message: "No such file or directory" }', None, True, False, False),
        (
            "Exit code: 124\nWall time: 10 seconds\nOutput:\ncommand timed out after 10000 milliseconds\n",
            124,
            True,
            False,
            True,
        ),
        ("failed to parse function arguments: missing field `cmd`", None, True, False, False),
        ("Exit code: 0\nWall time: 1 seconds\nTotal output lines: 9\nOutput:\naborted", 0, False, False, False),
        ("Wall time: 4.3 seconds\nOutput:\n[]", None, None, False, False),
        ({"content": "no such tool", "success": False}, None, True, False, False),
        ([{"type": "input_text", "text": "shown"}], None, None, False, False),
    ],
)
def test_outputs_tell_how_a_call_ended(
    tmp_path: Path, output: Any, exit_code: int | None, is_error: bool | None, cancelled: bool, timed_out: bool
) -> None:
    rollout = Rollout()
    rollout.call("c1", "shell_command", command="make")
    rollout.output("c1", output)
    [found] = results(read(rollout.write(tmp_path))[1])
    assert (found.exit_code, found.is_error, found.cancelled, found.timed_out) == (
        exit_code,
        is_error,
        cancelled,
        timed_out,
    )


def test_an_event_tells_the_exit_code_that_an_output_lacks(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.add(
        "response_item",
        type="local_shell_call",
        call_id="c1",
        status="completed",
        action={"type": "exec", "command": ["bash", "-lc", "make"], "timeout_ms": 5000, "working_directory": "/w"},
    )
    rollout.add("event_msg", type="exec_command_end", call_id="c1", exit_code=2, aggregated_output="boom")
    rollout.output("c1", "boom")
    _, steps = read(rollout.write(tmp_path))
    [call] = steps[0].calls
    assert (call.kind, call.command, call.cwd, call.timeout_s) == (ToolKind.SHELL, "make", "/w", 5.0)
    [result] = results(steps)
    assert (result.exit_code, result.is_error, result.output) == (2, True, "boom")


def test_words_of_a_command_are_quoted_where_they_need_it(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.call("c1", "shell", command=["pytest", "-k", "a or b", "it's"])
    [step] = read(rollout.write(tmp_path))[1]
    assert step.calls[0].command == "pytest -k 'a or b' 'it'\"'\"'s'"


def test_prompts_are_told_once_with_or_without_events(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.message("user", "<environment_context>\n  <cwd>/repo</cwd>\n</environment_context>")
    rollout.message("user", "one")
    rollout.message("assistant", "a")
    rollout.turn("turn-1", "two")
    rollout.add(
        "event_msg", type="user_message", message="# Context from my IDE setup:\n\n## My request for Codex:\nthree\n"
    )
    rollout.message("user", "last")
    _, steps = read(rollout.write(tmp_path))
    assert [step.text for step in steps if step.source is StepSource.HUMAN] == ["one", "two", "three", "last"]


def test_a_prompt_told_by_an_item_as_well_is_told_once(tmp_path: Path) -> None:
    rollout = Rollout()
    for turn, kinds in (("turn-1", ("item", "event")), ("turn-2", ("event", "item")), ("turn-3", ("item",))):
        rollout.turn(turn)
        rollout.message("user", "go")
        for kind in kinds:
            if kind == "event":
                rollout.add("event_msg", type="user_message", message="go")
            else:
                rollout.item("UserMessage", id="u", content=[{"type": "text", "text": "go", "text_elements": []}])
    steps = read(rollout.write(tmp_path))[1]
    assert [(step.ref, step.text) for step in steps] == [("turn-1", "go"), ("turn-2", "go"), ("turn-3", "go")]


def scripted(rollout: Rollout, call_id: str) -> None:
    """A call of code mode, as far as the model sees it."""
    script = 'const r = await tools.exec_command({cmd: "go test ./..."}); text(r.output);'
    rollout.add("response_item", type="custom_tool_call", name="exec", input=script, call_id=call_id)


def script_ended(rollout: Rollout, call_id: str) -> None:
    said = [{"type": "input_text", "text": "Script completed\nWall time 0.5 seconds\nOutput:\n"}]
    rollout.add("response_item", type="custom_tool_call_output", call_id=call_id, output=said)


def test_what_a_script_of_the_model_ran_is_a_call_with_its_result(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.turn("turn-1", "go")
    scripted(rollout, "c1")
    rollout.command("exec-1", "go test ./...", "FAIL\n", 1, cwd="file:///repo/a%20b")
    rollout.item(
        "FileChange",
        id="exec-2",
        status="completed",
        changes={
            "/repo/a.go": {"type": "update", "unified_diff": "@@ -1,2 +1,2 @@\n kept\n-old\n+new\n", "move_path": None},
            "/repo/b.go": {"type": "add", "content": "line\n"},
            "/repo/c.go": {"type": "delete", "content": "gone\n"},
            "/repo/d.go": {"type": "update", "unified_diff": "@@ -1 +1 @@\n-x\n+y\n", "move_path": "/repo/e.go"},
        },
        stdout="Success.",
        stderr="",
    )
    script_ended(rollout, "c1")
    rollout.command("exec-3", "go vet", "", 0)
    rollout.tokens((100, 0, 10, 0), (100, 0, 10, 0))
    rollout.message("assistant", "done")
    steps = read(rollout.write(tmp_path))[1]
    assert [(step.calls[0].id, step.usage is not None) for step in steps if step.calls] == [
        ("c1", True),
        ("exec-1", False),
        ("exec-2", False),
        ("exec-3", False),
    ]
    calls = {call.id: call for step in steps for call in step.calls}
    assert [call.kind for call in calls.values()] == [
        ToolKind.OTHER,
        ToolKind.SHELL,
        ToolKind.EDIT,
        ToolKind.SHELL,
    ]
    assert (calls["exec-1"].command, calls["exec-1"].cwd) == ("go test ./...", "/repo/a b")
    assert calls["exec-2"].edits == [
        FileEdit("/repo/a.go", "old\n", "new\n"),
        FileEdit("/repo/b.go", "", "line\n", "line\n"),
        FileEdit("/repo/c.go", None, None),
        FileEdit("/repo/d.go", None, None),
        FileEdit("/repo/e.go", "x\n", "y\n"),
    ]
    assert [(result.call_id, result.exit_code, result.is_error, result.output) for result in results(steps)] == [
        ("exec-1", 1, True, "FAIL\n"),
        ("exec-2", None, False, "Success."),
        ("c1", None, None, "Script completed\nWall time 0.5 seconds\nOutput:\n"),
        ("exec-3", 0, False, ""),
    ]


@pytest.mark.parametrize(
    ("status", "exit_code", "printed", "cancelled", "is_error"),
    [
        ("declined", -1, "", True, True),
        ("failed", -1, "", True, True),
        ("failed", -1, "2 passed", False, None),
        ("failed", 2, "", False, True),
    ],
)
def test_what_a_script_could_not_run_is_cancelled(
    tmp_path: Path, status: str, exit_code: int, printed: str, cancelled: bool, is_error: bool | None
) -> None:
    rollout = Rollout()
    scripted(rollout, "c1")
    rollout.command("exec-1", "make", printed, exit_code, status=status)
    rollout.item("FileChange", id="exec-2", status="declined", changes={"a": {"type": "add", "content": "x"}})
    command, patch = results(read(rollout.write(tmp_path))[1])
    assert (command.exit_code, command.cancelled) == (None if exit_code < 0 else exit_code, cancelled)
    assert command.is_error is is_error
    assert (patch.cancelled, patch.edits) == (True, [])


def test_an_item_about_a_call_of_the_models_own_adds_to_its_output_only(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.call("c1", "exec_command", cmd="make")
    rollout.command("c1", "make", "boom", 2)
    rollout.output("c1", "boom")
    rollout.call("c2", "exec_command", cmd="npm test")
    rollout.output("c2", "Process running with session ID 42\nOutput:\nstart\n")
    rollout.command("c2", "npm test", "start\n1 failed\n", 1)
    rollout.command("c2", "npm test", "start\n1 failed\n", 1)
    rollout.command("typed", "npm test", "", 0, source="unified_exec_interaction")
    rollout.command("own", "npm test", "", 1, source="user_shell")
    report = ImportReport()
    steps = read(rollout.write(tmp_path), report)[1]
    assert [call.id for step in steps for call in step.calls] == ["c1", "c2"]
    assert [(result.call_id, result.exit_code, result.output) for result in results(steps)] == [
        ("c1", 2, "boom"),
        ("c2", None, "start\n"),
        ("c2", 1, "start\n1 failed\n"),
    ]
    assert report.skipped == {"command of unified_exec_interaction": 1, "command of user_shell": 1}


def test_scripts_of_which_nothing_is_told_are_counted(tmp_path: Path) -> None:
    rollout = Rollout()
    for call_id in ("c1", "c2"):
        scripted(rollout, call_id)
        script_ended(rollout, call_id)
    rollout.add("event_msg", type="patch_apply_end", call_id="p1", success=True, changes={"/a": {"type": "delete"}})
    report = ImportReport()
    read(rollout.write(tmp_path), report)
    assert report.skipped == {"script whose commands are not told": 2}


def test_a_session_of_code_mode_is_cut_at_the_checks_of_its_scripts(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.turn("turn-1", "make the tests pass")
    scripted(rollout, "c1")
    rollout.command("exec-1", "pytest -q", "FAILED tests/test_a.py::test_x - KeyError: 'name'\n1 failed in 0.1s\n", 1)
    script_ended(rollout, "c1")
    scripted(rollout, "c2")
    change = {"type": "update", "unified_diff": "@@ -1 +1 @@\n-old\n+new\n"}
    rollout.item("FileChange", id="exec-2", status="completed", changes={"/repo/a.py": change})
    rollout.command("exec-3", "pytest -q", "1 passed in 0.1s\n", 0)
    script_ended(rollout, "c2")
    failed, passed = attempts_of(CodexImporter(), rollout.write(tmp_path), ImportReport())
    assert [(one.verdict, one.exit_code) for one in failed.verifications] == [(Verdict.FAIL, 1)]
    assert [(one.verdict, one.exit_code) for one in passed.verifications] == [(Verdict.PASS, 0)]
    assert [(edit.path, edit.before, edit.after) for edit in passed.edits] == [("/repo/a.py", "old\n", "new\n")]
    assert passed.parent_attempt_id == failed.attempt_id
    assert (failed.model_used, passed.model_used) == ("gpt-x", "gpt-x")


@pytest.mark.parametrize("spaced", [False, True])
def test_items_of_other_kinds_are_counted(tmp_path: Path, spaced: bool) -> None:
    rollout = Rollout()
    rollout.item("AgentMessage", id="m", content=[])
    rollout.item("InventedTomorrow", id="i")
    path = rollout.write(tmp_path)
    if spaced:
        path.write_text("".join(json.dumps(line) + "\n" for line in rollout.lines))
    report = ImportReport()
    assert read(path, report)[1] == []
    assert report.skipped == {"item AgentMessage": 1, "item InventedTomorrow": 1}


def test_interruptions_and_errors_of_the_service_are_told(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.turn("turn-1", "go")
    rollout.add(
        "event_msg", type="stream_error", message="Reconnecting... 1/5", codex_error_info={"http": {"status": 502}}
    )
    rollout.add("event_msg", type="error", message="usage limit", codex_error_info="usage_limit_exceeded")
    rollout.add("event_msg", type="turn_aborted", turn_id="turn-1", reason="interrupted")
    rollout.add("event_msg", type="turn_aborted", turn_id="turn-1", reason="replaced")
    _, steps = read(rollout.write(tmp_path))
    assert [(step.api_error.kind, step.api_error.message) for step in steps if step.api_error] == [
        ("http", "Reconnecting... 1/5"),
        ("usage_limit_exceeded", "usage limit"),
    ]
    assert [step.interrupted for step in steps] == [False, False, False, True]


def test_a_sub_agents_rollout_names_its_parent(tmp_path: Path) -> None:
    rollout = Rollout("s-2", source={"subagent": {"thread_spawn": {"parent_thread_id": "s-1", "depth": 1}}})
    rollout.message("assistant", "a")
    run, _ = read(rollout.write(tmp_path))
    assert (run.agent_type, run.parent_session_id, run.parent_call_id) == ("subagent", "s-1", "s-2")


def test_every_form_that_names_a_started_sub_agent_is_told(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.call("c1", "spawn_agent", message="look")
    rollout.output("c1", json.dumps({"agent_id": "a-1", "nickname": "Ann"}))
    rollout.call("c2", "spawn_agent", message="look")
    rollout.output("c2", "collab spawn failed: agent thread limit reached")
    rollout.add("event_msg", type="collab_agent_spawn_end", call_id="c3", new_thread_id="a-3", status="running")
    rollout.add("event_msg", type="collab_agent_spawn_end", call_id="c3", new_thread_id=None, status="not_found")
    for kind in ("started", "interacted", "completed"):
        rollout.add("event_msg", type="sub_agent_activity", event_id="c4", agent_thread_id="a-4", kind=kind)
        rollout.item("SubAgentActivity", id="c5", agent_thread_id="a-5", kind=kind)
    for tool in ("spawnAgent", "wait"):
        rollout.item("CollabAgentToolCall", id="c6", tool=tool, receiver_thread_ids=["a-6"], status="completed")
    steps = read(rollout.write(tmp_path))[1]
    assert [step.started for step in steps if step.started] == ["a-1", "a-3", "a-4", "a-5", "a-6"]


def test_damaged_and_unknown_lines_cost_themselves(tmp_path: Path) -> None:
    rollout = Rollout()
    rollout.add("event_msg", type="agent_reasoning", text="x")
    rollout.add("invented_tomorrow", x=1)
    rollout.add("response_item", type="function_call", name="shell", arguments="{broken", call_id="c1")
    rollout.message("assistant", "a")
    path = rollout.write(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"text":"a"', b'"text":"a\x00b"') + b'{"timestamp":"2026')
    report = ImportReport()
    _, steps = read(path, report)
    assert [(len(step.calls), step.text) for step in steps] == [(1, ""), (0, "a\ufffdb")]
    assert report.skipped == {"type agent_reasoning": 1, "type invented_tomorrow": 1}
    assert [problem.reason for problem in report.problems] == ["truncated line"]


def test_usage_of_the_real_sessions_equals_their_metadata(shared_data: Callable[[str], Path]) -> None:
    compared = 0
    for path in sorted(shared_data("codex_copilot_agentv").glob("Codex/*/*/full.jsonl")):
        told = json.loads((path.parent / "metadata.json").read_text(encoding="utf-8"))
        start, end = told.get("checkpoint_transcript_start", 0), datetime.fromisoformat(told["created_at"])
        counted = [
            step.usage
            for step in read(path)[1]
            if step.usage and step.usage.at and step.usage.at <= end and step.line is not None and step.line > start
        ]
        assert {
            "input_tokens": sum(usage.tokens_input for usage in counted),
            "cache_creation_tokens": sum(
                usage.tokens_cache_write_5m + usage.tokens_cache_write_1h for usage in counted
            ),
            "cache_read_tokens": sum(usage.tokens_cache_read for usage in counted),
            "output_tokens": sum(usage.tokens_output for usage in counted),
            "api_call_count": len({(usage.message_id, usage.request_id) for usage in counted}),
        } == told["token_usage"], path
        compared += 1
    assert compared == 4


def test_a_session_at_two_lengths_begins_with_the_same_work(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("codex_copilot_agentv") / "Codex" / "019ed50c-2fb3-7002-a384-360bea6e7f04"
    short, long = sorted((read(path) for path in folder.glob("*/full.jsonl")), key=lambda item: len(item[1]))
    assert short[0].session_id == long[0].session_id
    counted = [
        [(usage.message_id, usage.request_id, usage.total) for usage in usages(steps)] for _, steps in (short, long)
    ]
    assert counted[0] == counted[1][: len(counted[0])]
    calls = [[call.id for step in steps for call in step.calls] for _, steps in (short, long)]
    assert calls[0] == calls[1][: len(calls[0])]
