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


@pytest.mark.parametrize(("level", "told"), [("info", False), ("debug", True)])
def test_a_person_who_waits_for_one_command_is_not_told_of_each_retry(
    level: Literal["info", "debug"], told: bool
) -> None:
    written = io.StringIO()
    try:
        with contextlib.redirect_stderr(written):
            configure_logging(level, retries=False)
            get_logger("x").warning("stamina.retry_scheduled", retry_num=1)
            get_logger("x").warning("another thing")
    finally:
        structlog.reset_defaults()
    assert ("stamina.retry_scheduled" in written.getvalue()) is told
    assert "another thing" in written.getvalue()
