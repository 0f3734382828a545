"""`debug-loop serve`: the resident process that answers agents over a Unix socket (ARCHITECTURE section 5).

Messages are JSON objects, one a line; the answer to each is one too, in the order of asking. Operations: `manifest` (fields of
`ManifestRequest`), `outcome` {recommendation_id, helped, note}, `session_end` {agent, transcript_path, session_id},
`complete` {event, wait}, `ping`.

Here: the transport. What is answered is `answers`; what happens to ended sessions is `intake`.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import stat
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

import orjson
import structlog
from pydantic import ValidationError

from debug_loop_pipeline.client.redaction import redact
from debug_loop_pipeline.effects.match_epoch_store import MatchEpochStore
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.recommendation_store import RecommendationStore
from debug_loop_pipeline.effects.resilience import EffectError, RetryPolicy, breaker_under
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.execution import ExecutionEvent
from debug_loop_pipeline.models.recommendation import ManifestRequest, ReportedOutcome
from debug_loop_pipeline.serving.address import socket_path
from debug_loop_pipeline.serving.answers import Answerer, clip
from debug_loop_pipeline.serving.attempt_loop import AttemptLearner
from debug_loop_pipeline.serving.index_keeper import IndexKeeper
from debug_loop_pipeline.serving.intake import Intake
from debug_loop_pipeline.serving.recorder import Recorder
from debug_loop_pipeline.serving.socket_client import MAX_LINE
from debug_loop_pipeline.settings import Settings

_WORKERS = 8
_MAX_WAITING = 64
_STATEMENT_TIMEOUT_MS = 2_000
"""No agent waits that long for an answer."""
_IDLE_S = 60.0
_STOP_S = 3.0
_NOTE_CHARS = 500

_log = structlog.get_logger(__name__)


class ServeDaemon:
    """The process, from its socket to its store. `run` blocks until SIGTERM, SIGINT or `stop`.

    Args:
        settings: with the address of the database.
        intake: takes the transcripts of ended sessions; None where they are left to others.
    """

    def __init__(self, settings: Settings, intake: Intake | None = None) -> None:
        self._settings = settings
        self._intake = intake
        self.address = socket_path(settings.data_dir)
        self._began = time.monotonic()
        self._waiting = 0
        self._answered = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self.ready = threading.Event()
        """Set when questions are taken."""

    def run(self, on_ready: Callable[[Path], None] | None = None) -> None:
        """Answers until told to stop.

        Raises:
            DebugLoopError: another one serves this data directory, or the socket cannot be made.
        """
        self._settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(self._settings.data_dir):
            url = self._settings.require_postgres_url()
            # An agent does not wait for the third try.
            answers = Database(
                url,
                _WORKERS,
                _STATEMENT_TIMEOUT_MS,
                "debug-loop-serve",
                policy=RetryPolicy(attempts=2, timeout_s=1.0),
                breaker=breaker_under(self._settings.resilience),
            )
            background = Database(
                url, 2, application_name="debug-loop-serve-index", breaker=breaker_under(self._settings.resilience)
            )
            epochs = MatchEpochStore(background, self._settings)
            self._store = RecommendationStore(answers)
            self._recorder = Recorder(RecommendationStore(background).record)
            self._keeper = IndexKeeper(epochs.current)
            self._answerer = Answerer(answers, self._settings, lambda: self._keeper.current, self._recorder)
            self._learner = AttemptLearner(self._settings)
            self._pool = ThreadPoolExecutor(_WORKERS, "answer")
            if self._intake is not None:
                self._intake.on_done = self._keeper.refresh
            try:
                with suppress(EffectError):  # a store that is away may come back
                    self._answerer.warm_up()
                asyncio.run(self._serve(on_ready))
            finally:
                if self._intake is not None:
                    self._intake.close()
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._learner.close()
                self._keeper.close()
                self._recorder.close()
                answers.close()
                background.close()

    def stop(self) -> None:
        """Ends `run`, from any thread."""
        if self._loop is not None and self._stopping is not None:
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._stopping.set)

    async def _serve(self, on_ready: Callable[[Path], None] | None) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self._stopping.set)
        clients: set[asyncio.StreamWriter] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            clients.add(writer)
            try:
                await self._converse(reader, writer)
            finally:
                clients.discard(writer)
                writer.close()

        server = await asyncio.start_unix_server(connected, sock=_listen(self.address), limit=MAX_LINE)
        try:
            self.ready.set()
            if on_ready is not None:
                on_ready(self.address)
            await self._stopping.wait()
        finally:
            self.address.unlink(missing_ok=True)  # before the rest, so that nobody knocks at a closing door
            server.close()
            until = self._loop.time() + _STOP_S
            while self._waiting and self._loop.time() < until:
                await asyncio.sleep(0.01)
            for client in clients:
                client.transport.abort()
            while clients and self._loop.time() < until + _STOP_S:
                await asyncio.sleep(0.01)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._stopping is not None
        while not self._stopping.is_set():
            try:
                line = await asyncio.wait_for(reader.readline(), _IDLE_S)
                if not line.endswith(b"\n"):
                    return
                answer = await self._answer(line)
                writer.write(orjson.dumps(answer) + b"\n")
                await writer.drain()
            except (TimeoutError, ConnectionError):
                return
            except ValueError:  # the line is longer than MAX_LINE
                writer.write(orjson.dumps(_refusal("the message is too long")) + b"\n")
                return

    async def _answer(self, line: bytes) -> dict[str, Any]:
        assert self._loop is not None
        if self._waiting >= _MAX_WAITING:
            return _refusal("busy")
        self._waiting += 1
        try:
            return await self._loop.run_in_executor(self._pool, self._handle, line)
        finally:
            self._waiting -= 1
            self._answered += 1

    def _handle(self, line: bytes) -> dict[str, Any]:
        """The answer to one line; whatever goes wrong is said in it."""
        try:
            message = orjson.loads(line)
            if not isinstance(message, dict):
                return _refusal("a message is a JSON object")
            operation = message.get("op")
            handler = {
                "manifest": self._manifest,
                "outcome": self._outcome,
                "session_end": self._session_end,
                "complete": self._complete,
                "ping": self._ping,
            }.get(operation if isinstance(operation, str) else "")
            return handler(message) if handler is not None else _refusal("unknown op")
        except orjson.JSONDecodeError:
            return _refusal("not JSON")
        except ValidationError as error:
            return _refusal("; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5]))
        except EffectError as error:
            _log.warning("a question is not answered: the store does not answer", error=str(error))
            return _refusal("the store does not answer")
        except Exception as error:  # one question must not end the others
            # Without the locals of the frames: they hold the question.
            where = "".join(traceback.format_tb(error.__traceback__)[-3:])
            _log.error("a question is not answered", error=redact(repr(error))[:500], where=where)
            return _refusal(type(error).__name__)

    def _manifest(self, message: dict[str, Any]) -> dict[str, Any]:
        return self._answerer.answer(ManifestRequest.model_validate(message)).message()

    def _outcome(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            recommendation = UUID(str(message.get("recommendation_id")))
        except ValueError:
            return _refusal("recommendation_id is no UUID")
        outcome = ReportedOutcome.HELPED if message.get("helped") is True else ReportedOutcome.DID_NOT_HELP
        note = message.get("note")
        told = clip(redact(note), _NOTE_CHARS) if isinstance(note, str) else None
        self._recorder.flush()  # what it speaks of may still be on its way
        known = self._store.report_outcome(recommendation, outcome, told)
        return {"ok": True} if known else _refusal("no such recommendation")

    def _session_end(self, message: dict[str, Any]) -> dict[str, Any]:
        # Without an intake it is taken all the same: a refusal would have the hook import it.
        return {"ok": True, "files": 0 if self._intake is None else self._intake.session_ended(message)}

    def _complete(self, message: dict[str, Any]) -> dict[str, Any]:
        event = ExecutionEvent.model_validate(message.get("event"))
        if message.get("wait") is True:
            return {"ok": True, "loop": self._learner.learn(event)}
        return {"ok": True} if self._learner.learn_later(event) else _refusal("busy")

    def _ping(self, _message: dict[str, Any]) -> dict[str, Any]:
        current = self._keeper.current
        return {
            "ok": True,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self._began, 3),
            "answered": self._answered,
            "epoch": current.epoch if current is not None else None,
            "functions": current.index.epoch.documents if current is not None else None,
            "not_recorded": self._recorder.lost,
        }


def _refusal(reason: str) -> dict[str, Any]:
    return {"ok": False, "error": reason}


def _alone(data_dir: Path) -> TextIO:
    """Holds the data directory's lock, so that the socket that lies there is nobody's."""
    file = (data_dir / "serve.lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise DebugLoopError(f"another `debug-loop serve` runs on {data_dir}") from None
    return file


def _listen(path: Path) -> socket.socket:
    """The listening socket, for its owner alone."""
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise DebugLoopError(f"{folder} belongs to another user; choose another DEBUG_LOOP_DATA_DIR")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    except OSError as error:
        listener.close()
        raise DebugLoopError(f"cannot listen at {path}: {error.strerror}") from error
    finally:
        os.umask(before)
    return listener
