"""SQL as the driver takes it, translated once: SQLAlchemy's `text()` parses and compiles its statement at every call."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, CursorResult, Dialect, text
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

_KEPT = 2_000
_DIALECT: Dialect = PGDialect_psycopg2()  # type: ignore[no-untyped-call]


def execute(connection: Connection, sql: str, params: Mapping[str, Any] | None = None) -> CursorResult[Any]:
    """The result of a statement with `:name` parameters, as `connection.execute(text(sql), params)` gives it."""
    return connection.exec_driver_sql(_translated(sql), dict(params or {}))


@lru_cache(_KEPT)
def _translated(sql: str) -> str:
    return str(text(sql).compile(dialect=_DIALECT))
