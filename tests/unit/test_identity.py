"""Ids of tasks and attempts."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

import pytest

from debug_loop_pipeline.models.identity import attempt_id, correlation_id, in_session


def test_ids_are_version_5_of_the_projects_namespace() -> None:
    namespace = uuid5(NAMESPACE_URL, "urn:debug-loop-pipeline")
    for number in range(200):
        made = attempt_id("claude-code", f"toolu_{number}")
        assert made == uuid5(namespace, f"attempt\x1fclaude-code\x1ftoolu_{number}")
        assert UUID(str(made)) == made


def test_an_attempt_and_a_task_of_one_id_differ_and_so_do_formats() -> None:
    assert len({attempt_id("codex", "1"), correlation_id("codex", "1"), attempt_id("pi", "1")}) == 3


@pytest.mark.parametrize(
    "numbered",
    ["Bash_0", "functions.bash:3", "functions.mcp__context7__resolveLibrary:12", "call_1", "call_0_1", "tool-call-31", "7", "MCP_2"],
)  # fmt: skip
def test_an_id_that_is_numbered_anew_in_each_conversation_counts_with_its_session(numbered: str) -> None:
    assert len({attempt_id("pi", in_session(numbered, session)) for session in ("s-1", "s-2", None)}) == 3
    assert in_session(numbered, "") == numbered


@pytest.mark.parametrize(
    "unique",
    [
        "toolu_01Kz9YqVbT4mWnXc2RpLs7Hd",
        "call_aBcdEFghIJklMNopQRstUVwx",
        "tooluse_kZJMlvQmRJ6eAyJE5GIl7Q",
        "chatcmpl-tool-0123456789abcdef0123456789abcdef",
        "550e8400-e29b-41d4-a716-446655440000",
        "run_shell_command-1751234567890-0",
        "call_12345678",
        "D681PevKs",
        "2026-05-01T10:00:00.000Z",
        "msg_01XyZ",
        "s-1#3/call_1",
        "a1" * 50_000,
        "-" * 100_000,
    ],
)
def test_an_id_that_is_unique_by_itself_stays_as_it_is(unique: str) -> None:
    assert in_session(unique, "s-1") == unique
