"""How every effect calls a server: retry, circuit breaker, time limit, trace span (DOMAIN section 1, *effect*).

Here: the one `EffectCaller` that all stores and clients call through, its errors and the breaker. Not here: what an
error means (`faults`), and the time-outs of a single attempt, which belong to the client (`postgres`, `valkey`).

The breaker stands outside the retries: a call that succeeded at its third attempt is a success, and five *calls* in a
row that failed with all their attempts open it. So a server that restarts within the retries' time costs nobody an
outage of 30 s.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

import stamina
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from debug_loop_pipeline.effects.faults import Fault, classify

if TYPE_CHECKING:
    from debug_loop_pipeline.settings import ResilienceSettings

T = TypeVar("T")
Attribute = str | int | float | bool


class EffectError(RuntimeError):
    """A call to a server could not be carried out. The message says what, where and what to do.

    Attributes:
        system: `postgres`, `valkey` or `kafka`.
        operation: what was asked for.
    """

    def __init__(self, message: str, *, system: str, operation: str) -> None:
        super().__init__(message)
        self.system = system
        self.operation = operation


class EffectUnavailableError(EffectError):
    """The server was not reached, or lost the call for a passing reason, in every attempt that was allowed.

    Attributes:
        attempts: how many were made.
    """

    def __init__(self, message: str, *, system: str, operation: str, attempts: int) -> None:
        super().__init__(message, system=system, operation=operation)
        self.attempts = attempts


class CircuitOpenError(EffectError):
    """Not tried: the calls before it failed in a row. `retry_after_s`: seconds until one call is let through to see."""

    def __init__(self, message: str, *, system: str, operation: str, retry_after_s: float) -> None:
        super().__init__(message, system=system, operation=operation)
        self.retry_after_s = retry_after_s


class OutcomeUnknownError(EffectError):
    """The connection broke while the change was being committed: it may or may not have happened. Look before doing
    it again.
    """


class Retry(StrEnum):
    """Which failed calls may be made again. The default of every call is NEVER: repeating is a promise the caller
    makes.
    """

    NEVER = "never"
    IF_UNDONE = "if_undone"
    """Only where the server certainly undid the first attempt (a transaction that did not reach its COMMIT)."""
    ALWAYS = "always"
    """Doing it twice is doing it once: reads, upserts, deletes by key."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off with jitter: min(`wait_max_s`, `wait_initial_s` * 2^n + random * `wait_jitter_s`), within
    `timeout_s` in all.
    """

    attempts: int = 6
    timeout_s: float = 30.0
    wait_initial_s: float = 0.1
    wait_max_s: float = 2.0
    wait_jitter_s: float = 0.2


_TRIAL_UNDER_WAY_S = 1.0  # what a call beside a trial is told to wait


class CircuitState(StrEnum):
    """closed: calls pass; open: calls are refused; half_open: one call is out to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Refuses calls to a server that failed `threshold` times in a row, until a single trial after `cooldown_s`
    succeeds. Thread-safe.

    Every call that `admit` let through is ended by exactly one of `succeeded`, `failed` and `abandoned`.

    Args:
        threshold: failures in a row that open it.
        cooldown_s: seconds from opening (or from a failed trial) to the next trial.
        clock: monotonic seconds.
    """

    def __init__(
        self, threshold: int = 5, cooldown_s: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if threshold < 1 or cooldown_s < 0:
            raise ValueError(
                f"threshold must be at least 1 and cooldown_s not negative, not {threshold} and {cooldown_s}"
            )
        self._threshold = threshold
        self._cooldown_s = cooldown_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at: float | None = None
        self._trial: int | None = None  # the thread that makes it: a call nested in the trial belongs to it

    @property
    def state(self) -> CircuitState:
        """What the next call meets."""
        with self._lock:
            if self._opened_at is None:
                return CircuitState.CLOSED
            waited = self._clock() - self._opened_at
            return (
                CircuitState.HALF_OPEN if self._trial is not None or waited >= self._cooldown_s else CircuitState.OPEN
            )

    def admit(self) -> float:
        """0.0 lets the call through; else it is refused, and this is how many seconds to wait before the next trial."""
        if self._opened_at is None:  # an unlocked read: a call that slips through beside the opening one is harmless
            return 0.0
        with self._lock:
            if self._opened_at is None:
                return 0.0
            remaining = self._cooldown_s - (self._clock() - self._opened_at)
            if remaining > 0:
                return remaining
            me = threading.get_ident()
            if self._trial is not None and self._trial != me:
                return _TRIAL_UNDER_WAY_S
            self._trial = me
            return 0.0

    def succeeded(self) -> None:
        """The server answered (a refusal for a permanent reason is an answer)."""
        if self._failures == 0 and self._opened_at is None:
            return
        with self._lock:
            self._failures = 0
            self._opened_at = None
            self._trial = None

    def failed(self) -> None:
        """The server did not answer."""
        with self._lock:
            self._failures += 1
            if self._trial is not None or self._failures >= self._threshold:
                self._opened_at = self._clock()
                self._trial = None

    def abandoned(self) -> None:
        """The call ended without telling anything of the server (interrupted, or the caller's own error)."""
        with self._lock:
            self._trial = None


def breaker_under(limits: ResilienceSettings) -> CircuitBreaker:
    """A breaker as it is set."""
    return CircuitBreaker(limits.breaker_failures, limits.breaker_reset_seconds)


class EffectCaller:
    """Calls one server for all its stores. Thread-safe.

    Args:
        system: `postgres`, `valkey` or `kafka`; the name of spans and errors.
        target: where it is, without a password.
        advice: what to do when it cannot be reached, a whole sentence.
        policy: how often and how long to retry.
        breaker: shared by everything that talks to `target`.
        classify: what an error means.
    """

    def __init__(
        self,
        system: str,
        target: str,
        advice: str,
        *,
        policy: RetryPolicy | None = None,
        breaker: CircuitBreaker | None = None,
        classify: Callable[[BaseException], Fault] = classify,
    ) -> None:
        self.system = system
        self.target = target
        self.advice = advice
        self.policy = RetryPolicy() if policy is None else policy
        self.breaker = CircuitBreaker() if breaker is None else breaker
        self._classify = classify
        self._tracer = trace.get_tracer("debug_loop_pipeline.effects")

    def call(
        self,
        operation: str,
        function: Callable[[], T],
        *,
        retry: Retry = Retry.NEVER,
        undone: Callable[[], bool] | None = None,
        attributes: Mapping[str, Attribute] | None = None,
    ) -> T:
        """The result of `function()`, tried again after transient errors as `retry` allows, in one span.

        Args:
            operation: what this is, for the span and the error (`fetch_pending`).
            function: one whole attempt.
            retry: see `Retry`.
            undone: for `Retry.IF_UNDONE`: did the server certainly undo the attempt that has just failed?
            attributes: of the span.

        Raises:
            CircuitOpenError: the breaker refuses calls; nothing was sent.
            EffectUnavailableError: transient errors until the attempts or the time were used up (the last one is its
                cause).
            Exception: any permanent error of `function`, as it was, with a note that names the call.
        """
        with self._observed(operation, attributes) as span:
            made = 0

            def attempt() -> T:
                nonlocal made
                made += 1
                return function()

            def again(error: Exception) -> bool:
                if retry is Retry.NEVER or self._classify(error) is Fault.PERMANENT:
                    return False
                return retry is Retry.ALWAYS or (undone is not None and undone())

            try:
                try:
                    return attempt()
                except Exception as error:
                    if self.policy.attempts < 2 or not again(error):
                        raise
                    return self._retried(error, attempt, again)
            except Exception as error:
                if self._classify(error) is Fault.PERMANENT:
                    raise
                raise self._unavailable(operation, made, error) from error
            finally:
                if made > 1:
                    span.set_attribute("debug_loop.attempts", made)

    @contextmanager
    def once(self, operation: str, attributes: Mapping[str, Attribute] | None = None) -> Iterator[Span]:
        """The body as one call that is never repeated: breaker, span and errors as in `call`."""
        with self._observed(operation, attributes) as span:
            try:
                yield span
            except Exception as error:
                if self._classify(error) is Fault.PERMANENT:
                    raise
                raise self._unavailable(operation, 1, error) from error

    def _retried(self, first: Exception, attempt: Callable[[], T], again: Callable[[Exception], bool]) -> T:
        """The attempts after the first, whose error is shown to stamina as that of its own first attempt.

        So the common case, success at once, does not pay for setting up a retry (a Valkey GET takes 50 us, stamina's
        set-up as much).
        """
        shown: Exception | None = first
        policy = self.policy
        for attempt_context in stamina.retry_context(
            on=again,
            attempts=policy.attempts,
            timeout=policy.timeout_s,
            wait_initial=policy.wait_initial_s,
            wait_max=policy.wait_max_s,
            wait_jitter=policy.wait_jitter_s,
        ):
            with attempt_context:
                if shown is not None:
                    error, shown = shown, None
                    raise error
                return attempt()
        raise AssertionError("stamina ends its loop by returning or raising")

    @contextmanager
    def _observed(self, operation: str, attributes: Mapping[str, Attribute] | None) -> Iterator[Span]:
        """Breaker and span around a call; a permanent error gets a note that names it."""
        wait = self.breaker.admit()
        if wait > 0:
            raise CircuitOpenError(
                f"{self.system} at {self.target}: {operation} was not tried, because the calls before it failed in a "
                f"row. The next one is let through in {wait:.1f} s. {self.advice}",
                system=self.system,
                operation=operation,
                retry_after_s=wait,
            )
        with self._tracer.start_as_current_span(
            f"{self.system}.{operation}",
            kind=SpanKind.CLIENT,
            attributes={
                "db.system.name": self.system,
                "server.address": self.target,
                "db.operation.name": operation,
                **(attributes or {}),
            },
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                self._ended_badly(error)
                # Only the type: a driver's message may quote the values of a statement.
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                if not isinstance(error, EffectError):
                    error.add_note(f"while calling {self.system} at {self.target}: {operation}")
                raise
            self.breaker.succeeded()

    def _ended_badly(self, error: BaseException) -> None:
        ours = not isinstance(error, EffectError) or error.system == self.system
        cause = error.__cause__ if isinstance(error, EffectError) else error
        if not ours or not isinstance(cause, Exception):
            self.breaker.abandoned()
            return
        fault = self._classify(cause)
        if fault is Fault.TRANSIENT:
            self.breaker.failed()
        elif fault is Fault.CONTENTION or type(cause).__module__.partition(".")[0] in _CLIENT_LIBRARIES:
            self.breaker.succeeded()
        else:
            self.breaker.abandoned()

    def _unavailable(self, operation: str, attempts: int, error: Exception) -> EffectUnavailableError:
        times = "once" if attempts == 1 else f"{attempts} times"
        return EffectUnavailableError(
            f"{self.system} at {self.target}: {operation} failed, tried {times}: {_first_line(error)}. {self.advice}",
            system=self.system,
            operation=operation,
            attempts=attempts,
        )


_CLIENT_LIBRARIES = frozenset({"sqlalchemy", "psycopg2", "redis", "kafka"})


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__
