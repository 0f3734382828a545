"""The column schema that assets show is read out of the migrations; here it meets the database they make."""

from __future__ import annotations

from debug_loop_pipeline.checks import rules
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.schema_columns import table_columns


def test_the_columns_read_out_of_the_migrations_are_those_of_the_database(postgres_url: str) -> None:
    database = Database(postgres_url)
    try:
        tables = fetch_rows(
            database,
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
            " and not relispartition and relname <> 'alembic_version'",
        )
        assert {row["relname"] for row in tables} == set(table_columns())
        findings = {table: rules.schema_as_migrated(database, table) for table in table_columns()}
        assert {table: finding.offenders for table, finding in findings.items() if not finding.passed} == {}
    finally:
        database.close()
