"""Answers without `serve`: the library in this process, on the same store."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from debug_loop_pipeline.client.redaction import redact
from debug_loop_pipeline.effects.match_epoch_store import MatchEpochStore
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.recommendation_store import RecommendationStore
from debug_loop_pipeline.effects.resilience import RetryPolicy, breaker_under
from debug_loop_pipeline.models.recommendation import ManifestRequest, ReportedOutcome
from debug_loop_pipeline.serving.answers import Answerer
from debug_loop_pipeline.serving.index_keeper import IndexKeeper
from debug_loop_pipeline.serving.recorder import Recorder
from debug_loop_pipeline.settings import Settings, get_settings

_POOL = 3
_STATEMENT_TIMEOUT_MS = 10_000
_INDEX_WAIT_S = 10.0
"""After that the first question is answered without functions."""


class _Opened(NamedTuple):
    database: Database
    answerer: Answerer
    keeper: IndexKeeper
    recorder: Recorder


class LibraryAnswers:
    """A store that is opened at the first question. Thread-safe.

    Args:
        settings: by default those of this process, embedded servers included.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._opened: _Opened | None = None

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """The answer to a message as `serve` takes them (`manifest`, `outcome`).

        Raises:
            EffectError, MissingServerError: the store does not answer, or there is none.
            ValueError: the message is not of its form.
        """
        opened = self._open()
        if message["op"] == "outcome":
            opened.recorder.flush()
            outcome = ReportedOutcome.HELPED if message.get("helped") else ReportedOutcome.DID_NOT_HELP
            note = message.get("note")
            known = RecommendationStore(opened.database).report_outcome(
                message["recommendation_id"], outcome, redact(note) if note else None
            )
            return {"ok": known} if known else {"ok": False, "error": "no such recommendation"}
        return opened.answerer.answer(ManifestRequest.model_validate(message)).message()

    def close(self) -> None:
        """Writes what is to be recorded and closes the store."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.keeper.close()
            opened.recorder.close()
            opened.database.close()

    def _open(self) -> _Opened:
        with self._lock:
            if self._opened is None:
                settings = self._settings or get_settings()
                database = Database(
                    settings.require_postgres_url(),
                    _POOL,
                    _STATEMENT_TIMEOUT_MS,
                    "debug-loop-library",
                    policy=RetryPolicy(attempts=2, timeout_s=1.0),
                    breaker=breaker_under(settings.resilience),
                )
                keeper = IndexKeeper(MatchEpochStore(database, settings).current)
                recorder = Recorder(RecommendationStore(database).record)
                # The first question waits for the index, the others take it as it was read last.
                answerer = Answerer(database, settings, lambda: keeper.wait_loaded(_INDEX_WAIT_S), recorder)
                self._opened = _Opened(database, answerer, keeper, recorder)
            return self._opened
