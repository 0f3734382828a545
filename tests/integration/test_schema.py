"""The schema goes up, down without a trace, and up again; several processes may do it at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.effects import schema
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.schema_columns import column_comments, table_columns
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.settings import get_settings

_OURS = """
select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind in ('r', 'v', 'S', 'm') and c.relname <> 'alembic_version'
union all
select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'public'
"""


def names(url: str) -> set[str]:
    database = Database(url)
    try:
        return {row["name"] for row in fetch_rows(database, _OURS)}
    finally:
        database.close()


def test_down_removes_everything_that_up_made(empty_postgres_url: str) -> None:
    assert names(empty_postgres_url) == set()
    schema.upgrade(empty_postgres_url)
    made = names(empty_postgres_url)
    assert made >= set(table_columns())
    assert {"v_recommended_stfs", "v_error_resolution_patterns", "v_golden_states_full"} <= made
    assert schema.current(empty_postgres_url)[0] == schema.current(empty_postgres_url)[1]
    schema.downgrade(empty_postgres_url, "base")
    assert names(empty_postgres_url) == set()
    schema.upgrade(empty_postgres_url)
    assert names(empty_postgres_url) == made


def test_two_at_once_bring_it_up_once(empty_postgres_url: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(schema.upgrade, [empty_postgres_url] * 2))
    assert names(empty_postgres_url) >= set(table_columns())


@pytest.mark.parametrize("revision", [None, "0007"])
def test_a_command_on_an_older_schema_says_so(
    empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch, revision: str | None
) -> None:
    if revision:
        schema.upgrade(empty_postgres_url, revision)
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", empty_postgres_url)
    get_settings.cache_clear()
    try:
        with (
            pytest.raises(DebugLoopError, match=f"{revision or 'of nothing yet'}, and this .* `debug-loop up`"),
            open_store() as store,
        ):
            fetch_rows(store.database, "select problem from fold_marks")
    finally:
        get_settings.cache_clear()


_COMMENTED = """
select c.relname as table_name, a.attname as column_name, d.description
from pg_description d join pg_class c on c.oid = d.objoid join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and d.objsubid > 0
"""


def test_what_the_columns_mean_is_in_the_database_as_in_the_ui(empty_postgres_url: str) -> None:
    schema.upgrade(empty_postgres_url)
    database = Database(empty_postgres_url)
    try:
        there = {
            (row["table_name"], row["column_name"]): row["description"] for row in fetch_rows(database, _COMMENTED)
        }
    finally:
        database.close()
    assert there == column_comments()
