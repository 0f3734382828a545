"""The PostgreSQL client through a proxy that breaks connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from debug_loop_pipeline.effects.postgres import Database, advisory_lock, try_advisory_lock
from debug_loop_pipeline.effects.postgres_driver import ServerSilentError
from debug_loop_pipeline.effects.resilience import (
    CircuitBreaker,
    CircuitOpenError,
    CircuitState,
    EffectUnavailableError,
    OutcomeUnknownError,
    Retry,
)
from tests.support.clock import Clock
from tests.support.fault_proxy import QUICK, FaultProxy


@pytest.fixture
def proxy(empty_postgres_url: str) -> Iterator[FaultProxy]:
    url = make_url(empty_postgres_url)
    with FaultProxy(url.host or "127.0.0.1", url.port or 5432) as proxy:
        yield proxy


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(empty_postgres_url: str, proxy: FaultProxy, clock: Clock) -> Iterator[Database]:
    url = make_url(empty_postgres_url).set(host="127.0.0.1", port=proxy.port)
    database = Database(
        url.render_as_string(hide_password=False),
        policy=QUICK,
        breaker=CircuitBreaker(clock=clock),
        connect_timeout_s=2,
    )
    with database.transaction() as connection:
        connection.execute(text("create table kept (id int primary key, n int not null default 0)"))
    yield database
    proxy.blackhole(False)
    database.close()


def _insert(number: int) -> object:
    return lambda connection: connection.execute(text("insert into kept (id) values (:id)"), {"id": number})


def _count(database: Database) -> int:
    return database.run(
        "count", lambda c: c.execute(text("select count(*) from kept")).scalar_one(), retry=Retry.ALWAYS
    )


def test_a_cut_in_the_middle_of_a_transaction_is_retried_and_succeeds(database: Database, proxy: FaultProxy) -> None:
    attempts = 0

    def work(connection: Connection) -> int:
        nonlocal attempts
        attempts += 1
        connection.execute(text("insert into kept (id) values (1)"))
        if attempts == 1:
            proxy.cut()
        connection.execute(text("insert into kept (id) values (2)"))
        return attempts

    assert database.run("write", work, retry=Retry.IF_UNDONE) == 2
    assert _count(database) == 2


def test_a_pooled_connection_that_died_costs_no_error_even_where_nothing_may_be_repeated(
    database: Database, proxy: FaultProxy
) -> None:
    assert _count(database) == 0
    proxy.cut()
    time.sleep(0.05)
    database.run("write", _insert(1))
    assert _count(database) == 1


def test_without_leave_to_retry_one_attempt_is_made(database: Database, proxy: FaultProxy) -> None:
    database.close()
    before = proxy.connections
    proxy.refuse(100)
    with pytest.raises(
        EffectUnavailableError, match=r"postgres at postgresql://.*: write failed, tried once"
    ) as caught:
        database.run("write", _insert(1))
    assert proxy.connections - before == 1  # the client libraries try nothing on their own
    assert "DEBUG_LOOP_POSTGRES_URL" in str(caught.value)


def test_with_leave_to_retry_exactly_the_allowed_attempts_reach_the_server(
    database: Database, proxy: FaultProxy
) -> None:
    database.close()
    before = proxy.connections
    proxy.refuse(100)
    with pytest.raises(EffectUnavailableError) as caught:
        database.run("write", _insert(1), retry=Retry.ALWAYS)
    assert caught.value.attempts == QUICK.attempts
    assert proxy.connections - before == QUICK.attempts


def test_a_permanent_error_is_not_repeated_and_keeps_its_type(database: Database) -> None:
    attempts = 0

    def work(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        connection.execute(text("insert into kept (id) values (1), (1)"))

    with pytest.raises(IntegrityError) as caught:
        database.run("write", work, retry=Retry.ALWAYS)
    assert attempts == 1
    assert any("write" in note for note in caught.value.__notes__)
    with pytest.raises(ProgrammingError):
        database.run("read", lambda c: c.execute(text("select * from nowhere")), retry=Retry.ALWAYS)
    assert database.caller.breaker.state is CircuitState.CLOSED


def test_a_wrong_password_is_not_repeated(empty_postgres_url: str, proxy: FaultProxy) -> None:
    url = make_url(empty_postgres_url).set(host="127.0.0.1", port=proxy.port, password="wrong")
    database = Database(url.render_as_string(hide_password=False), policy=QUICK)
    with pytest.raises(Exception, match="authentication failed"):
        database.run("read", lambda c: c.execute(text("select 1")), retry=Retry.ALWAYS)
    assert proxy.connections == 1


def test_a_connection_lost_during_commit_is_said_to_be_of_unknown_outcome(
    database: Database, proxy: FaultProxy
) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("insert into kept (id) values (1)"))
        proxy.cut_at_next_request()

    with pytest.raises(OutcomeUnknownError, match="not known"):
        database.run("spend", work, retry=Retry.IF_UNDONE)
    proxy.cut_at_next_request(0)
    assert _count(database) == 0


def test_a_commit_that_may_be_repeated_is(database: Database, proxy: FaultProxy) -> None:
    attempts = 0

    def work(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        connection.execute(text("insert into kept (id) values (1) on conflict do nothing"))
        if attempts == 1:
            proxy.cut_at_next_request()

    database.run("upsert", work, retry=Retry.ALWAYS)
    assert (attempts, _count(database)) == (2, 1)


def test_the_breaker_opens_after_five_failed_calls_and_half_opens_after_thirty_seconds(
    database: Database, proxy: FaultProxy, clock: Clock
) -> None:
    database.close()
    proxy.refuse(10_000)
    for _ in range(5):
        assert database.caller.breaker.state is CircuitState.CLOSED
        with pytest.raises(EffectUnavailableError):
            database.run("read", lambda c: c.execute(text("select 1")))
    assert database.caller.breaker.state is CircuitState.OPEN
    before = proxy.connections
    clock.now += 29.9
    with pytest.raises(CircuitOpenError) as caught:
        database.run("read", lambda c: c.execute(text("select 1")))
    assert caught.value.retry_after_s == pytest.approx(0.1, abs=0.01)
    assert proxy.connections == before
    clock.now += 0.2
    assert database.caller.breaker.state is CircuitState.HALF_OPEN
    with pytest.raises(EffectUnavailableError):  # the trial fails: open again
        database.run("read", lambda c: c.execute(text("select 1")))
    assert proxy.connections == before + 1
    assert database.caller.breaker.state is CircuitState.OPEN
    clock.now += 31
    proxy.refuse(0)
    assert _count(database) == 0
    assert database.caller.breaker.state is CircuitState.CLOSED


def test_a_success_between_failures_keeps_the_breaker_closed(database: Database, proxy: FaultProxy) -> None:
    for _ in range(3):
        database.close()
        proxy.refuse(3)
        for _ in range(3):
            with pytest.raises(EffectUnavailableError):
                database.run("read", lambda c: c.execute(text("select 1")))
        assert _count(database) == 0
    assert database.caller.breaker.state is CircuitState.CLOSED


def test_a_slow_statement_ends_at_its_time_out_and_is_not_repeated(database: Database) -> None:
    attempts = 0

    def work(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        connection.execute(text("select pg_sleep(30)"))

    begun = time.monotonic()
    with pytest.raises(Exception, match="statement timeout"):
        database.run("read", work, retry=Retry.ALWAYS, statement_timeout_ms=200)
    assert time.monotonic() - begun < 5
    assert attempts == 1


def test_a_server_that_falls_silent_ends_the_wait_of_a_statement(database: Database, proxy: FaultProxy) -> None:
    begun = time.monotonic()

    def work(connection: Connection) -> None:
        connection.connection.driver_connection.deadline_s = 0.5  # type: ignore[union-attr]
        proxy.blackhole()
        connection.execute(text("select 1"))

    with pytest.raises(EffectUnavailableError) as caught:
        database.run("read", work)
    assert time.monotonic() - begun < 5
    assert isinstance(caught.value.__cause__.orig, ServerSilentError)  # type: ignore[union-attr]


def test_a_server_that_falls_silent_ends_the_wait_for_a_connection(database: Database, proxy: FaultProxy) -> None:
    database.close()
    proxy.blackhole()
    begun = time.monotonic()
    with pytest.raises(EffectUnavailableError):
        database.run("read", lambda c: c.execute(text("select 1")))
    assert time.monotonic() - begun < 10


def test_a_delay_within_the_time_out_is_waited_for(database: Database, proxy: FaultProxy) -> None:
    proxy.delay(0.05)
    assert _count(database) == 0


def test_a_deadlock_is_repeated_and_leaves_the_breaker_alone(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("insert into kept (id) values (1), (2)"))
    barrier = threading.Barrier(2)
    attempts = []

    def both(first: int, second: int) -> None:
        def work(connection: Connection) -> None:
            attempts.append(first)
            connection.execute(text("update kept set n = n + 1 where id = :id"), {"id": first})
            if len(attempts) <= 2:
                barrier.wait(10)
            connection.execute(text("update kept set n = n + 1 where id = :id"), {"id": second})

        database.run("update", work, retry=Retry.IF_UNDONE)

    threads = [threading.Thread(target=both, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(attempts) == 3
    total = database.run("read", lambda c: c.execute(text("select sum(n) from kept")).scalar_one())
    assert total == 4
    assert database.caller.breaker.state is CircuitState.CLOSED


def test_an_advisory_lock_excludes_until_the_transaction_ends(database: Database) -> None:
    with database.transaction() as holder:
        advisory_lock(holder, "fold:mappings")
        with database.transaction() as other:
            assert not try_advisory_lock(other, "fold:mappings")
            assert try_advisory_lock(other, "fold:golden")
        with pytest.raises(EffectUnavailableError), database.transaction("fold") as waiting:
            advisory_lock(waiting, "fold:mappings", wait_s=0.2)
        timeouts = holder.execute(text("select current_setting('statement_timeout'), current_setting('lock_timeout')"))
        assert tuple(timeouts.one()) == ("1min", "0")
    with database.transaction() as after:
        assert try_advisory_lock(after, "fold:mappings")
