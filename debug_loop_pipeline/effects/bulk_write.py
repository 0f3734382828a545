"""Many rows into PostgreSQL at once: COPY, and staging + one INSERT ... ON CONFLICT.

Here: writes for any table, told by its name and columns. Not here: what the rows mean (the stores), connections
(`postgres`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from debug_loop_pipeline.effects.copy_encoding import copy_fields, encode_column, encode_json
from debug_loop_pipeline.effects.statements import execute
from debug_loop_pipeline.text import clean_text

__all__ = ["WriteCounts", "copy_rows", "encode_json", "stage_and_upsert"]

_CHUNK_ROWS = 1_000  # encoded at a time: bounds memory, long enough that the work per chunk does not show
_READ_BYTES = 1 << 18
_INLINE_ROWS = 16  # up to here the rows travel inside the statement: a temporary table costs 1 ms and catalog rows
_STAGE_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class WriteCounts:
    """Rows of the target table that a write changed. Rows that were equal already count nowhere."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def __add__(self, other: WriteCounts) -> WriteCounts:
        return WriteCounts(self.inserted + other.inserted, self.updated + other.updated, self.deleted + other.deleted)

    @property
    def changed(self) -> int:
        """All three together."""
        return self.inserted + self.updated + self.deleted


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Append `rows` to `table` by COPY; the number of them.

    Values by the column's type: None, text, numbers, Decimal, UUID, enums, bytes, dates, aware datetimes, timedelta,
    sequences for arrays, anything JSON for json and jsonb (bytes there are JSON already). NUL and lone surrogates
    become U+FFFD.

    Args:
        connection: in a transaction.
        table: its name, with or without schema.
        columns: the order of the values in a row.
        rows: read once, in chunks.

    Raises:
        LookupError: no such table or column.
        TypeError, ValueError: a value that has no form in its column's type, or a row of another length.
        sqlalchemy.exc.DBAPIError: PostgreSQL refused the rows.
    """
    types = _column_types(connection, table, columns)
    return _copy(connection, _quoted(table), columns, types, rows)


def stage_and_upsert(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    key: Sequence[str],
    update: Literal["all"] | Sequence[str] | None = "all",
    not_compared: Sequence[str] = (),
    delete_missing_scope: Mapping[str, Iterable[Any]] | None = None,
) -> WriteCounts:
    """Bring the rows of `table` to `rows`: COPY into a temporary table, then one INSERT ... SELECT ... ON CONFLICT.

    A row that is equal already is not written again. Rows go in in key order, so that two writers do not lock each
    other out.

    Args:
        connection: in a transaction.
        table: its name, with or without schema.
        columns: the order of the values in a row.
        rows: no two with the same key (where nothing is overwritten, one of them is taken). Values as in `copy_rows`.
        key: the columns of a unique constraint; none of them NULL.
        update: columns to overwrite where the key exists: all but the key, the named ones, or None (leave the row as
            it is).
        not_compared: columns that are overwritten with a row that differs elsewhere, and are no difference themselves
            (`updated_at`).
        delete_missing_scope: delete rows that are not among `rows` and whose column values are all in these sets
            (`{"attempt_id": ids}`: the facts of these attempts are replaced).

    Raises:
        LookupError: no such table or column.
        TypeError, ValueError: a value that has no form in its column's type, or the same key twice.
        sqlalchemy.exc.DBAPIError: PostgreSQL refused the rows.
    """
    scope = {column: list(values) for column, values in (delete_missing_scope or {}).items()}
    iterator = iter(rows)
    first = list(itertools.islice(iterator, _INLINE_ROWS + 1))
    if not first and not scope:
        return WriteCounts()
    named = [*columns, *(column for column in scope if column not in columns)]
    types = _column_types(connection, table, named)
    for column in (*key, *(() if update in ("all", None) else update), *not_compared):
        if column not in columns:
            raise LookupError(f"{table}: column {column} is not among the columns that are written")
    if not first:
        statement, parameters = _delete(table, types, scope)
        return WriteCounts(deleted=execute(connection, statement, parameters).rowcount)
    if len(first) <= _INLINE_ROWS:
        source, parameters = _inline_source(columns, types, first)
    else:
        source, parameters = _stage(connection, table, columns, types, itertools.chain(first, iterator)), {}
    gone = None
    if scope:
        gone, scoped = _delete(table, types, scope)
        gone += f" and not exists (select from given as s where {_same(key)})"
        parameters |= scoped
    statement = _upsert(table, columns, types, key, update, not_compared, source, gone)
    try:
        inserted, updated, deleted = tuple(execute(connection, statement, parameters).one())
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) == "21000":  # cardinality_violation
            raise ValueError(
                f"{table}: two of the rows have the same key ({', '.join(key)}); keep one of them"
            ) from error
        raise
    return WriteCounts(inserted, updated, deleted)


def _upsert(
    table: str,
    columns: Sequence[str],
    types: Mapping[str, str],
    key: Sequence[str],
    update: Literal["all"] | Sequence[str] | None,
    not_compared: Sequence[str],
    source: str,
    gone: str | None,
) -> str:
    """The statement that writes `source` and, before it, removes what `gone` does."""
    names = ", ".join(map(_quote, columns))
    keys = ", ".join(map(_quote, key))
    overwritten = [c for c in columns if c not in key] if update == "all" else list(update or ())
    compared = [c for c in overwritten if c not in not_compared]
    if compared:
        sets = ", ".join(f"{_quote(c)} = excluded.{_quote(c)}" for c in overwritten)
        differs = " or ".join(
            f"{_comparable('t', c, types[c])} is distinct from {_comparable('excluded', c, types[c])}" for c in compared
        )
        action = f"do update set {sets} where {differs}"
    else:
        action = "do nothing"
    given = f"given as materialized (select {names} from {source} as g)"  # named, since it may be read twice
    removed = f", gone as ({gone} returning 1)" if gone else ""
    # Rows go first, so that a new one may take the place of one that goes in any other unique index: the insert has to wait
    # for the count.
    after = " where (select count(*) from gone) >= 0" if gone else ""
    return (
        f"with {given}{removed}, written as (insert into {_quoted(table)} as t ({names}) "
        f"select {names} from given{after} order by {keys} "
        f"on conflict ({keys}) {action} returning (t.xmax = 0) as new) "
        "select count(*) filter (where new), count(*) filter (where not new), "
        f"{'(select count(*) from gone)' if gone else '0'} from written"
    )


def _delete(table: str, types: Mapping[str, str], scope: Mapping[str, list[Any]]) -> tuple[str, dict[str, Any]]:
    """The statement that deletes what is in scope, and its parameters."""
    parameters = {f"scope_{n}": encode_column(scope[c], types[c], c) for n, c in enumerate(scope)}
    conditions = [
        f"t.{_quote(column)} = any(cast(cast(:scope_{number} as text[]) as {types[column]}[]))"
        for number, column in enumerate(scope)
    ]
    return f"delete from {_quoted(table)} as t where {' and '.join(conditions)}", parameters


def _same(key: Sequence[str]) -> str:
    return " and ".join(f"s.{_quote(c)} = t.{_quote(c)}" for c in key)


def _stage(
    connection: Connection, table: str, columns: Sequence[str], types: Mapping[str, str], rows: Iterable[Sequence[Any]]
) -> str:
    """A temporary table with `rows`, gone at the end of the transaction."""
    stage = _quote(f"stage_{table.replace('.', '_')[:40]}_{next(_STAGE_NUMBERS)}")
    definition = ", ".join(f"{_quote(c)} {types[c]}" for c in columns)
    connection.exec_driver_sql(f"create temporary table {stage} ({definition}) on commit drop")
    _copy(connection, stage, columns, types, rows)
    return f"pg_temp.{stage}"


def _inline_source(
    columns: Sequence[str], types: Mapping[str, str], rows: Sequence[Sequence[Any]]
) -> tuple[str, dict[str, Any]]:
    """A subselect that yields `rows` from bound texts, cast to the columns' types."""
    parameters: dict[str, Any] = {}
    selected = []
    for number, column in enumerate(columns):
        selected.append(f"cast(v.c{number} as {types[column]}) as {_quote(column)}")
    for number, (column, values) in enumerate(_columns_of(columns, rows)):
        texts = encode_column(values, types[column], column)
        parameters[f"column_{number}"] = [None if t is None else clean_text(t) for t in texts]
    arrays = ", ".join(f"cast(:column_{n} as text[])" for n in range(len(columns)))
    aliases = ", ".join(f"c{n}" for n in range(len(columns)))
    return f"(select {', '.join(selected)} from unnest({arrays}) as v({aliases}))", parameters


