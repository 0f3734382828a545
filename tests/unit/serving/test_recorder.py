"""Records are written behind the answers, survive a store that is away, and never hold an answer up."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from uuid import uuid4

from debug_loop_pipeline.effects.resilience import EffectUnavailableError
from debug_loop_pipeline.models.recommendation import Arm, Occasion, Recommendation
from debug_loop_pipeline.serving.recorder import Recorder


def record() -> Recommendation:
    return Recommendation(
        recommendation_id=uuid4(),
        occasion=Occasion.FAILURE,
        arm=Arm.NONE,
        characters=1,
        served_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_what_waits_while_the_store_is_away_is_written_when_it_is_back() -> None:
    written: list[Recommendation] = []
    away = threading.Event()
    away.set()

    def write(batch: list[Recommendation]) -> None:
        if away.is_set():
            raise EffectUnavailableError("away", system="postgres", operation="record", attempts=1)
        written.extend(batch)

    recorder = Recorder(write)
    sent = [record() for _ in range(3)]
    for one in sent:
        recorder(one)
    assert not recorder.flush(0.1)
    away.clear()
    recorder.close(10)
    assert written == sent
    assert recorder.lost == 0


def test_a_full_queue_loses_records_and_not_time() -> None:
    writing, free = threading.Event(), threading.Event()

    def write(_batch: list[Recommendation]) -> None:
        writing.set()
        free.wait(60)

    recorder = Recorder(write, capacity=5)
    recorder(record())
    assert writing.wait(30)
    for _ in range(20):
        recorder(record())
    assert not free.is_set()  # the caller came back while the store is still stuck
    assert recorder.lost == 15
    free.set()
    recorder.close()


def test_records_that_can_never_be_written_do_not_stop_those_behind_them() -> None:
    written: list[Recommendation] = []

    def write(batch: list[Recommendation]) -> None:
        if not written and batch[0] is first:
            raise ValueError("no such table")
        written.extend(batch)

    recorder = Recorder(write)
    first = record()
    recorder(first)
    recorder.flush(10)
    second = record()
    recorder(second)
    recorder.close(10)
    assert written == [second]
    assert recorder.lost == 1
