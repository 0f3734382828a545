"""Real servers for the tests, started once per test process and only when a test asks for them.

Tiers by folder: `unit` (no server, seconds), `integration` (servers), `e2e` (the whole product). A unit test that asks
for a server fails at collection.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal
from uuid import uuid4

import psycopg2
import pytest
from hypothesis import HealthCheck, settings
from psycopg2 import sql

from debug_loop_pipeline.embedded.kafka import find_jars, why_no_apache
from debug_loop_pipeline.embedded.process import ServerError, is_running, start_mark
from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.models.servers import ServerAddresses
from debug_loop_pipeline.settings import get_settings, libpq_url

PROJECT = Path(__file__).parents[1]
BrokerKind = Literal["apache", "tansu"]
_KEPT_VARIABLES = {"DEBUG_LOOP_SHARED_DATA", "DEBUG_LOOP_KAFKA_JARS", "DEBUG_LOOP_REQUIRE_APACHE_KAFKA"}
_SERVER_FIXTURES = {
    *(
        "supervisor",
        "postgres_server_url",
        "migrated",
        "postgres_url",
        "empty_postgres_url",
        "second_postgres_url",
        "valkey_url",
        "kafka",
        "broker_of",
    ),
}
_DIRECTORY_PREFIX = "debug-loop-tests-"
_ABSENT = Path(tempfile.gettempdir()) / f"debug-loop-absent-{os.getpid()}"
"""The data directory of tests that name none."""
_TEMPLATE = "migrated_template"
_PRICED = "priced_template"


def pytest_configure() -> None:
    """Cut the tests off from the developer's own settings and running servers, and from the clock's and dice's moods.

    `HYPOTHESIS_PROFILE=explore` looks for new examples; the default tries the same ones everywhere, however slow the machine.
    """
    settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
    for name in list(os.environ):
        if name.startswith("DEBUG_LOOP_") and name not in _KEPT_VARIABLES:
            del os.environ[name]
    os.environ["DEBUG_LOOP_DATA_DIR"] = str(_ABSENT)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
    get_settings.cache_clear()
    gc.disable()  # until all is loaded: what collection loads stays


def pytest_unconfigure() -> None:
    """Leave no folder of what wrote to the data directory that is none."""
    shutil.rmtree(_ABSENT, ignore_errors=True)


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was loaded: a look at Dagster and all the tests takes it half a second, each time."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the unit tier free of servers."""
    for item in items:
        wanted = _SERVER_FIXTURES & set(getattr(item, "fixturenames", ()))
        if wanted and Path(item.path).is_relative_to(PROJECT / "tests" / "unit"):
            raise pytest.UsageError(f"{item.nodeid} is a unit test but asks for {', '.join(sorted(wanted))}")


def _sweep_leftovers() -> None:
    """Stop the servers of test processes that were killed."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_DIRECTORY_PREFIX}*"):
        with suppress(OSError, ValueError, ServerError):
            pid, mark = (directory / "owner").read_text(encoding="utf-8").split()
            if not is_running(int(pid), mark):
                Supervisor(directory).down()
                shutil.rmtree(directory)


def _make_test_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix=_DIRECTORY_PREFIX))
    # Not pytest's own temporary directory: PostgreSQL's account cannot pass through that when the tests run as root.
    directory.chmod(0o711)
    (directory / "owner").write_text(f"{os.getpid()} {start_mark(os.getpid())}", encoding="utf-8")
    return directory


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout."""
    return PROJECT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real transcripts; the test is skipped where they are not."""
    place = Path(os.environ.get("DEBUG_LOOP_SHARED_DATA", PROJECT / ".." / "shared" / "data")).resolve()
    if not place.is_dir():
        pytest.skip(f"no real data at {place}; set DEBUG_LOOP_SHARED_DATA to the directory that holds them")
    return place


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """A temporary directory with a short path that other accounts can pass through, unlike pytest's own."""
    directory = _make_test_directory()
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def supervisor() -> Iterator[Supervisor]:
    """The servers of this test process, none of them started yet."""
    _sweep_leftovers()
    directory = _make_test_directory()
    servers = Supervisor(directory, durable=False)
    try:
        yield servers
    finally:
        servers.down()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server_url(supervisor: Supervisor) -> str:
    """SQLAlchemy URL of the server's first database. Tests want `postgres_url`."""
    url = supervisor.up("none", valkey=False).postgres_url
    assert url is not None
    return url


