"""What each session asked about before, in memory: a session that asks about one error again and again is stuck on it.

Attempts of hooked agents come into the store when their session ends, which is too late to tell them. Not here: what a streak is
(`compute/serving/stuck_loops`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from debug_loop_pipeline.compute.errors.error_identity import ErrorKey
from debug_loop_pipeline.compute.serving.stuck_loops import Streak, next_streak

SESSIONS = 1_000
SIGNATURES = 100
FORGOTTEN_AFTER = timedelta(minutes=30)
"""What went well in between is not asked about, so questions far apart are no streak."""


@dataclass(frozen=True, slots=True)
class _Question:
    streak: Streak
    tool_call: str | None
    at: datetime


class AskedErrors:
    """The streaks of the latest sessions. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, OrderedDict[str, _Question]] = OrderedDict()

    def asked(
        self, session: str, tool_call: str | None, signature: str, shown: frozenset[ErrorKey], now: datetime
    ) -> Streak:
        """The streak of an error in a session after it was asked about (again). The same tool call again counts once."""
        with self._lock:
            streaks = self._sessions.setdefault(session, OrderedDict())
            self._sessions.move_to_end(session)
            last = streaks.get(signature)
            if last is not None and now - last.at > FORGOTTEN_AFTER:
                last = None
            if last is not None and tool_call is not None and last.tool_call == tool_call:
                return last.streak
            streak = next_streak(last.streak if last else None, shown, now)
            streaks[signature] = _Question(streak, tool_call, now)
            streaks.move_to_end(signature)
            while len(streaks) > SIGNATURES:
                streaks.popitem(last=False)
            while len(self._sessions) > SESSIONS:
                self._sessions.popitem(last=False)
            return streak
