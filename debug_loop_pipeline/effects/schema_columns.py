"""Columns of the tables, read out of the migrations, so that asset metadata cannot drift from the schema."""

from __future__ import annotations

import re
from functools import lru_cache

from debug_loop_pipeline.effects.schema import migrations_folder

_CREATE = re.compile(r"^create table (\w+) \(\n(.*?)^\);", re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(
    r"^    (?!primary |unique |check |constraint |foreign )(\w+) ([a-z]+(?: precision)?(?:\([\d, ]+\))?(?:\[\])?)(.*)$",
    re.MULTILINE,
)


@lru_cache(maxsize=1)
def table_columns() -> dict[str, tuple[tuple[str, str, bool], ...]]:
    """Table -> (column, SQL type, nullable) in order, of every table the migrations create."""
    tables: dict[str, tuple[tuple[str, str, bool], ...]] = {}
    for path in sorted((migrations_folder() / "versions").glob("*.py")):
        for name, body in _CREATE.findall(path.read_text(encoding="utf-8")):
            tables[name] = tuple(
                (column, kind, "not null" not in rest and "primary key" not in rest)
                for column, kind, rest in _COLUMN.findall(body)
            )
    return tables
