"""A Dagster instance as `debug-loop dev` makes it, on databases of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
from sqlalchemy import text

from debug_loop_pipeline.cli.dagster_home import write_dagster_home
from debug_loop_pipeline.definitions import build_defs, debug_intelligence_job, gated_job, price_job
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.resources import dagster_storage
from debug_loop_pipeline.resources.servers import PostgresResource
from debug_loop_pipeline.sensors.dirty_days import RANGE_END, RANGE_START
from debug_loop_pipeline.settings import Settings, get_settings
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from tests.conftest import _create, _drop


@dataclass
class Pipeline:
    """The definitions over one database, with an instance to run them on."""

    instance: dg.DagsterInstance
    url: str
    postgres: PostgresResource
    defs: dg.Definitions

    @property
    def context(self) -> StepContext:
        """What steps work with, on the same database."""
        return StepContext(self.postgres.database(), Settings())

    def ingest(self, events: list[ExecutionEvent]) -> None:
        """Events into the inbox; their days are dirty then."""
        assert ingest_events(self.context, events, "test").rejects == []

    def run(
        self, span: Span, *, full_refresh: tuple[str, ...] = (), only: tuple[str, ...] = (), whole: bool = False
    ) -> dg.ExecuteInProcessResult:
        """The daily job (or only some of its assets) over a range of days, as the sensor's run does it; never raises.

        whole: with all checks and plots, not the blocking checks alone, as most runs of the sensor.
        """
        job = self.defs.resolve_job_def((debug_intelligence_job if whole else gated_job).name)
        return job.execute_in_process(
            instance=self.instance,
            tags={RANGE_START: span.first.isoformat(), RANGE_END: span.last.isoformat()},
            asset_selection=[dg.AssetKey(name) for name in only] or None,
            run_config={"ops": {name: {"config": {"full_refresh": True}} for name in full_refresh}},
            raise_on_error=False,
        )

    def seed_prices(self) -> dg.ExecuteInProcessResult:
        """The price job."""
        return self.defs.resolve_job_def(price_job.name).execute_in_process(instance=self.instance)

    def dirty(self) -> list[date]:
        """The dirty days."""
        return self.context.executions.dirty_days()

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Rows of the pipeline's database."""
        return fetch_rows(self.postgres.database(), query)

    def execute(self, *statements: str) -> None:
        """Statements on the pipeline's database, in one transaction."""
        with self.postgres.database().transaction() as connection:
            for statement in statements:
                connection.execute(text(statement))


@pytest.fixture(scope="session")
def dagster_tables(postgres_server_url: str) -> str:
    """Name of a database with Dagster's own tables, to be used as a template: to make them takes a second."""
    name = "dagster_template"
    url = _create(postgres_server_url, name, "template0")
    dagster_storage.PooledPostgresStorage(url)
    dagster_storage.pooled_engine(url).dispose()
    return name


@pytest.fixture
def pipeline(
    postgres_server_url: str, migrated: str, dagster_tables: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pipeline]:
    """A pipeline over fresh databases; a run that asks for settings of its own finds them there too."""
    name = f"test_{uuid4().hex[:12]}"
    dagster_name = f"{name}_dagster"
    url = _create(postgres_server_url, name, migrated)
    _create(postgres_server_url, dagster_name, dagster_tables)
    settings = Settings(postgres_url=url, data_dir=tmp_path)
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", url)
    get_settings.cache_clear()
    home = write_dagster_home(settings)
    postgres = PostgresResource(url=url)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield Pipeline(instance, url, postgres, build_defs(resource_overrides={"postgres": postgres}))
    postgres.database().close()
    dagster_storage.pooled_engine(settings.require_dagster_postgres_url()).dispose()
    get_settings.cache_clear()
    for database in (name, dagster_name):
        _drop(postgres_server_url, database)
