"""The Python API of serving: an agent's prompt or manifest in, the same with what is known out.

    injector = ManifestInjector()
    prompt = injector.inject(prompt, session_id=session)
    prompt = injector.inject(prompt, error=traceback_text, session_id=session)

Light to import: `serve` answers over its socket, and only where none runs is the store opened in this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from debug_loop_pipeline.serving.address import socket_path
from debug_loop_pipeline.serving.socket_client import ServeUnavailableError, ask

if TYPE_CHECKING:
    from debug_loop_pipeline.serving.library import LibraryAnswers
    from debug_loop_pipeline.settings import Settings

MANIFEST_KEY = "debug_intelligence"
"""Where it goes in an agent's manifest: {"recommendation_id", "markdown", "manifest"}."""
_DEFAULT_DATA_DIR = ".debug-loop"

_log = logging.getLogger(__name__)
T = TypeVar("T", bound=Mapping[str, Any])


class ManifestInjector:
    """Asks the store and puts its answer into prompts and manifests. Thread-safe; never raises into the agent.

    Args:
        data_dir: whose `serve` is asked; by default `DEBUG_LOOP_DATA_DIR`, else `.debug-loop` of this folder.
        timeout_s: for an answer of `serve`.
        in_process: open the store in this process where no `serve` answers; then no time is promised.
        settings: of that store; by default those of the environment.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        timeout_s: float = 0.2,
        in_process: bool = True,
        settings: Settings | None = None,
    ) -> None:
        if data_dir is None:
            data_dir = (
                settings.data_dir if settings else Path(os.environ.get("DEBUG_LOOP_DATA_DIR") or _DEFAULT_DATA_DIR)
            )
        self._socket = socket_path(data_dir.expanduser().absolute())
        self._timeout_s = timeout_s
        self._in_process = in_process
        self._settings = settings
        self._library: LibraryAnswers | None = None
        self._lock = threading.Lock()

    @overload
    def inject(self, prompt: str, *, request: str | None = None, error: str | None = None, **about: Any) -> str: ...

    @overload
    def inject(self, prompt: T, *, request: str | None = None, error: str | None = None, **about: Any) -> T: ...

    def inject(
        self, prompt: str | T, *, request: str | None = None, error: str | None = None, **about: Any
    ) -> str | T | dict[str, Any]:
        """The prompt (a text) or manifest (a mapping) with what is known, or itself where nothing is, or on any trouble.

        Anything else, such as a chat's list of messages, comes back as it is.

        Args:
            prompt: a text, which gets a section at its end, or a mapping, which is copied and gets `MANIFEST_KEY`.
            request: what is to be done; by default a text prompt itself, or a manifest's `user_request`, unless an error is given.
            error: error text or tool output.
            about: session_id, tool_call_id, correlation_id, agent, repository, cwd, category, functions (`ManifestRequest`).
        """
        if not isinstance(prompt, str | Mapping):
            return prompt
        if request is None and error is None:
            told = prompt if isinstance(prompt, str) else prompt.get("user_request")
            request = told if isinstance(told, str) else None
        mapping = not isinstance(prompt, str)
        answer = self.ask(request=request, error=error, with_manifest=mapping, **about)
        text = answer.get("markdown")
        if not text:
            return prompt
        if isinstance(prompt, str):
            return f"{prompt}\n\n{text}"
        known = {key: answer[key] for key in ("recommendation_id", "markdown", "manifest") if key in answer}
        return {**prompt, MANIFEST_KEY: known}

    async def ainject(self, prompt: str | T, **about: Any) -> str | T | dict[str, Any]:
        """`inject` without blocking the event loop."""
        return await asyncio.to_thread(lambda: self.inject(prompt, **about))

    def ask(self, *, request: str | None = None, error: str | None = None, **about: Any) -> dict[str, Any]:
        """The answer itself: `markdown`, `recommendation_id`, `arm`, ...; {"ok": False, "error": ...} on any trouble."""
        asked = {"request": request, "error": error, **about}
        return self._answer({"op": "manifest"} | {key: value for key, value in asked.items() if value is not None})

    def report_outcome(self, recommendation_id: str, helped: bool, note: str | None = None) -> bool:
        """Tells whether a recommendation helped. Returns False where it is not known, or on any trouble."""
        message = {"op": "outcome", "recommendation_id": recommendation_id, "helped": helped, "note": note}
        return bool(self._answer(message).get("ok"))

    def close(self) -> None:
        """Closes the store, where it was opened in this process."""
        with self._lock:
            library, self._library = self._library, None
        if library is not None:
            library.close()

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        message = {key: str(value) if key == "correlation_id" else value for key, value in message.items()}
        try:
            with contextlib.suppress(ServeUnavailableError):
                return ask(self._socket, message, self._timeout_s)
            if self._in_process:
                return self._opened().ask(message)
        except Exception as error:  # an agent works on without us
            _log.debug("no answer: %s", error)
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}
        return {"ok": False, "error": "`debug-loop serve` does not answer"}

    def _opened(self) -> LibraryAnswers:
        from debug_loop_pipeline.serving.library import LibraryAnswers

        with self._lock:
            if self._library is None:
                self._library = LibraryAnswers(self._settings)
            return self._library
