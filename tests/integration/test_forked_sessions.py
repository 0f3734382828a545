"""A session that was copied into another keeps its attempts, and with them its fixes: whichever file comes first, and how often."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.effects import schema
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.importers.registry import detect
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.identity import attempt_id, in_session
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.explain import explain_sessions
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.importing import import_files
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_dirty_days
from tests.support.digests import table_digests

FIRST, LATER, LAST = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "159")
FAILS = "FAILED tests/test_names.py::test_one - KeyError: 'colour'\n1 failed, 3 passed in 0.1s"
PASSES = "4 passed in 0.1s"
PATCH = "*** Begin Patch\n*** Update File: names.py\n@@\n-    return names['colour']\n+    return names.get('colour')\n*** End Patch\n"

Line = dict[str, Any]


class Claude:
    """Writes a session of Claude Code."""

    def __init__(self, session: str, lines: Iterable[Line] = (), minute: int = 0, ids: str = "") -> None:
        self.session, self.ids = session, ids
        self.lines = list(lines)
        self.at = datetime(2026, 5, 1, 10, minute, tzinfo=UTC)
        self.calls = 0

    def add(self, kind: str, content: Any, details: Any = None, **message: Any) -> None:
        self.at += timedelta(seconds=1)
        name = f"{self.session[:4]}-{self.at:%H%M%S}"
        if kind == "assistant":
            message |= {"id": f"msg_{name}", "model": "m"}
        self.lines.append(
            {"parentUuid": None, "isSidechain": False, "type": kind, "message": {"role": kind, "content": content, **message}}
            | {"uuid": name, "timestamp": self.at.isoformat(), "cwd": "/repo", "sessionId": self.session}
            | ({"toolUseResult": details} if details else {})
        )  # fmt: skip

    def tool(self, name: str, given: Line, result: str, details: Any = None, failed: bool = False) -> None:
        call_id = f"{self.ids}_{self.calls}" if self.ids else f"toolu_01{self.session[:4]}Kz9Yq{self.calls}Vb"
        self.calls += 1
        self.add("assistant", [{"type": "tool_use", "id": call_id, "name": name, "input": given}])
        block = {"type": "tool_result", "tool_use_id": call_id, "content": result, "is_error": failed}
        self.add("user", [block], details)

    def fails(self) -> None:
        self.tool("Bash", {"command": "pytest -q"}, f"Exit code 1\n{FAILS}", failed=True)

    def fix(self) -> None:
        change = {"file_path": "/repo/names.py", "old_string": "names['colour']", "new_string": "names.get('colour')"}
        details = {"filePath": "/repo/names.py", "oldString": "names['colour']", "newString": "names.get('colour')"}
        self.tool("Edit", change, "updated", details)

    def passes(self, command: str = "pytest -q") -> None:
        self.tool("Bash", {"command": command}, PASSES)

    def fork(self, session: str, marked: bool) -> Claude:
        """A session that goes on behind a copy of this one."""
        mark = {"forkedFrom": {"sessionId": self.session}} if marked else {}
        copied = [line | {"sessionId": session} | mark for line in self.lines]
        forked = Claude(session, copied, 30, self.ids)
        forked.calls = self.calls
        return forked

    def write(self, folder: Path) -> Path:
        path = folder / f"{self.session}.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in self.lines) + "\n")
        return path


class Codex:
    """Writes a rollout of Codex."""

    def __init__(self, session: str, minute: int, copied: Sequence[Line] = (), **meta: Any) -> None:
        self.session = session
        self.at = datetime(2026, 5, 1, 10, minute, tzinfo=UTC)
        self.lines: list[Line] = []
        self.add("session_meta", id=session, timestamp=self.at.isoformat(), cwd="/repo", **meta)
        self.lines += [line | {"timestamp": self.lines[0]["timestamp"]} for line in copied]

    def add(self, kind: str, **payload: Any) -> None:
        self.at += timedelta(seconds=1)
        self.lines.append({"timestamp": self.at.isoformat(), "type": kind, "payload": payload})

    def turn(self, name: str, prompt: str) -> None:
        self.add("event_msg", type="task_started", turn_id=name)
        self.add("turn_context", turn_id=name, cwd="/repo", model="m")
        self.add("event_msg", type="user_message", message=prompt)

    def command(self, call_id: str, output: str, code: int) -> None:
        given = json.dumps({"cmd": "pytest -q", "workdir": "/repo"})
        self.add("response_item", type="function_call", name="exec_command", arguments=given, call_id=call_id)
        told = f"Wall time: 0.1 seconds\nProcess exited with code {code}\nOutput:\n{output}"
        self.add("response_item", type="function_call_output", call_id=call_id, output=told)

    def patch(self, call_id: str) -> None:
        self.add("response_item", type="custom_tool_call", name="apply_patch", input=PATCH, call_id=call_id)
        self.add(
            "response_item", type="custom_tool_call_output", call_id=call_id, output="Exit code: 0\nOutput:\nSuccess."
        )

    def write(self, folder: Path) -> Path:
        path = folder / f"rollout-{self.session}.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in self.lines) + "\n")
        return path


def fixed(session: str = LATER, **more: Any) -> Claude:
    parent = Claude(session, **more)
    parent.add("user", "make the tests pass")
    parent.fails()
    parent.fix()
    parent.passes()
    return parent


@pytest.fixture
def make_context(store_urls: Callable[[], str], tmp_path: Path) -> Callable[[], StepContext]:
    return lambda: StepContext(Database(store_urls()), Settings(data_dir=tmp_path / "data"))


def take_in(context: StepContext, *paths: Path) -> None:
    for path in paths:
        importer = detect(path)
        assert importer is not None
        import_files(context, [(importer, path)])


def told(context: StepContext) -> dict[str, list[str]]:
    """Session -> verdicts of its attempts, in order."""
    rows = fetch_rows(context.database, "select event::text as event from execution_inbox where holds")
    events = sorted(
        (ExecutionEvent.model_validate_json(row["event"]) for row in rows), key=lambda event: event.source.step or 0
    )
    return {
        session: [",".join(v.verdict for v in event.verifications) for event in events if event.session_id == session]
        for session in sorted({event.session_id or "" for event in events})
    }


def in_every_order(
    make_context: Callable[[], StepContext], paths: Sequence[Path]
) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """What the store holds and explains, which is the same in every order of the files and where all come again."""
    found = []
    for order in itertools.permutations(paths):
        context = make_context()
        with closing(context.database):
            take_in(context, *order, *order)
            run_dirty_days(context)
            sessions = told(context)
            found.append((sessions, explain_sessions(context, list(sessions)), table_digests(context.database)))
    assert all(one == found[0] for one in found)
    return found[0][:2]


@pytest.mark.parametrize("parent", [FIRST, LATER, LAST])
def test_a_fork_that_names_its_parent_has_only_what_is_its_own(
    make_context: Callable[[], StepContext], tmp_path: Path, parent: str
) -> None:
    session = fixed(parent)
    fork = session.fork(LATER + "-fork", marked=True)
    fork.add("user", "now something else: check the types of the whole project")
    fork.passes("mypy .")
    sessions, explained = in_every_order(make_context, [session.write(tmp_path), fork.write(tmp_path)])
    assert sessions == {parent: ["fail", "pass"], fork.session: ["pass"]}
    assert (len(explained[parent]["fixes"]), explained[fork.session]["fixes"]) == (1, [])


@pytest.mark.parametrize("fork_name", [FIRST, LAST])
@pytest.mark.parametrize("marked", [True, False])
def test_what_a_fork_mends_is_credited_where_the_parent_only_failed(
    make_context: Callable[[], StepContext], tmp_path: Path, fork_name: str, marked: bool
) -> None:
    session = Claude(LATER)
    session.add("user", "make the tests pass")
    session.fails()
    fork = session.fork(fork_name, marked)
    session.tool("Read", {"file_path": "/repo/names.py"}, "names = {}")
    fork.fix()
    fork.passes()
    sessions, explained = in_every_order(make_context, [session.write(tmp_path), fork.write(tmp_path)])
    assert sum(len(one["fixes"]) for one in explained.values()) == 1
    if marked:
        assert sessions == {LATER: ["fail", ""], fork_name: ["pass"]}


@pytest.mark.parametrize("fork_name", [FIRST, LAST])
def test_a_fork_that_does_not_say_so_takes_all_that_is_in_both_or_nothing(
    make_context: Callable[[], StepContext], tmp_path: Path, fork_name: str
) -> None:
    session = fixed()
    fork = session.fork(fork_name, marked=False)
    fork.add("user", "now something else: check the types of the whole project")
    fork.passes("mypy .")
    sessions, explained = in_every_order(make_context, [session.write(tmp_path), fork.write(tmp_path)])
    first = min(LATER, fork_name)
    assert sessions[first][:2] == ["fail", "pass"]
    assert sum(map(len, sessions.values())) == 3
    assert len(explained[first]["fixes"]) == 1


def test_who_asks_for_a_session_whose_work_is_told_as_another_hears_of_that_one(
    make_context: Callable[[], StepContext], tmp_path: Path
) -> None:
    session = fixed()
    with closing((context := make_context()).database):
        take_in(context, session.write(tmp_path), session.fork(FIRST, marked=False).write(tmp_path))
        with pytest.raises(DebugLoopError, match=f"what session {LATER} did is told as session {FIRST}"):
            explain_sessions(context, [LATER])
        with pytest.raises(DebugLoopError, match=f"no execution of session {LAST} is in the store"):
            explain_sessions(context, [LAST])


def test_a_fork_of_codex_whose_copies_bear_new_times_takes_nothing(
    make_context: Callable[[], StepContext], tmp_path: Path
) -> None:
    parent = Codex(LATER, 0)
    parent.turn("turn-a", "make the tests pass")
    parent.command("call_Zr81kQpVx0TtYw", FAILS, 1)
    parent.patch("call_Ub54mWnCe9SsXv")
    parent.command("call_Hd27jLfGa3RrQu", PASSES, 0)
    fork = Codex(FIRST, 40, parent.lines, forked_from_id=LATER)
    fork.turn("turn-b", "now something else: run it once more")
    fork.command("call_Pe60bKiYo8NnMt", PASSES, 0)
    sessions, explained = in_every_order(make_context, [parent.write(tmp_path), fork.write(tmp_path)])
    assert sessions == {FIRST: ["pass"], LATER: ["fail", "pass"]}
    assert len(explained[LATER]["fixes"]) == 1


def test_calls_that_are_numbered_in_each_session_are_apart_and_in_a_fork_and_the_logger_the_same(
    make_context: Callable[[], StepContext], tmp_path: Path
) -> None:
    one, other = fixed(FIRST, ids="Bash"), fixed(LATER, ids="Bash", minute=20)
    fork = one.fork(LAST, marked=True)
    fork.add("user", "now something else: check the types of the whole project")
    fork.passes("mypy .")
    paths = [session.write(tmp_path) for session in (one, other, fork)]
    sessions, explained = in_every_order(make_context, paths)
    assert sessions == {FIRST: ["fail", "pass"], LATER: ["fail", "pass"], LAST: ["pass"]}
    assert [len(explained[session]["fixes"]) for session in (FIRST, LATER)] == [1, 1]
    context = make_context()
    with closing(context.database):
        take_in(context, *paths)
        event = ExecutionEvent.model_validate(
            {
                "attempt_id": attempt_id("claude-code", in_session("Bash_0", LATER)),
                "correlation_id": "00000000-0000-4000-8000-000000000001",
                "agent_name": "a",
                "user_request": "make the tests pass",
                "status": "error",
                "started_at": "2026-05-01T10:00:00Z",
                "session_id": LATER,
                "source": {"importer": "logger"},
            }
        )
        ingest_events(context, [event], "test")
        assert told(context) == sessions


def test_revisions_that_are_in_the_store_settle_anew_with_the_schema(empty_postgres_url: str, tmp_path: Path) -> None:
    session = fixed()
    paths = [session.write(tmp_path), session.fork(FIRST, marked=False).write(tmp_path)]
    schema.upgrade(empty_postgres_url)
    with closing(Database(empty_postgres_url)) as database:
        take_in(StepContext(database, Settings(data_dir=tmp_path / "data")), *paths)
        held = "select attempt_id, digest from execution_inbox where holds order by 1"
        after = fetch_rows(database, held)
    schema.downgrade(empty_postgres_url, "0015")
    with closing(Database(empty_postgres_url)) as database:
        before = fetch_rows(database, held)
    assert len(before) == len(after) == 2
    schema.upgrade(empty_postgres_url)
    with closing(Database(empty_postgres_url)) as database:
        assert fetch_rows(database, held) == after
