"""Breaker, retry and classification without a server."""

from __future__ import annotations

import threading

import psycopg2
import psycopg2.errors
import pytest
import redis
from kafka import errors as kafka_errors
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from debug_loop_pipeline.effects.faults import Fault, classify
from debug_loop_pipeline.effects.resilience import (
    CircuitBreaker,
    CircuitState,
    EffectCaller,
    EffectUnavailableError,
    Retry,
    RetryPolicy,
    breaker_under,
)
from debug_loop_pipeline.settings import ResilienceSettings

NO_WAIT = RetryPolicy(attempts=3, timeout_s=5.0, wait_initial_s=0.001, wait_max_s=0.002, wait_jitter_s=0.0)


def _wrapped(error: Exception) -> OperationalError:
    return OperationalError("select 1", None, error)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (psycopg2.OperationalError("server closed the connection unexpectedly"), Fault.TRANSIENT),
        (psycopg2.OperationalError("connection to server failed: Connection refused"), Fault.TRANSIENT),
        (psycopg2.OperationalError("FATAL:  the database system is starting up"), Fault.TRANSIENT),
        (psycopg2.OperationalError('FATAL:  password authentication failed for user "x"'), Fault.PERMANENT),
        (psycopg2.OperationalError('FATAL:  database "x" does not exist'), Fault.PERMANENT),
        (psycopg2.InterfaceError("connection already closed"), Fault.TRANSIENT),
        (psycopg2.InterfaceError("cursor already closed"), Fault.PERMANENT),
        (_wrapped(psycopg2.OperationalError("SSL SYSCALL error: EOF detected")), Fault.TRANSIENT),
        (PoolTimeout("QueuePool limit"), Fault.CONTENTION),
        (redis.ConnectionError("refused"), Fault.TRANSIENT),
        (redis.TimeoutError("slow"), Fault.TRANSIENT),
        (redis.AuthenticationError("wrong"), Fault.PERMANENT),
        (redis.ResponseError("WRONGTYPE"), Fault.PERMANENT),
        (redis.exceptions.BusyLoadingError("LOADING"), Fault.TRANSIENT),
        (kafka_errors.KafkaTimeoutError(), Fault.TRANSIENT),
        (kafka_errors.NotLeaderForPartitionError(), Fault.TRANSIENT),
        (
            kafka_errors.KafkaError("Unexpected error in InitProducerIdResponse: [Error -1] UnknownError"),
            Fault.TRANSIENT,
        ),
        (kafka_errors.TopicAuthorizationFailedError(), Fault.PERMANENT),
        (ConnectionResetError(), Fault.TRANSIENT),
        (TimeoutError(), Fault.TRANSIENT),
        (ValueError("ours"), Fault.PERMANENT),
    ],
)
def test_an_error_means_what_its_library_says(error: Exception, fault: Fault) -> None:
    assert classify(error) is fault


def _caller(**arguments: object) -> EffectCaller:
    return EffectCaller("postgres", "somewhere", "Look there.", policy=NO_WAIT, **arguments)  # type: ignore[arg-type]


def test_a_call_that_succeeds_at_its_last_attempt_is_a_success() -> None:
    results = iter([ConnectionResetError(), ConnectionResetError(), "value"])

    def work() -> object:
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return result

    caller = _caller()
    assert caller.call("read", work, retry=Retry.ALWAYS) == "value"
    assert caller.breaker.state is CircuitState.CLOSED


def test_if_undone_asks_before_it_repeats() -> None:
    made = []

    def work() -> None:
        made.append(1)
        raise ConnectionResetError

    with pytest.raises(EffectUnavailableError):
        _caller().call("write", work, retry=Retry.IF_UNDONE, undone=lambda: len(made) < 2)
    assert len(made) == 2


def test_the_error_of_another_server_inside_a_call_is_not_held_against_this_one() -> None:
    breaker = CircuitBreaker(threshold=1)
    inner = EffectCaller("valkey", "elsewhere", "Look.", policy=NO_WAIT)

    def work() -> None:
        inner.call("get", _refused)

    with pytest.raises(EffectUnavailableError, match="valkey"):
        _caller(breaker=breaker).call("read", work)
    assert breaker.state is CircuitState.CLOSED


def _refused() -> None:
    raise ConnectionRefusedError


def test_our_own_mistake_neither_opens_nor_closes_the_breaker() -> None:
    breaker = CircuitBreaker(threshold=2)
    caller = _caller(breaker=breaker)

    def mistaken() -> None:
        raise KeyError("k")

    with pytest.raises(EffectUnavailableError):
        caller.call("read", _refused)
    with pytest.raises(KeyError):
        caller.call("read", mistaken)
    with pytest.raises(EffectUnavailableError):
        caller.call("read", _refused)
    assert breaker.state is CircuitState.OPEN


def test_half_open_lets_one_thread_through_and_its_nested_calls() -> None:
    now = [0.0]
    breaker = CircuitBreaker(threshold=1, cooldown_s=30.0, clock=lambda: now[0])
    breaker.admit()
    breaker.failed()
    now[0] = 30.0
    assert breaker.admit() == 0.0
    assert breaker.admit() == 0.0
    others: list[float] = []
    thread = threading.Thread(target=lambda: others.append(breaker.admit()))
    thread.start()
    thread.join()
    assert others[0] > 0
    breaker.abandoned()
    assert breaker.state is CircuitState.HALF_OPEN
    assert breaker.admit() == 0.0
    breaker.succeeded()
    assert breaker.state is CircuitState.CLOSED


def test_a_breaker_opens_and_waits_as_it_is_set() -> None:
    breaker = breaker_under(ResilienceSettings(breaker_failures=2, breaker_reset_seconds=7))
    breaker.failed()
    assert breaker.admit() == 0
    breaker.failed()
    assert 6 < breaker.admit() <= 7
