"""Valkey as the stores use it: one client with a pool, time-outs and no retries of its own.

Here: how the client is made and called. Not here: keys and values (one store per effect unit).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry as ClientRetry

from debug_loop_pipeline.effects.resilience import CircuitBreaker, EffectCaller, Retry, RetryPolicy

T = TypeVar("T")
# A cache answers in well under a millisecond; who waits for seconds is better served by the database behind it.
_POLICY = RetryPolicy(attempts=3, timeout_s=3.0, wait_initial_s=0.05, wait_max_s=0.5, wait_jitter_s=0.05)


class Valkey:
    """One Valkey server. Thread-safe; make one per process and share it. Values are bytes.

    Args:
        url: `valkey://:password@host:port/0` (`redis://`, `rediss://`, `unix://` as well).
        socket_timeout_s: for one answer.
        connect_timeout_s: for one connection.
        max_connections: of the pool; more callers than that at once get an error that counts as contention.
        policy: of retries.
        breaker: of calls; by default one of its own.
    """

    def __init__(
        self,
        url: str,
        *,
        socket_timeout_s: float = 1.0,
        connect_timeout_s: float = 1.0,
        max_connections: int = 50,
        policy: RetryPolicy = _POLICY,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        address = url.replace("valkey://", "redis://", 1).replace("valkeys://", "rediss://", 1)
        parts = urlsplit(address)
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise ValueError(f"not a Valkey URL: scheme {parts.scheme!r}, expected valkey://:password@host:port/0")
        self.client: redis.Redis = redis.Redis.from_url(
            address,
            socket_timeout=socket_timeout_s,
            socket_connect_timeout=connect_timeout_s,
            max_connections=max_connections,
            retry=ClientRetry(NoBackoff(), 0),
            retry_on_timeout=False,
            # Two more round trips at each connect that Valkey has no use for.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            protocol=2,
        )
        host = parts.hostname or ""
        self.caller = EffectCaller(
            "valkey",
            f"valkey://{host}:{parts.port or 6379}{parts.path}" if host else f"unix://{parts.path}",
            "Check that Valkey runs there and that DEBUG_LOOP_VALKEY_URL names it (`debug-loop up` starts one).",
            policy=policy,
            breaker=breaker,
        )

    def run(self, operation: str, work: Callable[[redis.Redis], T], *, retry: Retry = Retry.NEVER) -> T:
        """`work(client)`, tried again as `retry` allows (ALWAYS or NEVER: Valkey undoes nothing).

        Args:
            operation: its name in spans and errors.
            work: one command, pipeline or script; the whole of it is one attempt.
            retry: ALWAYS where doing it twice is doing it once.

        Raises:
            EffectUnavailableError, CircuitOpenError: as `EffectCaller.call`.
        """
        return self.caller.call(operation, lambda: work(self.client), retry=retry)

    def close(self) -> None:
        """Close the pooled connections."""
        self.client.close()
