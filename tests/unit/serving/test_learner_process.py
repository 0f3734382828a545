"""The process beside the agent that learns: it answers, ends, and whatever happens to it is an error that says so."""

from __future__ import annotations

import io
import os
import signal
import time
from pathlib import Path

import pytest

from debug_loop_pipeline.serving import learner_process
from debug_loop_pipeline.serving.learner_process import LearnerProcess, LearnerUnavailableError

EVENT = b'{"no":"event"}'


def ended(pid: int) -> bool:
    return (
        not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    )


def wait(condition: object, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:  # type: ignore[operator]
        time.sleep(0.02)
    assert condition()  # type: ignore[operator]


@pytest.fixture
def beside(tmp_path: Path) -> LearnerProcess:
    return LearnerProcess(tmp_path)


def test_it_says_why_it_could_not_and_is_there_for_the_next(
    beside: LearnerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEBUG_LOOP_POSTGRES_URL", raising=False)
    with pytest.raises(LearnerUnavailableError, match="MissingServerError"):
        beside.learn(EVENT, 60)
    assert beside._process is not None
    pid = beside._process.pid
    with pytest.raises(LearnerUnavailableError, match="MissingServerError"):
        beside.learn(b'{"large":"' + b"x" * 3_000_000 + b'"}', 60)
    assert beside._process.pid == pid
    os.kill(pid, signal.SIGKILL)
    wait(lambda: ended(pid))
    with pytest.raises(LearnerUnavailableError, match="MissingServerError"):
        beside.learn(EVENT, 60)
    assert beside._process.pid != pid
    assert beside._process.stdin is not None
    beside._process.stdin.close()  # as when the agent ends
    assert beside._process.wait(20) == 0


def test_who_waits_no_longer_is_told_and_the_late_answer_is_nobody_elses(
    beside: LearnerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEBUG_LOOP_POSTGRES_URL", raising=False)
    with pytest.raises(LearnerUnavailableError, match="in time"):
        beside.learn(EVENT, 0.01)
    with pytest.raises(LearnerUnavailableError, match="MissingServerError"):
        beside.learn(EVENT, 60)
    assert beside._process is not None
    beside._give_up(beside._process)


def test_without_work_it_ends() -> None:
    source, other_end = os.pipe()
    answers = io.BytesIO()
    os.write(other_end, b"7 half a line")
    learner_process._answer_all(source, answers, 0.1)
    os.close(source)
    os.close(other_end)
    assert answers.getvalue() == b""
