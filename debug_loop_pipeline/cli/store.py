"""The store as a command sees it: servers up, database connected."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy.exc import OperationalError, ProgrammingError

from debug_loop_pipeline.cli.output import hide_password
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.resilience import EffectUnavailableError, breaker_under
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.settings import Settings, get_settings
from debug_loop_pipeline.steps.framework import StepContext

_NOT_THERE = {"42P01", "42703"}
"""SQLSTATE of a table and of a column that the database has not."""


@contextmanager
def open_store() -> Iterator[StepContext]:
    """A step context on the configured or embedded PostgreSQL, which is started where none runs.

    Raises:
        DebugLoopError: the server does not start or answer, or its schema is another version's.
    """
    settings = get_settings()
    if settings.postgres_url is None:
        settings = _start()
    limits = settings.resilience
    database = Database(
        settings.require_postgres_url(),
        limits.postgres_pool_size,
        int(limits.statement_timeout_seconds * 1000),
        "debug-loop-cli",
        breaker=breaker_under(limits),
    )
    try:
        yield StepContext(database, settings)
    except EffectUnavailableError as err:
        raise DebugLoopError(str(err)) from err
    except OperationalError as err:
        # Only a failure to connect has no SQLSTATE; what the server says to a statement is not the installation's fault.
        if getattr(err.orig, "pgcode", None) is not None:
            raise
        raise DebugLoopError(
            f"PostgreSQL at {hide_password(settings.require_postgres_url())} does not let us in: {str(err.orig).strip()}\n"
            "`debug-loop doctor` says what is wrong; DEBUG_LOOP_POSTGRES_URL names the server, the embedded one where it is not set"
        ) from err
    except ProgrammingError as err:
        if getattr(err.orig, "pgcode", None) not in _NOT_THERE:
            raise
        from debug_loop_pipeline.effects import schema

        have, needed = schema.current(settings.require_postgres_url())
        if have == needed:
            raise
        raise DebugLoopError(
            f"the database has the schema {have or 'of nothing yet'}, and this program needs {needed}: `debug-loop up` brings it there"
        ) from err
    finally:
        database.close()


def _start() -> Settings:
    from debug_loop_pipeline.cli.runtime import start

    settings = start("none").settings
    typer.echo("started the embedded servers; `debug-loop down` stops them", err=True)
    return settings


def why(reason: str) -> str:
    """Why somebody decides, for the record.

    Raises:
        DebugLoopError: it says nothing.
    """
    if not reason.strip():
        raise DebugLoopError("say why with --reason")
    return reason


ReasonOption = Annotated[str, typer.Option("--reason", callback=why, help="Why; it stays on record.")]


def who() -> str:
    """Who decides, for the record: the user of this process."""
    return getpass.getuser()
