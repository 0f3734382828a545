"""Transcripts of ended sessions into the store, by a process of their own: parsing must not slow the answers down.

Here: which files a session left, and when the process that imports them is started. Not here: what it does
(`debug-loop watch --once`, see `watcher`).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from debug_loop_pipeline.importers.registry import importer_for

_SETTLE_S = 1.0
"""Agents write their transcripts a little behind; sessions that end together are imported together."""
_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 600.0
"""Between a failed import and the next try of the same files: twice as long each time."""
_SESSION_ID = re.compile(r"[\w.-]{1,200}")
_STOP_S = 5.0

_log = structlog.get_logger(__name__)


class Intake:
    """Gathers files and hands them to one importing process at a time, again after a pause where that fails. `session_ended` never waits."""

    def __init__(
        self, data_dir: Path, *, compute: bool = True, settle_s: float = _SETTLE_S, pause_s: float = _PAUSE_S
    ) -> None:
        self._data_dir = data_dir
        self._compute = compute
        self._settle_s = settle_s
        self._pause_s = pause_s
        self._files: dict[str, None] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._child: subprocess.Popen[bytes] | None = None
        self.on_done: Callable[[], None] = lambda: None
        """Called after each import."""
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def session_ended(self, message: Mapping[str, Any]) -> int:
        """Takes note of a session's files. Returns how many there are now."""
        files = session_files(message.get("agent"), message.get("transcript_path"), message.get("session_id"))
        with self._changed:
            self._files |= dict.fromkeys(map(str, files))
            self._changed.notify()
        return len(files)

    def close(self) -> None:
        """Ends the thread, and the import it waits for (which does what is left the next time)."""
        with self._changed:
            self._closing = True
            self._changed.notify()
            child = self._child
        if child is not None and child.poll() is None:
            child.terminate()
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        pause_s = self._pause_s
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._files or self._closing)
                if self._changed.wait_for(lambda: self._closing, self._settle_s):
                    return
                files, self._files = list(self._files), {}
            trouble = self._import(files)
            if self._closing:
                return
            self.on_done()
            if trouble is None:
                pause_s = self._pause_s
                continue
            _log.warning("ended sessions are not imported yet", files=files, error=trouble, again_in_s=pause_s)
            with self._changed:
                self._files = dict.fromkeys(files) | self._files
                if self._changed.wait_for(lambda: self._closing, pause_s):
                    return
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _import(self, files: list[str]) -> str | None:
        """Imports some files. Returns why that failed, where it did."""
        try:
            with self._changed:
                if self._closing:
                    return None
                self._child = subprocess.Popen(
                    import_command(files, compute=self._compute),
                    cwd=self._data_dir,
                    env=_environment(self._data_dir),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
        except OSError as error:
            return str(error)
        code = self._child.wait()
        return f"exit code {code}" if code else None


def import_command(files: list[str], *, compute: bool = True) -> list[str]:
    """What imports some transcripts. `-P`: the folder that an agent works in must not be imported from."""
    command = [sys.executable, "-P", "-m", "debug_loop_pipeline.cli.main", "watch", "--once"]
    return [*command, *([] if compute else ["--leave-to-sensor"]), "--", *files]


def _environment(data_dir: Path) -> dict[str, str]:
    """Of the importing process: our package is found where this process found it."""
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "DEBUG_LOOP_DATA_DIR": str(data_dir), "PYTHONPATH": os.pathsep.join(paths)}


def session_files(agent: object, transcript: object, session_id: object) -> list[Path]:
    """The transcripts of a session: the file that is named and its sub-agents', else those under the agent's folders."""
    if isinstance(transcript, str) and transcript:
        file = Path(transcript)
        found = [file] if file.is_absolute() and file.is_file() else []
        return found + [folder for folder in (file.with_suffix(""),) if found and folder != file and folder.is_dir()]
    if agent == "copilot" and isinstance(session_id, str) and _SESSION_ID.fullmatch(session_id):
        folders = importer_for("copilot").default_folders()
        return sorted(path for folder in folders for path in folder.glob(f"{session_id}*"))
    return []
