"""What Claude Code's calls and results mean."""

from __future__ import annotations

from typing import Any

import pytest

from debug_loop_pipeline.importers.claude_code_tools import apply_patch_lines, tool_call, tool_result
from debug_loop_pipeline.models.trajectory import FileEdit, ToolCall, ToolKind, ToolResult


def made(name: str, **given: Any) -> ToolCall:
    return tool_call({"type": "tool_use", "id": "t1", "name": name, "input": given}, "/repo")


def result(call: ToolCall, content: Any, details: Any = None, **more: Any) -> ToolResult:
    return tool_result({"tool_use_id": "t1", "content": content, **more}, call, details)


@pytest.mark.parametrize(
    ("name", "given", "kind", "target"),
    [
        ("Bash", {"command": "ls"}, ToolKind.SHELL, None),
        ("Edit", {"file_path": "/a", "old_string": "x", "new_string": "y"}, ToolKind.EDIT, "/a"),
        ("Write", {"file_path": "/a", "content": "y"}, ToolKind.EDIT, "/a"),
        ("MultiEdit", {"file_path": "/a", "edits": [{"old_string": "x", "new_string": "y"}]}, ToolKind.EDIT, "/a"),
        ("NotebookEdit", {"notebook_path": "/n", "new_source": "y"}, ToolKind.EDIT, "/n"),
        ("Read", {"file_path": "/a"}, ToolKind.READ, "/a"),
        ("Grep", {"pattern": "x", "path": "/d"}, ToolKind.SEARCH, "x"),
        ("LS", {"path": "/d"}, ToolKind.SEARCH, "/d"),
        ("Task", {"subagent_type": "Explore", "prompt": "p"}, ToolKind.SUBAGENT, "Explore"),
        ("Agent", {"prompt": "p"}, ToolKind.SUBAGENT, None),
        ("mcp__server__run_tests", {"command": "x"}, ToolKind.OTHER, None),
        ("TodoWrite", {"todos": []}, ToolKind.OTHER, None),
    ],
)
def test_tools_are_sorted_by_what_they_do(name: str, given: dict[str, Any], kind: ToolKind, target: str | None) -> None:
    call = made(name, **given)
    assert (call.kind, call.target) == (kind, target)


def test_a_failed_command_has_its_exit_code_and_the_output_without_it() -> None:
    failed = result(made("Bash", command="x"), "Exit code 2\nboom", "Error: Exit code 2\nboom", is_error=True)
    assert (failed.exit_code, failed.output, failed.is_error, failed.cancelled) == (2, "boom", True, False)


def test_a_missing_mark_of_failure_is_no_failure() -> None:
    done = result(made("Bash", command="x"), "fine", {"stdout": "fine", "interrupted": False})
    assert (done.exit_code, done.is_error) == (0, False)


def test_an_exit_code_that_the_tool_excuses_is_not_told_as_zero() -> None:
    done = result(made("Bash", command="grep x y"), "", {"stdout": "", "returnCodeInterpretation": "No matches found"})
    assert (done.exit_code, done.is_error) == (None, False)


@pytest.mark.parametrize(
    "content",
    [
        "The user doesn't want to proceed with this tool use. The tool use was rejected.",
        "Permission to use Bash with command rm -rf / has been denied.",
        "Permission to read /etc/shadow has been denied.",
        "Permission for this action has been denied. Reason: [External Code] installs what nobody asked for.",
        "Permission for this action was denied by the Claude Code auto mode classifier. Reason: [Destructive].",
        "Permission for this tool use was denied. The tool use was rejected. The user said:\nno",
        "This command requires approval",
        "This Bash command contains multiple operations. The following part requires approval: pip install x",
        "This PowerShell command contains multiple operations. The following parts require approval: a, b",
        "ls in '/home/u' was blocked. For security, Claude Code may only list files in the allowed working directories",
        "some-model[1m] is temporarily unavailable, so auto mode cannot determine the safety of Bash right now.",
        "Hook PreToolUse:Bash denied this tool",
        "PreToolUse:Bash hook error: [guard.sh]: no network here",
        "[Request interrupted by user for tool use]",
        "<tool_use_error>Sibling tool call errored</tool_use_error>",
        "<tool_use_error>Cancelled: parallel tool call Bash(make) errored</tool_use_error>",
    ],
)
def test_what_a_person_refused_or_never_ran_is_cancelled(content: str) -> None:
    call = made("Edit", file_path="/a", old_string="x", new_string="y")
    refused = result(call, content, f"Error: {content}", is_error=True)
    assert refused.cancelled
    assert refused.exit_code is None
    assert refused.edits == []
    assert "tool_use_error" not in refused.output


def test_a_denial_that_is_told_beside_the_text_needs_no_known_words() -> None:
    call = made("Bash", command="pip install x")
    block = {"type": "tool_result", "tool_use_id": call.id, "content": "Not allowed here", "is_error": True}
    assert tool_result(block, call, "Error: Not allowed here", "automode-blocked").cancelled
    assert not tool_result(block, call, "Error: Not allowed here").cancelled


@pytest.mark.parametrize(
    "said",
    ["Permission to use the file was denied", "This command requires approval", "PreToolUse:Bash hook error: x"],
)
def test_an_error_that_only_speaks_of_permissions_is_no_denial(said: str) -> None:
    failed = result(made("Bash", command="x"), f"Exit code 1\n{said}", is_error=True)
    assert (failed.cancelled, failed.exit_code) == (False, 1)


