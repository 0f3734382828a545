from __future__ import annotations

from typing import Any

import pytest

from debug_loop_pipeline.importers.diffs import changed_parts, diff_edits, envelope_edits, search_replace_blocks
from debug_loop_pipeline.importers.documents import fingerprint, parse_time
from debug_loop_pipeline.importers.swebench_report import log_of_tests, report_verdict, repository_of
from debug_loop_pipeline.importers.tool_calls import tool_call
from debug_loop_pipeline.importers.usage import service_usage, split_model
from debug_loop_pipeline.models.trajectory import ToolKind


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("bash", {"command": "ls"}, ToolKind.SHELL),
        ("developer__shell", {"command": "ls"}, ToolKind.SHELL),
        ("functions.exec_command", {"cmd": "ls"}, ToolKind.SHELL),
        ("str_replace_editor", {"command": "view", "path": "a"}, ToolKind.READ),
        ("str_replace_editor", {"command": "create", "path": "a", "file_text": ""}, ToolKind.EDIT),
        ("Write-File", {"path": "a", "content": "x"}, ToolKind.EDIT),
        ("grep_search", {"query": "x"}, ToolKind.SEARCH),
        ("Task", {"prompt": "x"}, ToolKind.SUBAGENT),
        ("report_intent", {"intent": "x"}, ToolKind.OTHER),
    ],
)
def test_a_tools_kind_is_told_by_name_and_arguments(name: str, arguments: dict[str, Any], kind: ToolKind) -> None:
    assert tool_call("c", name, arguments).kind is kind


def test_arguments_of_editors_become_edits() -> None:
    def edits(name: str, arguments: dict[str, Any]) -> list[tuple[Any, ...]]:
        return [(e.path, e.before, e.after, e.content) for e in tool_call("c", name, arguments).edits]

    assert edits("write_file", {"file_path": "a", "content": "x"}) == [("a", None, "x", "x")]
    assert edits("create", {"path": "a", "file_text": "x"}) == [("a", "", "x", "x")]
    assert edits("edit", {"path": "a", "oldText": "1", "newText": "2"}) == [("a", "1", "2", None)]
    assert edits("str_replace_editor", {"command": "insert", "path": "a", "insert_line": 3, "new_str": "z"}) == [
        ("a", "", "z", None)
    ]
    assert edits("multi_edit", {"path": "a", "edits": [{"old_string": "1", "new_string": ""}]}) == [
        ("a", "1", "", None)
    ]
    assert edits("str_replace_editor", {"command": "undo_edit", "path": "a"}) == []
    assert edits("delete_file", {"path": "a"}) == [("a", None, None, None)]
    patch = "*** Begin Patch\n*** Update File: a\n@@\n-1\n+2\n*** End Patch"
    assert edits("apply_patch", {"input": patch}) == [("a", "1\n", "2\n", None)]
    assert tool_call("c", "shell", {"command": ["bash", "-lc", "pytest -q"]}).command == "pytest -q"


def test_a_unified_diff_gives_an_edit_for_each_stretch_of_changed_lines() -> None:
    text = (
        "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1,4 +1,4 @@\n-a\n+b\n c\n--- d\n+++ e\n f\n"
        "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1,2 @@\n+one\n+two\n"
        "--- a/gone.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-bye\n\\ No newline at end of file\n"
    )
    assert [(e.path, e.before, e.after, e.content) for e in diff_edits(text)] == [
        ("x.py", "a\n", "b\n", None),
        ("x.py", "-- d\n", "++ e\n", None),
        ("new.py", "", "one\ntwo\n", "one\ntwo\n"),
        ("gone.py", "bye\n", None, None),
    ]
    assert [(e.before, e.after) for e in diff_edits("--- a.py\n+++ a.py\n@@ ... @@\n x\n-1\n+2\n")] == [("1\n", "2\n")]


def test_a_patch_envelope_adds_updates_moves_and_deletes() -> None:
    text = (
        "*** Begin Patch\n*** Add File: n.py\n+x\n*** Update File: o.py\n*** Move to: p.py\n@@ def f\n a\n-b\n+c\n"
        "*** Delete File: d.py\n*** End Patch"
    )
    assert [(e.path, e.before, e.after) for e in envelope_edits(text)] == [
        ("n.py", "", "x\n"),
        ("o.py", None, None),
        ("p.py", "b\n", "c\n"),
        ("d.py", None, None),
    ]


