"""The index is followed beside the answers: who waits gets it as soon as it is there, and no longer than a first read fails."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from debug_loop_pipeline.serving import index_keeper
from debug_loop_pipeline.serving.index_keeper import IndexKeeper


def test_who_waits_gets_the_first_read_and_later_ones_without_waiting() -> None:
    indexes: Any = iter(["first", "second"])
    go = threading.Event()

    def read() -> Any:
        go.wait(10)
        return next(indexes, "second")

    keeper = IndexKeeper(read, every_s=0.01)
    try:
        assert keeper.wait_loaded(0.01) is None
        go.set()
        assert keeper.wait_loaded(10) is not None
        until = time.monotonic() + 10
        while keeper.current != "second" and time.monotonic() < until:
            time.sleep(0.01)
        assert keeper.wait_loaded(0) == "second"
    finally:
        keeper.close()


def test_a_first_read_that_fails_keeps_nobody_waiting_and_is_tried_again() -> None:
    answers: list[Any] = [OSError("away"), "index"]

    def read() -> Any:
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return found

    keeper = IndexKeeper(read, every_s=60)
    try:
        began = time.monotonic()
        assert keeper.wait_loaded(30) is None
        assert time.monotonic() - began < 20
        keeper.refresh()
        until = time.monotonic() + 10
        while keeper.current is None and time.monotonic() < until:
            time.sleep(0.01)
        assert keeper.current == "index"
    finally:
        keeper.close()


def test_a_slow_read_is_made_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_keeper, "_IDLE_SHARE", 1_000)
    reads: list[float] = []

    def read() -> Any:
        reads.append(time.monotonic())
        time.sleep(0.05)
        return "index"

    keeper = IndexKeeper(read, every_s=0.0)
    try:
        assert keeper.wait_loaded(10) == "index"
        time.sleep(0.5)
        assert len(reads) == 1
    finally:
        keeper.close()
