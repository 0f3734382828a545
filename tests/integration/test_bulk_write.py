"""COPY and the staged upsert against a real PostgreSQL: every type there and back, counts, scopes, errors."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as clock_time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from debug_loop_pipeline.effects.postgres import Database, WriteCounts, copy_rows, stage_and_upsert

NOW = datetime(2025, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
INDIA = timezone(timedelta(hours=5, minutes=30))
ID = UUID(int=0x1234)


class Colour(enum.StrEnum):
    RED = "r\ted"


# type -> (value written, value read back)
CASES: dict[str, list[tuple[Any, Any]]] = {
    "text": [
        (None, None),
        ("", ""),
        ("\\N", "\\N"),
        ("a\tb\nc\r\\d", "a\tb\nc\r\\d"),
        ("nul\x00 lone\ud800", "nul� lone�"),
        ("\ud83d\ude00 ü", "😀 ü"),
        (Colour.RED, "r\ted"),
        (7, "7"),
    ],
    "uuid": [(ID, ID), (None, None), (str(ID), ID)],
    "bigint": [(2**62, 2**62), (-1, -1), (None, None), ("5", 5)],
    "boolean": [(True, True), (False, False), (None, None)],
    "double precision": [(1.5, 1.5), (float("inf"), float("inf")), (1e300, 1e300), (3, 3.0)],
    "numeric(80, 2)": [(Decimal("1.10"), Decimal("1.10")), (2**70, Decimal(2**70)), (Decimal("1E+3"), Decimal(1000))],
    "timestamptz": [(NOW, NOW), (NOW.astimezone(INDIA), NOW), (None, None)],
    "date": [(date(2024, 2, 29), date(2024, 2, 29))],
    "time": [(clock_time(1, 2, 3, 4), clock_time(1, 2, 3, 4))],
    "interval": [(timedelta(days=-1, microseconds=1), timedelta(days=-1, microseconds=1))],
    "jsonb": [
        (
            {"a": "x\x00\\u0000", "b": [1, None], "d": Decimal("1.5"), "t": NOW},
            {"a": "x�\\u0000", "b": [1, None], "d": "1.5", "t": "2025-01-02T03:04:05.678901+00:00"},
        ),
        ("text", "text"),
        (b'{"raw": "\\u0000\\ud800"}', {"raw": "��"}),
        ({"s": "\ud800"}, {"s": "�"}),
        ({1: {3, 2}}, {"1": [2, 3]}),
        ([], []),
        (True, True),
        (None, None),
    ],
    "json": [({"z": 1}, {"z": 1})],
    "text[]": [
        (["a", "b"], ["a", "b"]),
        (('q"\\', "NULL", None, "", "a,b{}"), ['q"\\', "NULL", None, "", "a,b{}"]),
        ([], []),
        (["x\ny\tz", "\x00"], ["x\ny\tz", "�"]),
        (["[1]", "null"], ["[1]", "null"]),
        (None, None),
    ],
    "integer[]": [([1, 2], [1, 2]), ([[1], [2]], [[1], [2]]), ([None, 3], [None, 3])],
    "uuid[]": [([ID], [ID])],
    "jsonb[]": [([{"a": '"x\\'}, [1]], [{"a": '"x\\'}, [1]])],
    "timestamptz[]": [([NOW], [NOW])],
    "bytea": [(b"\x00\xff\\", b"\x00\xff\\"), (b"", b""), (None, None)],
}


@pytest.fixture
def database(empty_postgres_url: str) -> Iterator[Database]:
    database = Database(empty_postgres_url)
    yield database
    database.close()


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


@pytest.mark.parametrize("pg_type", CASES)
@pytest.mark.parametrize("repeat", [1, 40])
def test_a_value_of_every_type_comes_back_by_each_way_in(database: Database, pg_type: str, repeat: int) -> None:
    """A single row travels inside the statement, many through a staging table; a column of one type takes the fast way."""
    with database.transaction() as connection:
        connection.execute(text(f"create table t (k int primary key, v {pg_type})"))
        cases = CASES[pg_type]
        mixed = [(k, cases[k % len(cases)]) for k in range(len(cases) * repeat)]
        rows = [(k, written) for k, (written, _) in mixed]
        assert stage_and_upsert(connection, "t", ["k", "v"], rows, key=["k"]).inserted == len(rows)
        assert stage_and_upsert(connection, "t", ["k", "v"], rows, key=["k"]) == WriteCounts()
        read = {row[0]: row[1] for row in connection.execute(text("select k, v from t"))}
        assert {k: _plain(v) for k, v in read.items()} == {k: expected for k, (_, expected) in mixed}
        for written, expected in cases:
            connection.execute(text("truncate t"))
            copy_rows(connection, "t", ["k", "v"], ((k, written) for k in range(repeat)))
            values = connection.execute(text("select v from t")).scalars().all()
            assert [_plain(v) for v in values] == [expected] * repeat


@pytest.fixture
def kept(database: Database) -> Database:
    with database.transaction() as connection:
        connection.execute(
            text("create table kept (run int, step int, name text, seen timestamptz, primary key (run, step))")
        )
    return database


COLUMNS = ["run", "step", "name", "seen"]


@pytest.mark.parametrize("size", [5, 500])
def test_counts_tell_what_changed_and_equal_rows_are_not_written_again(kept: Database, size: int) -> None:
    rows = [(1, step, "a", NOW) for step in range(size)]
    later = NOW + timedelta(hours=1)
    with kept.transaction() as c:
        assert stage_and_upsert(c, "kept", COLUMNS, rows, key=["run", "step"]) == WriteCounts(inserted=size)
    with kept.transaction() as c:
        before = c.execute(text("select max(xmin::text::bigint) from kept")).scalar_one()
        touched = [(1, step, "a", later) for step in range(size)]
        counts = stage_and_upsert(c, "kept", COLUMNS, touched, key=["run", "step"], not_compared=["seen"])
        assert counts == WriteCounts()
        assert c.execute(text("select max(xmin::text::bigint) from kept")).scalar_one() == before
        changed = [(1, 0, "b", later), (1, size, "new", later)]
        counts = stage_and_upsert(c, "kept", COLUMNS, changed, key=["run", "step"], not_compared=["seen"])
        assert counts == WriteCounts(inserted=1, updated=1)
        assert c.execute(text("select name, seen from kept where step = 0")).one() == ("b", later)
        assert stage_and_upsert(c, "kept", COLUMNS, rows, key=["run", "step"], update=None) == WriteCounts()
        counts = stage_and_upsert(c, "kept", COLUMNS, [(1, 0, "c", NOW)], key=["run", "step"], update=["name"])
        assert counts == WriteCounts(updated=1)
        assert c.execute(text("select name, seen from kept where step = 0")).one() == ("c", later)


@pytest.mark.parametrize("size", [5, 500])
def test_what_is_missing_in_a_scope_is_deleted_and_nothing_else(kept: Database, size: int) -> None:
    with kept.transaction() as c:
        all_rows = [(run, step, "a", NOW) for run in (1, 2, 3) for step in range(size)]
        stage_and_upsert(c, "kept", COLUMNS, all_rows, key=["run", "step"])
        rows = [(1, step, "a", NOW) for step in range(1, size)]
        scope = {"run": [1, 2]}
        counts = stage_and_upsert(c, "kept", COLUMNS, rows, key=["run", "step"], delete_missing_scope=scope)
        assert counts == WriteCounts(deleted=size + 1)
        left = c.execute(text("select run, count(*) from kept group by run order by run")).all()
        assert [tuple(row) for row in left] == [(1, size - 1), (3, size)]
        counts = stage_and_upsert(c, "kept", COLUMNS, [], key=["run", "step"], delete_missing_scope={"run": [3]})
        assert counts.deleted == size


def test_errors_name_the_table_the_column_and_the_reason(kept: Database) -> None:
    def write(columns: list[str], rows: list[tuple[Any, ...]], table: str = "kept") -> None:
        with kept.transaction() as c:
            stage_and_upsert(c, table, columns, rows, key=columns[:2])

    with pytest.raises(ValueError, match=r"kept: two of the rows have the same key \(run, step\)"):
        write(["run", "step", "name"], [(1, 1, "a"), (1, 1, "b")])
    with pytest.raises(ValueError, match=r"column seen .*has no offset"):
        write(COLUMNS, [(1, 1, "a", datetime(2025, 1, 1))])  # noqa: DTZ001
    with pytest.raises(LookupError, match="no column colour"):
        write(["run", "step", "colour"], [(1, 1, "x")])
    with pytest.raises(LookupError, match="no table absent"):
        write(["run", "step"], [(1, 1)], "absent")
    with pytest.raises(ValueError, match="1 values for 2 columns"):
        write(["run", "step"], [(1,)])
    with pytest.raises(TypeError, match=r"column name .*object"):
        write(["run", "step", "name"], [(1, 1, object())])
    with pytest.raises(IntegrityError), kept.transaction() as c:
        copy_rows(c, "kept", ["run", "step"], [(1, 1), (1, 1)])
    with kept.transaction() as c:
        assert c.execute(text("select count(*) from kept")).scalar_one() == 0
