"""What an error of a client library means: worth another try, or not.

Here: one table per library (psycopg2 and SQLAlchemy, redis, kafka, the sockets below them). Not here: what is done
about it (`resilience`). A library is imported only when one of its errors is looked at.
"""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """What to think of a failed call."""

    TRANSIENT = "transient"
    """The server was not reached, went away or had no room: try again; counts for the circuit breaker."""
    CONTENTION = "contention"
    """The server is well and rolled this back because of others (deadlock, serialization): try again."""
    PERMANENT = "permanent"
    """The same call fails again: a broken rule, a wrong password, a statement that takes too long."""


_TRANSIENT_STATES = frozenset(
    {
        "53200",  # out_of_memory
        "53300",  # too_many_connections
        "25P03",  # idle_in_transaction_session_timeout
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
        "57P05",  # idle_session_timeout
    }
)
_CONTENTION_STATES = frozenset(
    {
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "55P03",  # lock_not_available
    }
)
_LIMIT_EXCEEDED = "54"
"""The class of program_limit_exceeded (an index row too long), statement_too_complex and their like. psycopg2 counts them as operational."""
# libpq gives no SQLSTATE for a failed connect. Retrying a refusal in words we do not know (another language) costs a
# second; not retrying "is starting up" would cost the call, so only what is known to be final is permanent.
_FINAL_CONNECT_TEXTS = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",
    "is not permitted to log in",
    "server does not support SSL",
    "SCRAM",
    "invalid connection option",
    "unsupported frontend protocol",
)


def classify(error: BaseException) -> Fault:
    """What `error` means, by the library that raised it; what no library below knows is permanent."""
    root = type(error).__module__.partition(".")[0]
    if root == "sqlalchemy":
        return _sqlalchemy(error)
    for base in type(error).__mro__:
        library = _LIBRARIES.get(base.__module__.partition(".")[0])
        if library is not None:
            return library(error)
    if isinstance(error, ConnectionError | TimeoutError):
        return Fault.TRANSIENT
    return Fault.PERMANENT


def refuses_values(error: BaseException) -> bool:
    """Whether PostgreSQL refused the values themselves (a broken constraint, a number out of range, too long for an index): it
    would take others.
    """
    import psycopg2
    from sqlalchemy import exc

    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    too_much = (getattr(cause, "pgcode", None) or "").startswith(_LIMIT_EXCEEDED)
    return too_much or isinstance(cause, psycopg2.IntegrityError | psycopg2.DataError)


def _sqlalchemy(error: BaseException) -> Fault:
    from sqlalchemy import exc

    if isinstance(error, exc.TimeoutError):  # every connection of the pool is in use: the server is well
        return Fault.CONTENTION
    if isinstance(error, exc.DBAPIError):
        if error.orig is not None and (fault := _psycopg2(error.orig)) is not Fault.PERMANENT:
            return fault
        return Fault.TRANSIENT if error.connection_invalidated else Fault.PERMANENT
    return Fault.PERMANENT


def _psycopg2(error: BaseException) -> Fault:
    import psycopg2

    state = getattr(error, "pgcode", None)
    if state is not None:
        if state in _CONTENTION_STATES:
            return Fault.CONTENTION
        return Fault.TRANSIENT if state.startswith("08") or state in _TRANSIENT_STATES else Fault.PERMANENT
    text = str(error)
    if isinstance(error, psycopg2.OperationalError):
        return Fault.PERMANENT if any(final in text for final in _FINAL_CONNECT_TEXTS) else Fault.TRANSIENT
    if isinstance(error, psycopg2.InterfaceError):
        return Fault.TRANSIENT if "connection already closed" in text else Fault.PERMANENT
    # "error with status PGRES_TUPLES_OK and no message from the libpq", "lost synchronization with server": the wire
    # broke
    return Fault.TRANSIENT if type(error) is psycopg2.DatabaseError else Fault.PERMANENT


def _redis(error: BaseException) -> Fault:
    from redis import exceptions as exc

    if isinstance(error, exc.AuthenticationError | exc.AuthorizationError):  # both are ConnectionErrors to redis-py
        return Fault.PERMANENT
    if isinstance(error, exc.MaxConnectionsError):
        return Fault.CONTENTION
    passing = (
        exc.ConnectionError,
        exc.TimeoutError,
        exc.BusyLoadingError,
        exc.ReadOnlyError,
        exc.TryAgainError,
        exc.ClusterDownError,
        exc.MasterDownError,
    )
    return Fault.TRANSIENT if isinstance(error, passing) else Fault.PERMANENT


def _kafka(error: BaseException) -> Fault:
    from kafka.errors import KafkaError

    # Without a class of its own it wraps what a starting or ending broker answered and the client has no name for.
    unnamed = type(error) is KafkaError
    return Fault.TRANSIENT if unnamed or getattr(error, "retriable", False) else Fault.PERMANENT


_LIBRARIES = {"psycopg2": _psycopg2, "redis": _redis, "kafka": _kafka}
