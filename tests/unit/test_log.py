"""A logger writes to the standard error of its moment, however often that is redirected."""

from __future__ import annotations

import contextlib
import io

import structlog

from debug_loop_pipeline.log import configure_logging, get_logger


def test_a_stream_that_was_closed_since_is_not_written_to() -> None:
    try:
        with contextlib.redirect_stderr(io.StringIO()) as first:
            configure_logging("info", "json")
            get_logger("here").warning("one")
        first.close()
        with contextlib.redirect_stderr(io.StringIO()) as second:
            get_logger("here").warning("two")
        assert "two" in second.getvalue()
    finally:
        structlog.reset_defaults()