def test_search_replace_blocks_take_the_file_named_last() -> None:
    text = (
        "a.py\n```python\n<<<<<<< SEARCH\n=======\nx\n>>>>>>> REPLACE\n"
        "<<<<<<< SEARCH\ny\n=======\n>>>>>>> REPLACE\n```\n"
        "**b.py**\n<source>\n<<<<<<< SEARCH\n1\n=======\n2\n>>>>>>> REPLACE\n</source>\n<<<<<<< SEARCH\ncut off\n"
    )
    assert [(b.path, b.search, b.replace) for b in search_replace_blocks(text)] == [
        ("a.py", "", "x\n"),
        ("a.py", "y\n", ""),
        ("b.py", "1\n", "2\n"),
    ]


def test_two_states_of_a_file_give_their_changed_parts() -> None:
    parts = changed_parts("a", "1\n2\n3\n4\n", "1\nx\n3\n4\n5\n")
    assert [(part.before, part.after) for part in parts] == [("2\n", "x\n"), ("", "5\n")]


def test_usage_of_each_service_ends_in_disjoint_buckets() -> None:
    def buckets(raw: dict[str, Any]) -> tuple[int, ...]:
        usage = service_usage(raw, message_id="m")
        assert usage is not None
        return (
            usage.tokens_input,
            usage.tokens_cache_read,
            usage.tokens_cache_write_5m,
            usage.tokens_cache_write_1h,
            usage.tokens_output,
            usage.tokens_reasoning,
        )

    assert buckets(
        {
            "prompt_tokens": 100,
            "completion_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 40},
            "completion_tokens_details": {"reasoning_tokens": 4},
        }
    ) == (60, 40, 0, 0, 9, 4)
    assert buckets(
        {"prompt_tokens": 100, "completion_tokens": 9, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 10}
    ) == (50, 40, 10, 0, 9, 0)
    assert buckets(
        {
            "input_tokens": 5,
            "output_tokens": 9,
            "cache_read_input_tokens": 40,
            "cache_creation_input_tokens": 10,
            "cache_creation": {"ephemeral_1h_input_tokens": 4},
        }
    ) == (5, 40, 6, 4, 9, 0)
    assert buckets({"input_tokens": 50, "output_tokens": 9, "input_tokens_details": {"cached_tokens": 40}}) == (
        10,
        40,
        0,
        0,
        9,
        0,
    )
    assert service_usage({"prompt_tokens": 0}, message_id="m") is None
    assert split_model("openrouter/anthropic/claude-3-opus") == ("claude-3-opus", "anthropic")


def test_reports_of_evaluations_are_read_in_every_form() -> None:
    status = {"FAIL_TO_PASS": {"success": [], "failure": ["a"]}, "PASS_TO_PASS": {"success": ["c"], "failure": ["b"]}}
    single = report_verdict({"x__y-1": {"resolved": False, "tests_status": status}}, "x__y-1")
    assert single is not None
    assert (single.passed, single.failing_tests) == (False, ["a", "b"])
    flat = report_verdict({"resolved": True, "tests_status": {}}, None)
    assert flat is not None
    assert flat.passed is True
    for key, passed in (("resolved_ids", True), ("unresolved_ids", False), ("error_ids", None)):
        whole = report_verdict({"total_instances": 2, key: ["x__y-1"]}, "x__y-1")
        assert whole is not None
        assert whole.passed is passed
    assert report_verdict({"resolved_ids": ["z__z-1"]}, "x__y-1") is None
    assert report_verdict([1], "x__y-1") is None
    assert log_of_tests("noise\n+ : '>>>>> Start Test Output'\nran\n+ : '>>>>> End Test Output'\nmore") == "ran\n"
    assert repository_of("django__django-11099") == "django/django"
    assert repository_of("pydantic__pydantic.acb0f10f.pr_8316") == "pydantic/pydantic"
    assert repository_of("my-task-7") is None


def test_times_are_aware_and_fingerprints_do_not_depend_on_key_order() -> None:
    for value in (
        "2026-01-01T00:00:00Z",
        "2026-01-01 00:00:00,000",
        1767225600,
        1767225600000,
        "2026-01-01T01:00:00+01:00",
    ):
        moment = parse_time(value)
        assert moment is not None
        assert moment.isoformat() == "2026-01-01T00:00:00+00:00"
    for nothing in (None, True, "", "yesterday", -1, float("nan"), 1e300):
        assert parse_time(nothing) is None
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({1: "a", "b": 2}, 10**40, "\ud800") != fingerprint({})
