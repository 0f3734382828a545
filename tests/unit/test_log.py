"""A logger writes to the standard error of its moment, however often that is redirected."""

from __future__ import annotations

import contextlib
import io
from typing import Literal

import pytest
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


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_tells_no_values_of_variables(form: Literal["console", "json"]) -> None:
    written = io.StringIO()
    try:
        with contextlib.redirect_stderr(written):
            configure_logging(form=form)
            _fail("the payload of " + "an event")
    finally:
        structlog.reset_defaults()
    assert "ValueError" in written.getvalue()
    assert "test_log.py" in written.getvalue()
    assert "the payload of an event" not in written.getvalue()


def _fail(payload: str) -> None:
    try:
        raise ValueError(len(payload))
    except ValueError:
        get_logger("x").exception("failed")
