"""Columns of the tables and what they mean, read out of the migrations, so that asset metadata cannot drift from the schema.

Apart from `schema`, so that loading the definitions does not load Alembic.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

_CREATE = re.compile(r"^create table (\w+) \(\n(.*?)^\)[^;\n]*;", re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(
    r"^    (?!primary |unique |check |constraint |foreign )(\w+) ([a-z]+(?: precision)?(?:\([\d, ]+\))?(?:\[\])?)(.*)$",
    re.MULTILINE,
)
_ADDED = re.compile(
    r"^alter table (\w+) add column (\w+) ([a-z]+(?: precision)?(?:\([\d, ]+\))?(?:\[\])?)([^;]*);", re.MULTILINE
)
_COMMENT = re.compile(r"^comment on column (\w+)\.(\w+) is '((?:[^']|'')*)';", re.MULTILINE)


def migrations_folder() -> Path:
    """Where the migrations lie: in the checkout, or inside an installed package.

    Raises:
        FileNotFoundError: in neither place.
    """
    for folder in (Path(__file__).parents[2] / "migrations", Path(__file__).parents[1] / "_migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise FileNotFoundError("the migrations folder is missing: install the package whole, or run from a checkout")


@lru_cache(maxsize=1)
def table_columns() -> dict[str, tuple[tuple[str, str, bool], ...]]:
    """Table -> (column, SQL type, nullable) in order, of every table the migrations create."""
    tables: dict[str, tuple[tuple[str, str, bool], ...]] = {}
    for path in sorted((migrations_folder() / "versions").glob("*.py")):
        migration = path.read_text(encoding="utf-8")
        for name, body in _CREATE.findall(migration):
            tables[name] = tuple(
                (column, kind, "not null" not in rest and "primary key" not in rest)
                for column, kind, rest in _COLUMN.findall(body)
            )
        for name, column, kind, rest in _ADDED.findall(migration):
            tables[name] += ((column, kind, "not null" not in rest),)
    return tables


@lru_cache(maxsize=1)
def column_comments() -> dict[tuple[str, str], str]:
    """(table, column) -> what it means, where a migration says so."""
    return {
        (table, column): comment.replace("''", "'")
        for path in sorted((migrations_folder() / "versions").glob("*.py"))
        for table, column, comment in _COMMENT.findall(path.read_text(encoding="utf-8"))
    }
