"""Digests of whole tables, so that two ways to the same facts can be compared."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, text

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.schema_columns import table_columns

# Serial numbers, the time of importing and what only records work in progress are no content (issue: equal rows).
LEFT_OUT_TABLES = {
    "step_progress",
    "fold_marks",
    "fold_days",
    "dirty_days",
    "import_files",
    "match_epochs",
    "recompute_reports",
    "forgotten",
}
LEFT_OUT_COLUMNS = {
    "created_at",
    "updated_at",
    "received_at",
    "rejected_at",
    "imported_at",
    "epoch",
    "reject_id",
    "price_id",
}


def table_digests(database: Database) -> dict[str, str]:
    """Table -> SHA-256 over its rows in a total order."""
    with database.transaction() as connection:
        return {table: _digest(connection, table) for table in sorted(table_columns()) if table not in LEFT_OUT_TABLES}


def _digest(connection: Connection, table: str) -> str:
    columns = [name for name, _, _ in table_columns()[table] if name not in LEFT_OUT_COLUMNS]
    rows = connection.execute(
        text(f"select row_to_json(t)::text from (select {', '.join(columns)} from {table}) t order by 1")
    )
    digest = hashlib.sha256()
    count = 0
    for row in rows.scalars():
        digest.update(row.encode())
        digest.update(b"\n")
        count += 1
    return f"{count}:{digest.hexdigest()}"