def _execute(server_url: str, statement: sql.Composed) -> None:
    with closing(psycopg2.connect(libpq_url(server_url))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


def _create(server_url: str, name: str, template: str) -> str:
    # The default way writes each page to the log besides, which takes twice the time.
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    _execute(server_url, statement.format(sql.Identifier(name), sql.Identifier(template)))
    return f"{server_url.rpartition('/')[0]}/{name}"


def _drop(server_url: str, name: str) -> None:
    _execute(server_url, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def migrated(postgres_server_url: str) -> str:
    """Name of a database at the newest schema revision, to be used as a template."""
    from debug_loop_pipeline.effects.schema import upgrade

    upgrade(_create(postgres_server_url, _TEMPLATE, "template0"))
    return _TEMPLATE


@pytest.fixture(scope="module")
def postgres_url(postgres_server_url: str, migrated: str) -> Iterator[str]:
    """SQLAlchemy URL of a fresh, migrated database, one per test module."""
    name = f"test_{uuid4().hex[:12]}"
    yield _create(postgres_server_url, name, migrated)
    _drop(postgres_server_url, name)


@pytest.fixture
def empty_postgres_url(postgres_server_url: str) -> Iterator[str]:
    """SQLAlchemy URL of a fresh, empty database, one per test."""
    name = f"test_{uuid4().hex[:12]}"
    yield _create(postgres_server_url, name, "template0")
    _drop(postgres_server_url, name)


@pytest.fixture(scope="session")
def priced(postgres_server_url: str, migrated: str) -> str:
    """Name of a migrated database with the price list in it, to be used as a template."""
    from debug_loop_pipeline.effects.postgres import Database
    from debug_loop_pipeline.steps.model_prices import seed

    database = Database(_create(postgres_server_url, _PRICED, migrated))
    seed(database)
    database.close()
    return _PRICED


@pytest.fixture
def store_urls(postgres_server_url: str, priced: str) -> Iterator[Callable[[], str]]:
    """Makes fresh databases with schema and prices, as many as a test asks for."""
    names: list[str] = []

    def make(template: str = priced) -> str:
        names.append(f"test_{uuid4().hex[:12]}")
        return _create(postgres_server_url, names[-1], template)

    yield make
    for name in names:
        _drop(postgres_server_url, name)


@pytest.fixture
def store_of_commands(store_urls: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A store of its own, which the environment names as a person's would."""
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", store_urls())
    monkeypatch.setenv("DEBUG_LOOP_DATA_DIR", str(tmp_path / "data"))
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(scope="module")
def valkey_url(supervisor: Supervisor) -> str:
    """URL of an empty Valkey, emptied once per test module."""
    import redis

    url = supervisor.up("none", postgres=False).valkey_url
    assert url is not None
    with closing(redis.Redis.from_url(url)) as client:
        client.flushall()
    return url


@pytest.fixture(scope="session")
def broker_of() -> Iterator[Callable[[BrokerKind], ServerAddresses]]:
    """The broker of a kind: started when it is first asked for and kept, since files ask for one kind after the other."""
    started: dict[BrokerKind, tuple[Supervisor, ServerAddresses]] = {}

    def running(kind: BrokerKind) -> ServerAddresses:
        if kind not in started:
            servers = Supervisor(_make_test_directory(), durable=False)
            try:
                started[kind] = servers, servers.up(kind, postgres=False, valkey=False)
            except BaseException:
                stop(servers)
                raise
        return started[kind][1]

    def stop(servers: Supervisor) -> None:
        servers.down()
        shutil.rmtree(servers.data_dir, ignore_errors=True)

    yield running
    for servers, _ in started.values():
        stop(servers)


@pytest.fixture(scope="session", params=["apache", "tansu"])
def kafka(request: pytest.FixtureRequest, broker_of: Callable[[BrokerKind], ServerAddresses]) -> ServerAddresses:
    """A broker of each kind in turn; `kafka_bootstrap_servers` and `kafka_kind` of the value are set."""
    reason = why_no_apache(find_jars(get_settings().kafka_jars))
    if request.param == "apache" and reason is not None:
        if os.environ.get("DEBUG_LOOP_REQUIRE_APACHE_KAFKA"):
            pytest.fail(f"Apache Kafka is required here: {reason}")
        pytest.skip(reason)
    return broker_of(request.param)
