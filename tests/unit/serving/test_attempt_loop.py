"""Who runs the debug loop for an attempt: `serve` where it runs, however busy it is, else the process beside the agent."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from debug_loop_pipeline.serving import attempt_loop
from debug_loop_pipeline.serving.address import socket_path
from debug_loop_pipeline.serving.attempt_loop import learn_from

EVENT = b'{"no":"event"}'


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """How long the process beside was asked to work, each time."""
    waits: list[float | None] = []

    class Beside:
        def learn(self, body: bytes, wait_s: float | None) -> dict[str, bool]:
            waits.append(wait_s)
            return {"beside": True}

    monkeypatch.setattr(attempt_loop, "_process_of", lambda _: Beside())
    return waits


@pytest.fixture
def server(short_directory: Path) -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as made:
        made.bind(str(socket_path(short_directory)))
        made.listen()
        yield made


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("wait_s", [0.3, None])
def test_a_serve_that_does_not_answer_in_time_is_not_doubled(
    short_directory: Path, asked: list[float | None], monkeypatch: pytest.MonkeyPatch, wait_s: float | None
) -> None:
    monkeypatch.setattr(attempt_loop, "_TAKEN_S", 0.3)
    began = time.monotonic()
    assert learn_from(EVENT, short_directory, wait_s) is None
    assert 0.2 < time.monotonic() - began < 2
    assert asked == []


@pytest.mark.parametrize("wait_s", [5.0, None])
def test_without_serve_the_process_beside_has_the_time_that_is_left(
    short_directory: Path, asked: list[float | None], wait_s: float | None
) -> None:
    assert learn_from(EVENT, short_directory, wait_s) == {"beside": True}
    [waited] = asked
    assert waited is None if wait_s is None else waited is not None and 4 < waited < 5


def test_a_socket_that_nobody_listens_at_any_more_is_none(
    short_directory: Path, asked: list[float | None], server: socket.socket
) -> None:
    server.close()
    assert learn_from(EVENT, short_directory, 5.0) == {"beside": True}
    assert len(asked) == 1
