"""Answers without `serve`: the library in this process, on the same store."""

from __future__ import annotations

import threading
from typing import Any

from debug_loop_pipeline.client.redaction import redact
from debug_loop_pipeline.compute.stf_matcher import MatchIndex
from debug_loop_pipeline.effects.match_epoch_store import MatchEpochStore
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.recommendation_store import RecommendationStore
from debug_loop_pipeline.effects.resilience import RetryPolicy
from debug_loop_pipeline.models.recommendation import ManifestRequest, ReportedOutcome
from debug_loop_pipeline.serving.answers import Answerer
from debug_loop_pipeline.serving.recorder import Recorder
from debug_loop_pipeline.settings import Settings, get_settings

_POOL = 2
_STATEMENT_TIMEOUT_MS = 10_000


class LibraryAnswers:
    """A store that is opened at the first question. Thread-safe.

    Args:
        settings: by default those of this process, embedded servers included.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._opened: tuple[Database, Answerer, Recorder] | None = None

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """The answer to a message as `serve` takes them (`manifest`, `outcome`).

        Raises:
            EffectError, MissingServerError: the store does not answer, or there is none.
            ValueError: the message is not of its form.
        """
        database, answerer, recorder = self._open()
        if message["op"] == "outcome":
            recorder.flush()
            outcome = ReportedOutcome.HELPED if message.get("helped") else ReportedOutcome.DID_NOT_HELP
            note = message.get("note")
            known = RecommendationStore(database).report_outcome(
                message["recommendation_id"], outcome, redact(note) if note else None
            )
            return {"ok": known} if known else {"ok": False, "error": "no such recommendation"}
        return answerer.answer(ManifestRequest.model_validate(message)).message()

    def close(self) -> None:
        """Writes what is to be recorded and closes the store."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened[2].close()
            opened[0].close()

    def _open(self) -> tuple[Database, Answerer, Recorder]:
        with self._lock:
            if self._opened is None:
                settings = self._settings or get_settings()
                database = Database(
                    settings.require_postgres_url(),
                    _POOL,
                    _STATEMENT_TIMEOUT_MS,
                    "debug-loop-library",
                    policy=RetryPolicy(attempts=2, timeout_s=1.0),
                )
                epochs = MatchEpochStore(database, settings)

                def index() -> MatchIndex:
                    return epochs.current().index

                recorder = Recorder(RecommendationStore(database).record)
                self._opened = database, Answerer(database, settings, index, recorder), recorder
            return self._opened
