"""Ids of tasks and attempts."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

from debug_loop_pipeline.models.identity import attempt_id, correlation_id


def test_ids_are_version_5_of_the_projects_namespace() -> None:
    namespace = uuid5(NAMESPACE_URL, "urn:debug-loop-pipeline")
    for number in range(200):
        made = attempt_id("claude-code", f"toolu_{number}")
        assert made == uuid5(namespace, f"attempt\x1fclaude-code\x1ftoolu_{number}")
        assert UUID(str(made)) == made


def test_an_attempt_and_a_task_of_one_id_differ_and_so_do_formats() -> None:
    assert len({attempt_id("codex", "1"), correlation_id("codex", "1"), attempt_id("pi", "1")}) == 3
