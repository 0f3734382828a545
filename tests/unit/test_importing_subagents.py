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


PARENT = "019b7d80-9f20-7000-8000-000000000001"
CHILD = "019b7d80-9f20-7000-8000-000000000002"


@pytest.fixture
def rollouts(tmp_path: Path) -> tuple[Path, Path]:
    """A Codex session that began before midnight, where the program ran, and its sub-agent of after that."""

    def written(day: str, session: str, items: list[tuple[str, dict[str, object]]], **meta: object) -> Path:
        path = tmp_path / "2026" / "01" / day / f"rollout-2026-01-{day}T00-00-00-{session}.jsonl"
        path.parent.mkdir(parents=True)
        lines = [("session_meta", {"id": session, "cwd": "/repo", **meta}), *items]
        path.write_text(
            "".join(
                json.dumps({"timestamp": f"2026-01-02T06:{day}:{n:02}Z", "type": kind, "payload": payload}) + "\n"
                for n, (kind, payload) in enumerate(lines)
            )
        )
        return path

    def call(call_id: str, name: str, given: dict[str, object], output: str) -> list[tuple[str, dict[str, object]]]:
        made = {"type": "function_call", "name": name, "arguments": json.dumps(given), "call_id": call_id}
        return [
            ("response_item", made),
            ("response_item", {"type": "function_call_output", "call_id": call_id, "output": output}),
        ]

    asked = ("event_msg", {"type": "user_message", "message": "Make the tests pass"})
    started = call("c1", "spawn_agent", {"message": "Run them"}, json.dumps({"agent_id": CHILD}))
    ran = call("c2", "exec_command", {"cmd": "pytest -q"}, "Process exited with code 0\nOutput:\n3 passed in 0.1s")
    source = {"subagent": {"thread_spawn": {"parent_thread_id": PARENT, "depth": 1}}}
    parent = written("01", PARENT, [asked, *started])
    child = written("02", CHILD, [("event_msg", {"type": "user_message", "message": "Run them"}), *ran], source=source)
    return parent, child


@pytest.mark.parametrize("parent_first", [True, False])
def test_a_codex_sub_agent_is_a_child_of_the_task_of_the_session_that_started_it(
    rollouts: tuple[Path, Path], parent_first: bool
) -> None:
    importer, tasks = importer_for("codex"), _SubagentTasks()
    events = {
        path: list(tasks.attempts_of(importer, path, ImportReport(), "0" * 64))
        for path in (rollouts if parent_first else reversed(rollouts))
    }
    parent, child = rollouts
    assert {e.parent_correlation_id for e in events[child]} == {events[parent][0].correlation_id}
    assert {e.user_request for e in events[child]} == {"Run them"}
    assert events[parent][0].parent_correlation_id is None


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


@pytest.mark.parametrize("folder", ["subagents", "subagents/workflow-1"])
@pytest.mark.parametrize("noted", [False, True])
@pytest.mark.parametrize("starter_first", [True, False])
def test_a_sub_agent_of_a_sub_agent_is_a_child_of_that_ones_task(
    transcripts: tuple[Path, Path], folder: str, noted: bool, starter_first: bool
) -> None:
    _, starter = transcripts
    call = {"type": "tool_use", "id": "toolu_inner", "name": "Agent", "input": {"prompt": "Look deeper"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_inner", "content": "done"}
    with starter.open("a") as file:
        for text in (
            line(13, "assistant", [call], isSidechain=True, agentId="a1"),
            line(14, "user", [result], isSidechain=True, agentId="a1", toolUseResult={"agentId": "a0"}),
        ):
            file.write(f"\n{text}")
    inner = starter.parents[1] / folder / "agent-a0.jsonl"
    inner.parent.mkdir(exist_ok=True)
    inner.write_text(line(20, "user", "(compacted)", isSidechain=True, agentId="a0"))
    with inner.open("a") as file:
        file.write("\n" + line(21, "assistant", [{"type": "text", "text": "ok"}], isSidechain=True, agentId="a0"))
    if noted:
        inner.with_suffix(".meta.json").write_text(json.dumps({"toolUseId": "toolu_inner"}))
    importer, tasks = importer_for("claude-code"), _SubagentTasks()
    events = {
        path: list(tasks.attempts_of(importer, path, ImportReport(), "0" * 64))
        for path in ((starter, inner) if starter_first else (inner, starter))
    }
    assert {e.parent_correlation_id for e in events[inner]} == {events[starter][0].correlation_id}
    assert events[starter][0].correlation_id != events[starter][0].parent_correlation_id
    assert events[starter][0].parent_correlation_id is not None
