"""Reads that every store makes the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.resilience import Retry
from debug_loop_pipeline.effects.statements import execute


def fetch_rows(
    database: Database,
    query: str,
    params: Mapping[str, Any] | None = None,
    connection: Connection | None = None,
    *,
    operation: str = "fetch",
) -> list[dict[str, Any]]:
    """The rows of a query as dicts: in `connection` where one is given, else in a transaction of its own that may be repeated."""

    def read(on: Connection) -> list[dict[str, Any]]:
        result = execute(on, query, params)
        names = tuple(result.keys())
        return [dict(zip(names, row, strict=True)) for row in result.all()]  # a third of what `mappings()` takes

    if connection is not None:
        return read(connection)
    return database.run(operation, read, retry=Retry.ALWAYS)
