"""A sub-agent's attempts name the task that started it, whichever file is read first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.registry import importer_for
from debug_loop_pipeline.steps.importing import _SubagentTasks

SESSION = "5e551017-0000-4000-8000-000000000001"


def line(number: int, kind: str, content: object, **more: object) -> str:
    message = {"role": kind, "content": content} | (
        {"id": f"msg_{number}", "model": "m"} if kind == "assistant" else {}
    )
    record = {
        "uuid": f"u{number}",
        "parentUuid": f"u{number - 1}" if number else None,
        "sessionId": SESSION,
        "type": kind,
        "timestamp": f"2026-03-01T10:00:{number:02d}Z",
        "message": message,
        "isSidechain": False,
    }
    return json.dumps(record | more)


@pytest.fixture
def transcripts(tmp_path: Path) -> tuple[Path, Path]:
    call = {"type": "tool_use", "id": "toolu_start", "name": "Task", "input": {"prompt": "Count the tests"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_start", "content": "agentId: a1\nthere are 3"}
    parent = tmp_path / f"{SESSION}.jsonl"
    parent.write_text(
        "\n".join(
            (line(0, "user", "How many tests are there?"), line(1, "assistant", [call]), line(2, "user", [result]))
        )
    )
    child = tmp_path / SESSION / "subagents" / "agent-a1.jsonl"
    child.parent.mkdir(parents=True)
    run = {"type": "tool_use", "id": "toolu_run", "name": "Bash", "input": {"command": "pytest -q"}}
    ran = {"type": "tool_result", "tool_use_id": "toolu_run", "content": "3 passed in 0.1s"}
    child.write_text(
        "\n".join(
            line(number, kind, content, isSidechain=True, agentId="a1")
            for number, kind, content in (
                (10, "user", "Count the tests"),
                (11, "assistant", [run]),
                (12, "user", [ran]),
            )
        )
    )
    return parent, child


@pytest.mark.parametrize("parent_first", [True, False])
def test_the_parents_task_is_known_in_either_order(transcripts: tuple[Path, Path], parent_first: bool) -> None:
    importer, tasks = importer_for("claude-code"), _SubagentTasks()
    order = transcripts if parent_first else tuple(reversed(transcripts))
    events = {}
    for path in order:
        events[path] = list(tasks.attempts_of(importer, path, ImportReport(), "0" * 64))
    parent, child = transcripts
    assert {e.parent_correlation_id for e in events[child]} == {events[parent][0].correlation_id}
    assert events[parent][0].parent_correlation_id is None
