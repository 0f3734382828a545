"""The Valkey client through a proxy that breaks connections."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import redis

from debug_loop_pipeline.effects.resilience import (
    CircuitBreaker,
    CircuitOpenError,
    CircuitState,
    EffectUnavailableError,
    Retry,
)
from debug_loop_pipeline.effects.valkey import Valkey
from tests.support.clock import Clock
from tests.support.fault_proxy import QUICK, FaultProxy


@pytest.fixture
def proxy(valkey_url: str) -> Iterator[FaultProxy]:
    parts = urlsplit(valkey_url)
    with FaultProxy(parts.hostname or "127.0.0.1", parts.port or 6379) as proxy:
        yield proxy


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def valkey(valkey_url: str, proxy: FaultProxy, clock: Clock) -> Iterator[Valkey]:
    parts = urlsplit(valkey_url)
    credentials = parts.netloc.rpartition("@")[0]
    netloc = f"{credentials}@127.0.0.1:{proxy.port}" if credentials else f"127.0.0.1:{proxy.port}"
    address = parts._replace(netloc=netloc).geturl()
    valkey = Valkey(address, socket_timeout_s=0.5, policy=QUICK, breaker=CircuitBreaker(clock=clock))
    yield valkey
    proxy.blackhole(False)
    valkey.close()


def _get(client: redis.Redis) -> object:
    return client.get("k")


def test_a_cut_is_retried_and_succeeds(valkey: Valkey, proxy: FaultProxy) -> None:
    valkey.run("set", lambda c: c.set("k", "v"), retry=Retry.ALWAYS)
    proxy.cut_at_next_request()
    before = proxy.connections
    assert valkey.run("get", _get, retry=Retry.ALWAYS) == b"v"
    assert proxy.connections - before == 1


def test_without_leave_to_retry_one_attempt_is_made(valkey: Valkey, proxy: FaultProxy) -> None:
    valkey.close()
    before = proxy.connections
    proxy.refuse(100)
    with pytest.raises(
        EffectUnavailableError, match=r"valkey at valkey://127.0.0.1.*: get failed, tried once"
    ) as caught:
        valkey.run("get", _get)
    assert proxy.connections - before == 1  # redis-py retries nothing on its own
    assert "DEBUG_LOOP_VALKEY_URL" in str(caught.value)


def test_with_leave_to_retry_exactly_the_allowed_attempts_reach_the_server(valkey: Valkey, proxy: FaultProxy) -> None:
    valkey.close()
    before = proxy.connections
    proxy.refuse(100)
    with pytest.raises(EffectUnavailableError) as caught:
        valkey.run("get", _get, retry=Retry.ALWAYS)
    assert (caught.value.attempts, proxy.connections - before) == (QUICK.attempts, QUICK.attempts)


def test_a_permanent_error_is_not_repeated_and_keeps_its_type(valkey: Valkey) -> None:
    attempts = 0

    def work(client: redis.Redis) -> object:
        nonlocal attempts
        attempts += 1
        client.set("text", "x")
        return client.incr("text")

    with pytest.raises(redis.ResponseError):
        valkey.run("incr", work, retry=Retry.ALWAYS)
    assert attempts == 1
    assert valkey.caller.breaker.state is CircuitState.CLOSED


def test_the_breaker_opens_after_five_failed_calls_and_closes_after_a_trial(
    valkey: Valkey, proxy: FaultProxy, clock: Clock
) -> None:
    valkey.close()
    proxy.refuse(10_000)
    for _ in range(5):
        with pytest.raises(EffectUnavailableError):
            valkey.run("get", _get)
    before = proxy.connections
    with pytest.raises(CircuitOpenError):
        valkey.run("get", _get)
    assert proxy.connections == before
    proxy.refuse(0)
    clock.now += 30
    valkey.run("get", _get)
    assert valkey.caller.breaker.state is CircuitState.CLOSED


def test_a_server_that_falls_silent_ends_the_wait(valkey: Valkey, proxy: FaultProxy) -> None:
    valkey.run("get", _get)
    proxy.blackhole()
    begun = time.monotonic()
    with pytest.raises(EffectUnavailableError):
        valkey.run("get", _get)
    assert time.monotonic() - begun < 3
