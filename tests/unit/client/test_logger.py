"""The logger without a broker: what it writes, how long it keeps its caller, and that nothing it meets is its caller's problem."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from debug_loop_pipeline.client import AgentExecutionLogger
from debug_loop_pipeline.client import spool as spool_module
from debug_loop_pipeline.client.event_draft import encoded, plain
from debug_loop_pipeline.client.spool import SPOOL, orphans
from debug_loop_pipeline.models import identity
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.logger_options import LoggerOptions
from debug_loop_pipeline.models.topics import MAX_EVENT_BYTES
from tests.support.events import attempt

QUIET = LoggerOptions(learn=False)
PATIENT = LoggerOptions(learn=False, block_ms=60_000)
"""For tests of what is written, on a machine that is busy with others."""
NOBODY = "127.0.0.1:9"
SLACK_S = 0.25
"""A machine that is busy with other tests may be late to wake a thread; a wait for the disk or the broker would be longer."""


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[AgentExecutionLogger]:
    with AgentExecutionLogger("tester", data_dir=tmp_path, servers=NOBODY, options=PATIENT, session_id="s1") as made:
        yield made


def spooled(directory: Path) -> list[dict[str, Any]]:
    """What the spools of ended loggers hold."""
    found = []
    for spool in orphans(directory / SPOOL, QUIET):
        while (read := spool.read()).records:
            found += [json.loads(record.body) for record in read.records]
            spool.advance(read.end, "topic", {})
        spool.close()
    return found


def written(logger: AgentExecutionLogger, directory: Path) -> list[dict[str, Any]]:
    logger.close()
    assert logger._writer.spool is not None
    logger._writer.spool.close()
    return spooled(directory)


def until(condition: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def warm(logger: AgentExecutionLogger) -> None:
    """The first event pays for imports in the thread that writes."""
    logger.start("warm up")
    logger.complete("partial")
    until(lambda: logger.counts.written >= 1)


def test_importing_it_is_cheap() -> None:
    program = "import sys, time; t = time.process_time(); from debug_loop_pipeline.client import AgentExecutionLogger;"
    program += "print(time.process_time() - t); print(*sys.modules)"
    spent = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        seconds, modules = done.stdout.split("\n", 1)
        spent.append(float(seconds))
    heavy = {
        "dagster",
        "sqlalchemy",
        "pydantic",
        "pydantic_settings",
        "kafka",
        "structlog",
        "psycopg2",
        "re2",
        "asyncio",
    }
    assert heavy & set(modules.split()) == set()
    assert min(spent) < 0.15


def test_an_attempt_becomes_a_valid_event_with_all_that_was_told(logger: AgentExecutionLogger, tmp_path: Path) -> None:
    warm(logger)
    attempt = logger.start("fix it", task="issue-12", context={"repository": "a/b"}, model_used="m")
    assert logger.progress(attempt, edits=[{"path": "a.py", "before": "1", "after": "2"}], tokens_input=10)
    assert logger.progress(
        attempt, commands=[{"command": "pip install x", "mutating": True}], tokens_input=5, context={"commit": "c" * 40}
    )
    logged = logger.complete(
        "error",
        attempt,
        verifications=[{"command": "pytest", "goal": "pytest", "goal_tool": "pytest", "verdict": "fail"}],
        errors=[{"message": "KeyError: 'x'", "verification": 0}],
        recommendation_id="r1",
        stf_ids=["f1"],
        golden_state_ids=["g1"],
        hold_ids=["h1"],
    )
    assert (logged.attempt_id, logged.acknowledged, logged.problem) == (attempt, True, None)
    event = ExecutionEvent.model_validate(written(logger, tmp_path)[-1])
    assert event.attempt_id == attempt
    assert event.correlation_id == identity.correlation_id("logger", "issue-12")
    assert (event.agent_name, event.session_id, event.execution_id) == ("tester", "s1", "s1")
    assert (event.tokens_input, event.context.repository, event.context.commit) == (15, "a/b", "c" * 40)
    assert [event.edits[0].step, event.commands[0].step, event.verifications[0].step, event.errors[0].step] == [
        1,
        2,
        3,
        4,
    ]
    assert (event.recommendation_id, event.stf_ids, event.golden_state_ids, event.hold_ids) == (
        "r1",
        ("f1",),
        ("g1",),
        ("h1",),
    )
    assert event.source.importer == "logger"
    assert event.duration_ms is not None


def test_ids_are_the_importers_where_the_first_call_is_known_and_a_retry_names_its_parent(
    logger: AgentExecutionLogger,
) -> None:
    first = logger.start("go", task="t", source_format="claude-code", first_id="toolu_01Kz9YqVb")
    assert first == identity.attempt_id("claude-code", "toolu_01Kz9YqVb")
    logger.complete("error", first)
    second = logger.start("go", task="t", source_format="claude-code", first_id="toolu_01Hd27jLf")
    assert second is not None
    assert logger._drafts[second].event["parent_attempt_id"] == str(first)
    given = uuid4()
    assert logger.start("go", task=given, attempt_id=given) == given
    assert logger._drafts[given].event["correlation_id"] == str(given)
    assert len({logger.start("go") for _ in range(50)}) == 50


def test_a_first_call_that_is_numbered_in_each_session_is_told_with_the_session(
    logger: AgentExecutionLogger, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"source_format": "claude-code", "first_id": "functions.bash:0"}
    wanted = identity.attempt_id("claude-code", identity.in_session("functions.bash:0", "s-1"))
    assert logger.start("go", session_id="s-1", **given) == wanted
    assert logger.start("go", session_id="s-2", **given) != wanted
    with AgentExecutionLogger("agent", data_dir=tmp_path / "other", session_id="s-1") as other:
        assert other.start("go", **given) == wanted


def test_secrets_are_out_before_anything_is_on_disk(logger: AgentExecutionLogger, tmp_path: Path) -> None:
    warm(logger)
    secret = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
    logger.start(f"push with {secret}", context={"repository": secret})
    logger.progress(commands=[{"command": f"git push https://me:{secret}@github.com/a/b"}], metadata={"token": secret})
    assert logger.complete("success").acknowledged
    for file in (tmp_path / SPOOL).rglob("*"):
        assert file.is_dir() or secret.encode() not in file.read_bytes()
    assert "<REDACTED:" in written(logger, tmp_path)[-1]["user_request"]


def test_anything_an_agent_passes_becomes_json(logger: AgentExecutionLogger, tmp_path: Path) -> None:
    warm(logger)
    loop: dict[str, Any] = {}
    loop["self"] = loop
    logger.start(
        "odd \x00 \ud800", metadata={"set": {1}, "object": object(), "nan": float("nan"), 5: Path("/x"), "loop": loop}
    )
    logger.progress(code_written="x" * 9_000_000, approach_description="y" * 2_000_000)
    assert logger.complete("success").acknowledged
    [*_, event] = written(logger, tmp_path)
    assert event["user_request"] == "odd � �"
    assert event["metadata"]["nan"] is None
    assert len(json.dumps(event)) < 8 << 20
    assert "characters more]" in event["code_written"]


def test_no_call_raises_and_each_says_what_is_wrong(tmp_path: Path) -> None:
    class Angry:
        def __str__(self) -> str:
            raise RuntimeError("no")

    with AgentExecutionLogger("tester", data_dir=tmp_path, servers=NOBODY, options=QUIET) as logger:
        assert logger.complete("success").problem == "no attempt is open"
        assert logger.progress(uuid4(), edits=[]) is False
        assert logger.start(Angry()) is None  # type: ignore[arg-type]
        assert logger.counts.failed == 1
        attempt = logger.start("go")
        assert logger.progress(attempt, metadata={"a": Angry()}) is False
        assert logger.complete("success", uuid4()).problem == "no attempt is open"
        assert logger.record({"no": "event"}).attempt_id is None
    assert logger.start("later") is None
    assert logger.complete("success").acknowledged is False
    off = AgentExecutionLogger("x", data_dir=tmp_path / "off", options=LoggerOptions(enabled=False))
    assert (off.start("go"), off.complete("success").problem) == (None, "the logger is off")
    assert not (tmp_path / "off").exists()


def test_a_folder_that_cannot_be_written_is_warned_of_and_counted_and_the_agent_works_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="ascii")
    with (
        caplog.at_level(logging.WARNING),
        AgentExecutionLogger("tester", data_dir=tmp_path / "file", servers=NOBODY, options=QUIET) as logger,
    ):
        for _ in range(3):
            logger.start("go")
            assert not logger.complete("success").acknowledged
        until(lambda: logger.counts.refused == 3)
    assert logger.counts.written == 0
    assert sum("events are not taken" in message for message in caplog.messages) == 1


def test_a_spool_full_of_unpublished_events_refuses_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = LoggerOptions(spool_bytes=20_000, segment_bytes=2_000, learn=False, block_ms=2_000)
    with caplog.at_level(logging.WARNING):
        logger = AgentExecutionLogger("tester", data_dir=tmp_path, servers=NOBODY, options=options)
        acknowledged = []
        for _ in range(100):
            attempt = logger.start("go", approach_description="z" * 300)
            if logger.complete("success").acknowledged:
                acknowledged.append(attempt)
        assert 10 < len(acknowledged) < 100
        assert logger.counts.refused == 100 - len(acknowledged)
        assert "no broker has taken yet" in caplog.text
        events = written(logger, tmp_path)
    assert [UUID(event["attempt_id"]) for event in events] == acknowledged


@pytest.mark.parametrize("servers", [NOBODY, "10.255.255.1:9092"])
def test_no_call_waits_longer_than_the_setting_with_a_dead_broker_and_a_slow_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, servers: str
) -> None:
    monkeypatch.setattr(spool_module.os, "fsync", lambda _: time.sleep(0.4))
    with AgentExecutionLogger("tester", data_dir=tmp_path, servers=servers, options=QUIET) as logger:
        spent = []
        for n in range(12):
            started = time.perf_counter()
            logger.start("go", task=f"t{n}")
            logger.progress(edits=[{"path": "a", "after": "x" * 10_000}])
            logged = logger.complete("success")
            spent.append(time.perf_counter() - started)
            assert logged.problem == "not yet on disk"
        assert sorted(spent)[len(spent) // 2] < 0.05 + 0.01
        assert max(spent) < 0.05 + SLACK_S
        assert logger.counts.late == 12
        until(lambda: logger.counts.written == 12)
        started = time.perf_counter()
    assert time.perf_counter() - started < 0.05 + SLACK_S
    assert len({event["attempt_id"] for event in written(logger, tmp_path)}) == 12


def test_a_long_text_is_encoded_as_json_would_whatever_is_in_it() -> None:
    odd = '"quoted" \\ back \n\t\x7f \u2028 \U0001f600 \x1f ' * 9_000
    event = {"a": odd, "b": ["short", {"c": odd[::-1], "d": None, "é": 1.5}], "e": odd + "x"}
    assert encoded(event) == json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def test_an_event_of_very_many_pieces_loses_the_ends_of_its_longest_lists_and_says_so() -> None:
    told = attempt("a", "task", minutes=1, failed=True).model_dump(mode="json")
    told["commands"] = [{"command": f"{n} " + "x" * 500, "step": n} for n in range(20_000)]
    told["errors"] = [{"message": "é" * 500, "verification": 0} for _ in range(9_000)]
    told["metadata"] = {"kept": True}
    body = encoded(plain(told))
    assert MAX_EVENT_BYTES * 0.9 < len(body) <= MAX_EVENT_BYTES
    event = ExecutionEvent.model_validate_json(body)
    assert [command.step for command in event.commands] == list(range(len(event.commands)))
    lost = {"commands": 20_000 - len(event.commands), "errors": 9_000 - len(event.errors)}
    assert event.metadata == {"kept": True, "not_kept": lost}
    assert min(lost.values()) > 0
    assert event.errors_not_kept == lost["errors"]
    assert event.verifications[0].cut
    assert told["metadata"] == {"kept": True}, "what the agent passed is its own"


def test_an_event_that_cannot_be_made_to_fit_is_refused(logger: AgentExecutionLogger, tmp_path: Path) -> None:
    logger.start("go")
    refused = logger.complete("error", metadata={str(n): "x" * 500 for n in range(20_000)})
    assert not refused.acknowledged
    assert "the topic takes 8388608" in str(refused.problem)
    assert logger.counts.failed == 1
    logger.start("go")
    assert logger.complete("error").acknowledged


def test_a_caller_does_not_wait_for_one_that_tells_much(logger: AgentExecutionLogger) -> None:
    class Slow:
        def model_dump(self, **_: object) -> dict[str, int]:
            time.sleep(1.0)
            return {}

    first, second = logger.start("go"), logger.start("go")
    telling = threading.Thread(target=lambda: logger.progress(first, metadata={"much": Slow()}))
    telling.start()
    time.sleep(0.05)
    started = time.perf_counter()
    assert logger.progress(second, tools_used=["Bash"])
    assert time.perf_counter() - started < 0.5
    telling.join()


def test_what_every_attempt_has_does_not_grow(tmp_path: Path) -> None:
    with AgentExecutionLogger("t", data_dir=tmp_path, servers=NOBODY, options=PATIENT, tools_used=["Bash"]) as made:
        for _ in range(2):
            made.progress(made.start("go"), tools_used=["Edit"])
            assert made.complete("success").acknowledged
    assert [event["tools_used"] for event in written(made, tmp_path)] == [["Bash", "Edit"]] * 2


def test_asyncio_goes_on_while_the_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module.os, "fsync", lambda _: time.sleep(0.2))
    options = LoggerOptions(block_ms=5_000, learn=False)

    async def work() -> tuple[int, list[bool]]:
        async with AgentExecutionLogger("tester", data_dir=tmp_path, servers=NOBODY, options=options) as logger:
            turns = 0
            attempts = [logger.start("go", task=f"t{n}") for n in range(5)]
            waiting = asyncio.gather(*(logger.acomplete("success", attempt) for attempt in attempts))
            while not waiting.done():
                await asyncio.sleep(0.01)
                turns += 1
            return turns, [logged.acknowledged for logged in await waiting]

    turns, acknowledged = asyncio.run(work())
    assert acknowledged == [True] * 5
    assert turns >= 10


def test_a_forked_child_has_a_spool_of_its_own(logger: AgentExecutionLogger, tmp_path: Path) -> None:
    warm(logger)
    child = os.fork()
    if child == 0:
        logger.start("in the child")
        for _ in range(100):
            if logger.counts.written >= 1 or logger.complete("success").acknowledged:
                break
            time.sleep(0.05)
        os._exit(0)
    os.waitpid(child, 0)
    logger.start("in the parent")
    logger.complete("success")
    until(lambda: logger.counts.written >= 2)
    assert len(list((tmp_path / SPOOL).iterdir())) == 2
    assert [event["user_request"] for event in spooled(tmp_path)] == ["in the child"]
    assert [event["user_request"] for event in written(logger, tmp_path)] == ["warm up", "in the parent"]


def test_options_come_from_the_environment_and_a_wrong_one_is_only_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in {"BLOCK_MS": "20", "LEARN": "no", "SPOOL_BYTES": "-4", "KEEP_HOURS": "soon"}.items():
        monkeypatch.setenv(f"DEBUG_LOOP_LOGGER__{name}", value)
    with caplog.at_level(logging.WARNING):
        logger = AgentExecutionLogger("x", data_dir=tmp_path)
    assert logger.options == LoggerOptions(block_ms=20, learn=False)
    assert "SPOOL_BYTES" in caplog.text
    assert "KEEP_HOURS" in caplog.text
