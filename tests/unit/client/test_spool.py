"""The spool on disk: whole records only, in order, bounded, and drained by another process after a crash."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from debug_loop_pipeline.client import spool as spool_module
from debug_loop_pipeline.client.spool import Position, Record, Spool, SpoolFullError, orphans
from debug_loop_pipeline.models.logger_options import LoggerOptions

SMALL = LoggerOptions(spool_bytes=8_000, segment_bytes=1_000)


def records(count: int, start: int = 0) -> list[Record]:
    return [Record("key", b'{"n":%d,"text":"%s"}' % (n, b"x" * 80)) for n in range(start, start + count)]


def rest(spool: Spool) -> list[Record]:
    """Everything that is not published, which it then is."""
    found: list[Record] = []
    while spool.unpublished():
        read = spool.read()
        found += read.records
        spool.advance(read.end, "topic", {0: len(found)})
    return found


def test_what_is_appended_is_read_in_order_over_several_segments(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, SMALL)
    for start in range(0, 40, 4):
        spool.append(records(4, start))
    assert len(list(spool.path.glob("*.log"))) > 1
    assert rest(spool) == records(40)
    assert not spool.unpublished()


def test_a_spool_that_lives_is_no_orphan_and_one_that_ended_is(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, SMALL)
    spool.append(records(3))
    assert list(orphans(tmp_path, SMALL)) == []
    spool.close()
    [orphan] = orphans(tmp_path, SMALL)
    assert Spool.claim(orphan.path, SMALL) is None
    assert rest(orphan) == records(3)
    orphan.remove()
    assert list(tmp_path.iterdir()) == []


def test_the_cursor_outlives_the_process_and_a_torn_one_begins_again(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, SMALL)
    spool.append(records(2))
    read = spool.read()
    spool.advance(read.end, "topic", {3: 7})
    spool.append(records(2, 2))
    spool.close()
    [orphan] = orphans(tmp_path, SMALL)
    assert (orphan.cursor.topic_id, orphan.cursor.acknowledged) == ("topic", {3: 7})
    assert rest(orphan) == records(2, 2)
    (orphan.path / "cursor.json").write_text('{"segment": 0, "off', encoding="ascii")
    orphan.close()
    [orphan] = orphans(tmp_path, SMALL)
    assert rest(orphan) == records(4)


@pytest.mark.parametrize("torn", [1, 20, 100])
def test_a_torn_tail_is_passed_over_and_what_was_whole_is_kept(tmp_path: Path, torn: int) -> None:
    spool = Spool.create(tmp_path, SMALL)
    spool.append(records(3))
    spool.close()
    file = spool.path / "00000000.log"
    line = len(file.read_bytes()) // 3
    os.truncate(file, 3 * line - min(torn, line - 1))
    [orphan] = orphans(tmp_path, SMALL)
    assert rest(orphan) == records(2)


def test_a_damaged_line_costs_itself_alone(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, SMALL)
    spool.append(records(3))
    spool.close()
    file = spool.path / "00000000.log"
    file.write_bytes(file.read_bytes().replace(b'"n":1', b'"n":7'))
    [orphan] = orphans(tmp_path, SMALL)
    read = orphan.read()
    assert ([r.body[:6] for r in read.records], read.damaged) == ([b'{"n":0', b'{"n":2'], 1)


def test_a_full_spool_drops_what_is_published_first_and_refuses_rather_than_lose(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, SMALL)
    taken = 0
    with contextlib.suppress(SpoolFullError):
        for taken in range(1_000):
            spool.append(records(1, taken))
    assert 40 < taken < 100
    assert spool.size() <= SMALL.spool_bytes
    read = spool.read()
    spool.advance(read.end, "topic", {})
    spool.append(records(1, taken))
    assert spool.size() <= SMALL.spool_bytes
    assert [r.body for r in rest(spool)] == [r.body for r in records(taken + 1)[len(read.records) :]]
    for n in range(200):  # published as fast as they come: there is room for ever
        spool.append(records(1, n))
        spool.advance(spool.read().end, "topic", {})
    assert spool.size() <= SMALL.spool_bytes


def test_a_write_that_fails_leaves_neither_half_a_line_nor_a_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool.create(tmp_path, SMALL)
    spool.append(records(1))
    real = os.write

    def half(handle: int, data: bytes) -> int:
        real(handle, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool_module.os, "write", half)
    with pytest.raises(OSError, match="No space"):
        spool.append(records(1, 1))
    monkeypatch.setattr(spool_module.os, "write", real)
    spool.append(records(1, 2))
    assert rest(spool) == [*records(1), *records(1, 2)]


def test_what_is_published_goes_when_its_time_is_over_and_the_rest_stays(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, SMALL)
    for start in range(0, 40, 4):
        spool.append(records(4, start))
    read = spool.read()
    spool.advance(Position(read.end.segment + 2, 0), "topic", {})
    long_ago = time.time() - 25 * 3_600
    for file in spool.path.glob("*.log"):
        os.utime(file, (long_ago, long_ago))
    before = {file.name for file in spool.path.glob("*.log")}
    spool.trim()
    assert before - {file.name for file in spool.path.glob("*.log")} == {"00000000.log", "00000001.log"}
    spool.rewind()
    assert len(rest(spool)) > 0


def test_a_forked_child_does_not_keep_the_parents_spool_alive(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path, SMALL)
    spool.append(records(1))
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.write(ready[1], b"r")
        os.read(go[0], 1)
        os._exit(0)
    try:
        os.read(ready[0], 1)
        spool.close()
        assert len(list(orphans(tmp_path, SMALL))) == 1
    finally:
        os.write(go[1], b"g")
        os.waitpid(child, 0)
        for handle in (*ready, *go):
            os.close(handle)
