"""Dagster's storage over pooled connections."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import text
from sqlalchemy.event import listen

from debug_loop_pipeline.cli.dagster_home import write_dagster_home
from debug_loop_pipeline.resources.dagster_storage import PooledEventLogStorage, PooledPostgresStorage, pooled_engine
from debug_loop_pipeline.settings import Settings


@dg.asset
def probe() -> None: ...


def instance_in(home: Path, postgres_url: str) -> dg.DagsterInstance:
    settings = Settings(data_dir=home, dagster_postgres_url=postgres_url)
    return dg.DagsterInstance.from_config(str(write_dagster_home(settings)))


def test_the_written_home_gives_an_instance_that_keeps_runs_and_stays_silent(
    tmp_path: Path, empty_postgres_url: str
) -> None:
    instance = instance_in(tmp_path, empty_postgres_url)
    result = dg.materialize([probe], instance=instance)
    assert result.success
    assert instance.telemetry_enabled is False
    assert instance.nux_enabled is False
    again = dg.DagsterInstance.from_ref(instance.get_ref())
    assert [run.run_id for run in again.get_runs()] == [result.run_id]
    assert again.get_latest_materialization_event(probe.key) is not None
    pooled_engine(empty_postgres_url).dispose()


def test_every_storage_and_instance_of_a_process_shares_a_few_connections(
    tmp_path: Path, empty_postgres_url: str
) -> None:
    for _ in range(3):
        instance = instance_in(tmp_path, empty_postgres_url)
        assert dg.materialize([probe], instance=instance).success
    engine = pooled_engine(empty_postgres_url)
    with engine.connect() as connection:
        count = connection.execute(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'dagster'"
            )
        ).scalar_one()
    engine.dispose()
    assert 1 <= count <= 8


def test_a_storage_survives_a_restart_of_its_server(empty_postgres_url: str) -> None:
    storage = PooledPostgresStorage(empty_postgres_url)
    assert storage.run_storage.get_runs() == []
    engine = pooled_engine(empty_postgres_url)
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert storage.run_storage.get_runs() == []
    assert storage.schedule_storage.all_instigator_state() == []
    engine.dispose()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_talk_on_its_parents_connections(empty_postgres_url: str) -> None:
    engine = pooled_engine(empty_postgres_url)
    with engine.connect() as connection:
        parent = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with engine.connect() as connection:
            os.write(writing, str(connection.execute(text("SELECT pg_backend_pid()")).scalar_one()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert int(pipe.read()) != parent
    with engine.connect() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() == parent
    engine.dispose()


def test_the_catalog_is_asked_once_for_a_column_that_is_there(empty_postgres_url: str) -> None:
    events = PooledPostgresStorage(empty_postgres_url).event_log_storage
    assert isinstance(events, PooledEventLogStorage)
    asked: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    listen(pooled_engine(empty_postgres_url), "before_cursor_execute", note)
    assert events.has_asset_key_col("cached_status_data")
    assert asked
    asked.clear()
    assert events.has_asset_key_col("cached_status_data")
    assert asked == []
    assert not events.has_asset_key_col("came_later")
    with pooled_engine(empty_postgres_url).begin() as connection:
        connection.execute(text("alter table asset_keys add column came_later text"))
    assert events.has_asset_key_col("came_later")
    pooled_engine(empty_postgres_url).dispose()