def _columns_of(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """(column, its values) of rows of equal length."""
    lengths = set(map(len, rows))
    if lengths != {len(columns)}:
        raise ValueError(f"a row has {max(lengths - {len(columns)})} values for {len(columns)} columns")
    return zip(columns, zip(*rows, strict=True), strict=True)


def _copy(
    connection: Connection, target: str, columns: Sequence[str], types: Mapping[str, str], rows: Iterable[Sequence[Any]]
) -> int:
    stream = _CopyStream(_chunks(columns, types, rows))
    statement = f"copy {target} ({', '.join(map(_quote, columns))}) from stdin"
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection is closed")
    with driver.cursor() as cursor:
        try:
            cursor.copy_expert(statement, stream, _READ_BYTES)
        except Exception as error:
            # psycopg2 reports an error of our own stream as a failed COPY; what the caller needs is the stream's.
            if stream.error is not None:
                raise stream.error from None
            raise DBAPIError.instance(
                statement, None, error, connection.dialect.loaded_dbapi.Error, dialect=connection.dialect
            ) from error
    return stream.rows


class _CopyStream:
    """What psycopg2 reads a COPY from."""

    def __init__(self, chunks: Iterator[tuple[int, bytes]]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self.rows = 0
        self.error: Exception | None = None

    def read(self, size: int) -> bytes:
        """At most `size` bytes, none at the end."""
        if not self._rest:
            try:
                rows, data = next(self._chunks, (0, b""))
            except Exception as error:
                self.error = error
                raise
            self.rows += rows
            self._rest = memoryview(data)
        part, self._rest = self._rest[:size], self._rest[size:]
        return bytes(part)


def _chunks(
    columns: Sequence[str], types: Mapping[str, str], rows: Iterable[Sequence[Any]]
) -> Iterator[tuple[int, bytes]]:
    iterator = iter(rows)
    while chunk := list(itertools.islice(iterator, _CHUNK_ROWS)):
        fields = [copy_fields(values, types[column], column) for column, values in _columns_of(columns, chunk)]
        yield len(chunk), b"\n".join([*map(b"\t".join, zip(*fields, strict=True)), b""])


class _Schema:
    """The column types of one database's tables, kept while its schema is at the same revision.

    Alembic alone changes the schema, so one look at its revision per transaction says whether what is known still holds; asked for
    anew each time they were a fifth of the statements of an attempt. Without Alembic's table nothing is kept.
    """

    def __init__(self) -> None:
        self._migrated = False
        self._revision: str | None = None
        self._tables: dict[str, dict[str, str]] = {}
        self._looked: WeakKeyDictionary[Connection, bool] = WeakKeyDictionary()

    def types(self, connection: Connection, table: str) -> dict[str, str]:
        """Column -> type; empty where there is no such table."""
        if connection not in self._looked:
            self._looked[connection] = self._look(connection)
        if not self._looked[connection]:
            return self._ask(connection, table)[0]
        found = self._tables.get(table)
        if found is None:
            found, permanent = self._ask(connection, table)
            if permanent:
                self._tables[table] = found
        return found

    def _look(self, connection: Connection) -> bool:
        if not self._migrated:
            there = "select to_regclass('alembic_version') is not null"
            self._migrated = bool(execute(connection, there).scalar_one())
        if not self._migrated:
            return False
        revision = execute(connection, "select max(version_num) from alembic_version").scalar_one()
        if revision != self._revision:
            self._tables = {}
            self._revision = revision
        return True

    @staticmethod
    def _ask(connection: Connection, table: str) -> tuple[dict[str, str], bool]:
        """The types, and whether the table outlives a session."""
        rows = execute(
            connection,
            "select attname, format_type(atttypid, atttypmod), relpersistence <> 't' as permanent from pg_attribute "
            "join pg_class on pg_class.oid = attrelid "
            "where attrelid = to_regclass(:table) and attnum > 0 and not attisdropped",
            {"table": _quoted(table)},
        ).all()
        return {row.attname: row.format_type for row in rows}, bool(rows) and all(row.permanent for row in rows)


_SCHEMAS: WeakKeyDictionary[Engine, _Schema] = WeakKeyDictionary()


def _column_types(connection: Connection, table: str, columns: Sequence[str]) -> dict[str, str]:
    """Column -> type."""
    if len(set(columns)) != len(columns):
        raise ValueError(f"{table}: a column is named twice in {', '.join(columns)}")
    schema = _SCHEMAS.get(connection.engine)
    if schema is None:
        schema = _SCHEMAS.setdefault(connection.engine, _Schema())
    found = schema.types(connection, table)
    if not found:
        raise LookupError(f"no table {table} in this database; run the migrations (`debug-loop up`)")
    missing = [c for c in columns if c not in found]
    if missing:
        raise LookupError(f"table {table} has no column {', '.join(missing)}; it has {', '.join(found)}")
    return {c: found[c] for c in columns}


def _comparable(row: str, column: str, pg_type: str) -> str:
    """The column in a comparison: json has no equality, its text has."""
    return f"cast({row}.{_quote(column)} as text)" if pg_type == "json" else f"{row}.{_quote(column)}"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(table: str) -> str:
    return ".".join(map(_quote, table.split(".")))
