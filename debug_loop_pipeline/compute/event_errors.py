"""The patterns of an execution event's errors, the same for every step that asks."""

from __future__ import annotations

from functools import lru_cache

from debug_loop_pipeline.compute.error_pattern_extractor import extract_error_pattern
from debug_loop_pipeline.models.errors import ErrorPattern
from debug_loop_pipeline.models.execution import ExecutionError, ExecutionEvent


def event_error_patterns(event: ExecutionEvent) -> list[ErrorPattern]:
    """One pattern per error, in the event's order."""
    return [pattern_of(error) for error in event.errors]


@lru_cache(maxsize=4_096)
def pattern_of(error: ExecutionError) -> ErrorPattern:
    """The pattern of one error. Remembered: several steps of one run ask for the same errors."""
    return extract_error_pattern(
        error.message,
        error_type=error.type,
        stacktrace=error.stacktrace,
        tool=error.tool,
        test=error.test,
        path=error.path,
        exit_code=error.exit_code,
        origin=error.origin,
    )