def test_an_interrupted_command_is_cancelled_and_one_over_its_time_is_not() -> None:
    stopped = result(made("Bash", command="x"), "half", {"stdout": "half", "interrupted": True})
    assert (stopped.cancelled, stopped.exit_code) == (True, None)
    slow = result(made("Bash", command="x"), "Exit code 143\nCommand timed out after 2m 0s\nhalf", is_error=True)
    assert (slow.timed_out, slow.cancelled, slow.is_error) == (True, False, True)


def test_an_output_that_mentions_a_time_limit_of_its_own_is_not_over_time() -> None:
    failed = result(made("Bash", command="x"), "Exit code 1\nCommand timed out after 5s (in the test)", is_error=True)
    assert not failed.timed_out


def test_text_blocks_are_joined_and_images_left_out() -> None:
    blocks = [{"type": "text", "text": "a"}, {"type": "image", "source": {}}, {"type": "text", "text": "b"}]
    assert result(made("Read", file_path="/a"), blocks).output == "a\nb"


def test_an_edit_carries_the_whole_file_after_it() -> None:
    call = made("Edit", file_path="a.py", old_string="x", new_string="y")
    details = {
        "filePath": "/repo/a.py",
        "oldString": "x",
        "newString": "y",
        "originalFile": "x\nx\n",
        "replaceAll": False,
    }
    assert result(call, "ok", details).edits == [FileEdit("/repo/a.py", "x", "y", "y\nx\n")]
    details["replaceAll"] = True
    assert result(call, "ok", details).edits == [FileEdit("/repo/a.py", "x", "y", "y\ny\n")]


def test_an_edit_without_the_file_before_it_is_as_the_call_says() -> None:
    call = made("Edit", file_path="/a", old_string="x", new_string="y")
    assert call.edits == [FileEdit("/a", "x", "y")]
    assert result(call, "ok", {"filePath": "/a"}).edits is None
    assert result(call, "no match", "Error", is_error=True).edits == []


def test_an_edit_that_the_person_changed_is_taken_from_the_patch() -> None:
    call = made("Edit", file_path="/a", old_string="b", new_string="B")
    details = {
        "filePath": "/a",
        "oldString": "b",
        "newString": "B",
        "originalFile": "a\nb\nc",
        "userModified": True,
        "structuredPatch": [
            {"oldStart": 1, "oldLines": 3, "newStart": 1, "newLines": 3, "lines": [" a", "-b", "+better", " c"]}
        ],
    }
    assert result(call, "ok", details).edits == [FileEdit("/a", "a\nb\nc", "a\nbetter\nc", "a\nbetter\nc")]


def test_a_written_file_is_known_whole_and_a_new_one_replaces_nothing() -> None:
    call = made("Write", file_path="/a", content="new\n")
    assert call.edits == [FileEdit("/a", None, "new\n", "new\n")]
    created = result(call, "ok", {"type": "create", "filePath": "/a", "content": "new\n", "originalFile": None})
    assert created.edits == [FileEdit("/a", "", "new\n", "new\n")]
    updated = result(call, "ok", {"type": "update", "filePath": "/a", "content": "new\n", "originalFile": "old\n"})
    assert updated.edits == [FileEdit("/a", "old\n", "new\n", "new\n")]


def test_several_edits_of_one_file_end_in_its_final_content() -> None:
    call = made(
        "MultiEdit",
        file_path="/a",
        edits=[
            {"old_string": "x", "new_string": "y", "replace_all": True},
            {"old_string": "y z", "new_string": "w"},
        ],
    )
    details = {
        "filePath": "/a",
        "originalFileContents": "x x z",
        "edits": [
            {"old_string": "x", "new_string": "y", "replace_all": True},
            {"old_string": "y z", "new_string": "w", "replace_all": False},
        ],
    }
    assert result(call, "ok", details).edits == [FileEdit("/a", "x", "y"), FileEdit("/a", "y z", "w", "y w")]


def test_notebook_cells_are_inserted_replaced_and_deleted() -> None:
    given: dict[str, Any] = {"notebook_path": "/n", "new_source": "code"}
    assert made("NotebookEdit", **given).edits == [FileEdit("/n", None, "code")]
    assert made("NotebookEdit", **given, edit_mode="insert").edits == [FileEdit("/n", "", "code")]
    assert made("NotebookEdit", **given, edit_mode="delete").edits == [FileEdit("/n", None, "")]


def test_a_patch_keeps_the_tabs_that_it_shows_as_spaces() -> None:
    original = "func f() {\n\tif x {\n\t\ty()\n\t}\n}\n"
    patch = [
        {
            "oldStart": 2,
            "oldLines": 3,
            "newStart": 2,
            "newLines": 4,
            "lines": ["   if x {", "-    y()", "+    z()", "+    w()", "   }"],
        }
    ]
    assert apply_patch_lines(original, patch) == "func f() {\n\tif x {\n\t\tz()\n\t\tw()\n\t}\n}\n"


@pytest.mark.parametrize(
    "patch",
    [
        None,
        [],
        ["x"],
        [{"oldStart": 9, "oldLines": 1, "lines": [" a"]}],
        [{"oldStart": "1", "oldLines": 1, "lines": []}],
    ],
)
def test_a_patch_that_does_not_fit_changes_nothing(patch: Any) -> None:
    assert apply_patch_lines("a\n", patch) is None


@pytest.mark.parametrize("given", [None, [], "text", {"command": 5}, {"edits": "x", "file_path": 3}])
def test_malformed_inputs_are_calls_that_tell_nothing(given: Any) -> None:
    for name in ("Bash", "Edit", "MultiEdit", "Write", "Read", "Task"):
        call = tool_call({"id": "t", "name": name, "input": given}, None)
        assert (call.command, call.edits) == (None, [])
