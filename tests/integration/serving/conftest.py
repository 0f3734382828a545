"""A store in which three tasks were fixed, one per test module, and `serve` on it in a thread."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.serving.daemon import ServeDaemon
from debug_loop_pipeline.serving.intake import Intake
from debug_loop_pipeline.settings import RecommendationSettings, Settings
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_dirty_days
from tests.support.events import fixed_task

NO_HOLDOUT = RecommendationSettings(holdout_share=0.0)


@pytest.fixture(scope="module")
def learned(postgres_server_url: str, priced: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Name of a database in which `KeyError: 'name'` was fixed in three tasks."""
    from tests.conftest import _create, _drop

    name = f"learned_{uuid4().hex[:8]}"
    made = StepContext(
        Database(_create(postgres_server_url, name, priced)), Settings(data_dir=tmp_path_factory.mktemp("learned"))
    )
    ingest_events(made, [event for day in range(3) for event in fixed_task(f"task-{day}", day=day)], "test")
    run_dirty_days(made)
    made.database.close()
    yield name
    _drop(postgres_server_url, name)


@pytest.fixture(scope="module")
def settings(postgres_server_url: str, learned: str) -> Iterator[Settings]:
    """Settings of the store that knows the fixed tasks; what a test serves is removed after it."""
    from tests.conftest import _make_test_directory

    place = _make_test_directory()
    url = f"{postgres_server_url.rpartition('/')[0]}/{learned}"
    yield Settings(data_dir=place / "data", postgres_url=url, recommendation=NO_HOLDOUT)
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def _database(settings: Settings) -> Iterator[Database]:
    made = Database(settings.require_postgres_url())
    yield made
    made.close()


@pytest.fixture
def database(_database: Database) -> Database:
    with _database.transaction() as connection:
        connection.exec_driver_sql("delete from recommendations")
    return _database


@contextmanager
def serving(settings: Settings, intake: Intake | None = None, *, warm: bool = True) -> Iterator[ServeDaemon]:
    """`serve` in a thread; with `warm` the index is there."""
    daemon = ServeDaemon(settings, intake)
    thread = threading.Thread(target=daemon.run, daemon=True)
    thread.start()
    try:
        assert daemon.ready.wait(20)
        if warm:
            assert daemon._keeper.wait_loaded(20)
        yield daemon
    finally:
        daemon.stop()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def daemon(settings: Settings) -> Iterator[ServeDaemon]:
    with serving(settings) as made:
        yield made
