"""Tables as the UI shows them: the schema of a stored one, a few rows of a read one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from debug_loop_pipeline.effects.schema_columns import column_comments, table_columns
from debug_loop_pipeline.text import shorten

_CELL_CHARS = 100


def table_metadata(table: str) -> dict[str, Any]:
    """Name and column schema of the table an asset writes."""
    columns = [
        dg.TableColumn(
            name,
            kind,
            description=column_comments().get((table, name)),
            constraints=dg.TableColumnConstraints(nullable=nullable),
        )
        for name, kind, nullable in table_columns()[table]
    ]
    return {"dagster/table_name": table, "dagster/column_schema": dg.TableSchema(columns=columns)}


def table_sample(rows: Iterable[Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    """A few rows as a Markdown table."""
    listed = [dict(row) for row in rows]
    if not listed:
        return dg.MetadataValue.md("no rows")
    columns = list(listed[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(row[column]) for column in columns) + " |" for row in listed]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: Any) -> str:
    """Text as it stands, a cut marked: error patterns hold placeholders in angle brackets, which Markdown would take for HTML."""
    text = shorten(str(value), _CELL_CHARS)
    for sign, written in (
        ("\\", "\\\\"),
        ("|", "\\|"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("`", "\\`"),
        ("*", "\\*"),
        ("_", "\\_"),
    ):
        text = text.replace(sign, written)
    return text
