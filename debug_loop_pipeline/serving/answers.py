"""Answers to agents: the manifest, the arm it falls into, and the record of it (DOMAIN 3.11, 3.12).

Used by `serve` and by those that ask in process. Not here: transport (`daemon`), storing the records (`recorder`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any
from uuid import uuid4

from debug_loop_pipeline.client.redaction import redact
from debug_loop_pipeline.compute.matching.problem_signature import problem_hash, problem_signature
from debug_loop_pipeline.compute.serving.manifest_text import render_markdown
from debug_loop_pipeline.compute.serving.recommendation_arm import arm_of
from debug_loop_pipeline.effects.match_cache import MatchCache, Matcher
from debug_loop_pipeline.effects.match_epoch_store import CurrentIndex
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.models.base import FrozenModel
from debug_loop_pipeline.models.manifest import Manifest, StuckSignal
from debug_loop_pipeline.models.recommendation import Arm, ManifestRequest, Occasion, Recommendation
from debug_loop_pipeline.serving.asked_errors import AskedErrors
from debug_loop_pipeline.serving.repository import repository_of_folder
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.known_failures import KnownFailure, known_failures
from debug_loop_pipeline.steps.manifest import build_manifest
from debug_loop_pipeline.steps.stuck_signal import stuck_signal

_repository_of = lru_cache(maxsize=1_024)(repository_of_folder)


class Answer(FrozenModel):
    """What an agent gets. In the arm that is held out everything is empty but the recommendation's id."""

    ok: bool = True
    recommendation_id: str | None = None
    """None where there was nothing to say."""
    arm: Arm
    markdown: str = ""
    manifest: Manifest = Manifest()
    failures: tuple[KnownFailure, ...] = ()
    milliseconds: float

    def message(self) -> dict[str, Any]:
        """As JSON knows it."""
        return self.model_dump(mode="json", exclude_defaults=True) | {"ok": self.ok, "markdown": self.markdown}


class Answerer:
    """Answers questions; thread-safe.

    Args:
        database: the store.
        settings: thresholds, arms and limits.
        current: gives the matcher's index as it is now; None while there is none.
        record: takes what was served; called in the thread that answers, so it must not wait.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        current: Callable[[], CurrentIndex | None],
        record: Callable[[Recommendation], None],
    ) -> None:
        self._database = database
        self._settings = settings
        self._current = current
        self._cache = MatchCache(settings.matching.cache_ttl_seconds)
        self._record = record
        self._asked = AskedErrors()

    def warm_up(self) -> None:
        """Has what the first question would wait for done before it: patterns compiled, a connection made. Nothing is recorded.

        Raises:
            EffectUnavailableError: PostgreSQL cannot be reached.
        """
        build_manifest(self._database, self._settings, self._matcher(), request="warm up", error="Error: warm up")

    def answer(self, asked: ManifestRequest) -> Answer:
        """The answer to one question.

        Raises:
            EffectUnavailableError: PostgreSQL cannot be reached.
        """
        started = time.perf_counter()
        limit = self._settings.text.field_chars
        request = clip(asked.request, limit) if asked.request else None
        error = clip(asked.error, limit) if asked.error else None
        if error is None and asked.occasion is Occasion.PROMPT:
            error = request  # people paste errors into prompts
        repository = asked.repository or _repository_of(asked.cwd)
        manifest, markdown, shown = Manifest(), "", Manifest()
        failures: tuple[KnownFailure, ...] = ()
        if asked.known_failures:
            if request:
                failures = known_failures(self._database, self._settings, self._matcher(), request)
        elif request or error:
            manifest = build_manifest(
                self._database,
                self._settings,
                self._matcher() if request else None,
                request=request,
                error=error,
                repository=repository,
                category=asked.category,
            )
            if asked.error and self._settings.serving_enabled:
                manifest = manifest.model_copy(update={"stuck": self._stuck(asked, asked.error)})
            limits = self._settings.manifest
            in_text = limits.stf_in_prompt if asked.functions is None else asked.functions
            markdown, shown = render_markdown(manifest, limits.token_budget, in_text)
            if asked.with_manifest:  # all of it is shown
                shown = manifest
        arm = self._arm(asked)
        if shown.empty and not failures:
            nothing = manifest if asked.with_manifest else Manifest()
            return Answer(arm=arm, manifest=nothing, milliseconds=_since(started))
        served = Recommendation(
            recommendation_id=uuid4(),
            session_id=_clean(asked.session_id),
            tool_call_id=_clean(asked.tool_call_id),
            correlation_id=asked.correlation_id,
            agent=_clean(asked.agent),
            occasion=asked.occasion,
            repository=_clean(repository),
            arm=arm,
            problem_hash=problem_hash(problem_signature(request)) if request else None,
            error_signature=_signature(shown),
            stf_hashes=tuple(function.stf_hash for function in shown.functions),
            mapping_ids=_mappings(shown, failures),
            golden_state_ids=tuple(golden.golden_state_id for golden in shown.golden_states),
            characters=len(markdown),
            served_at=datetime.now(UTC),
        )
        self._record(served)
        told: dict[str, Any] = {"arm": arm, "recommendation_id": str(served.recommendation_id)}
        if arm is not Arm.HOLDOUT:
            told |= {"markdown": markdown, "failures": failures}
            if asked.with_manifest:
                told["manifest"] = manifest
        return Answer(**told, milliseconds=_since(started))

    def _stuck(self, asked: ManifestRequest, error: str) -> StuckSignal | None:
        session = asked.session_id or (str(asked.correlation_id) if asked.correlation_id else None)
        return stuck_signal(
            self._database,
            self._settings,
            clip(error, self._settings.text.field_chars),
            task=asked.correlation_id,
            session=_clean(asked.session_id),
            asked=partial(self._asked.asked, session, asked.tool_call_id) if session else None,
        )

    def _matcher(self) -> Matcher | None:
        current = self._current()
        return self._cache.matcher(current) if current is not None else None

    def _arm(self, asked: ManifestRequest) -> Arm:
        drawn = self._settings.recommendation
        task = str(asked.correlation_id) if asked.correlation_id else None
        return arm_of(drawn.salt, drawn.holdout_share, asked.session_id, task)


def clip(text: str, limit: int) -> str:
    """A text within `limit` characters: its beginning and, three times as much, its end, where tools sum up."""
    if len(text) <= limit:
        return text
    head = limit // 4
    return f"{text[:head]}\n[...]\n{text[len(text) - (limit - head) :]}"


def _clean(told: str | None) -> str | None:
    """As ingestion writes it, so that the two can be joined."""
    return redact(told) if told else None


def _signature(manifest: Manifest) -> str | None:
    """The error that something is said about."""
    if manifest.fixes or manifest.tried_and_failed:
        return manifest.error_signature
    return manifest.stuck.error_signature if manifest.stuck else None


def _mappings(manifest: Manifest, failures: Sequence[KnownFailure]) -> tuple[str, ...]:
    ids = [fix.mapping_id for fix in manifest.fixes] + [tried.mapping_id for tried in manifest.tried_and_failed]
    ids += [change.mapping_id for failure in failures for change in (*failure.helped, *failure.tried_and_failed)]
    return tuple(dict.fromkeys(ids))


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
