"""What one session asks about again and again is a streak; other sessions, other errors and old questions are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from debug_loop_pipeline.compute.errors.error_identity import ErrorKey
from debug_loop_pipeline.serving.asked_errors import FORGOTTEN_AFTER, SESSIONS, AskedErrors

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ONE: frozenset[ErrorKey] = frozenset({("s", ("name",), "")})
OTHER: frozenset[ErrorKey] = frozenset({("s", ("size",), "")})


def test_each_tool_call_counts_once() -> None:
    errors = AskedErrors()
    times = [errors.asked("a", call, "s", ONE, NOW).times for call in ("1", "1", "2", None, None)]
    assert times == [1, 1, 2, 3, 4]
    assert errors.asked("b", "1", "s", ONE, NOW).times == 1
    assert errors.asked("a", "9", "t", ONE, NOW).times == 1


def test_another_subject_or_a_long_pause_begins_anew() -> None:
    errors = AskedErrors()
    assert [errors.asked("a", None, "s", keys, NOW).times for keys in (ONE, ONE, OTHER)] == [1, 2, 1]
    later = NOW + FORGOTTEN_AFTER + timedelta(seconds=1)
    assert errors.asked("a", None, "s", OTHER, later).times == 1
    assert errors.asked("a", None, "s", OTHER, later).since == later


def test_old_sessions_are_forgotten() -> None:
    errors = AskedErrors()
    for n in range(SESSIONS + 1):
        errors.asked(str(n), None, "s", ONE, NOW)
    assert errors.asked(str(SESSIONS), None, "s", ONE, NOW).times == 2
    assert errors.asked("0", None, "s", ONE, NOW).times == 1
