"""Structured logs: one set-up for every process of ours, on standard error.

Belongs here: how a log line looks. Not here: what is logged, and the removal of secrets (texts are redacted before they
reach a log line; tracebacks come without the values of variables, which nobody redacts).
"""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, FilteringBoundLogger, Processor


def configure_logging(
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["console", "json"] = "console",
    *,
    retries: bool = True,
) -> None:
    """Set up logging for this process; a later call replaces an earlier one.

    Args:
        level: Least level that is written.
        form: `console` for people, `json` (one object per line, `event` and `timestamp` in UTC) for collectors.
        retries: Whether each retry of a call is told; at level `debug` it always is. Not to a person who waits for the
            answer of one command: the error at its end says how often was tried.
    """
    processors: list[Processor] = [] if retries or level == "debug" else [_without_retries]
    processors += [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if form == "json":
        processors += [
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    else:
        processors.append(
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        )
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=_standard_error,
        # Off, so that a logger made at import sees a configuration that comes later.
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose lines carry the name of the module that writes them."""
    logger: FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def _without_retries(_: object, __: str, event: EventDict) -> EventDict:
    if event.get("event") == "stamina.retry_scheduled":
        raise structlog.DropEvent
    return event


def _standard_error(*_: object) -> structlog.PrintLogger:
    """A logger on the standard error of this moment: one bound to the stream of configuring time would outlive a redirected one."""
    return structlog.PrintLogger(sys.stderr)
