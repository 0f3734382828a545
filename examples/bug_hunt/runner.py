"""Runs the real pytest on one state of a program, in a directory and a process of its own.

Here: processes, directories and clean output. Not here: which state is tried (`agent`) and what the output means (`events`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import LifoQueue
from types import TracebackType
from typing import Self

ARGUMENTS = ("-q", "-x", "--tb=short", "-p", "no:cacheprovider")
TIMEOUT_SECONDS = 10
WORKERS = max(2, min(4, os.cpu_count() or 2))
"""Runs of pytest at once, where nobody says otherwise."""
_UNUSED_PLUGINS = (
    *("debugging", "doctest", "faulthandler", "junitxml", "legacypath", "logging", "pastebin", "recwarn", "setuponly"),
    *("setupplan", "stepwise", "threadexception", "unittest", "unraisableexception", "warnings"),
)
"""Parts of pytest that these tests have no use for; without them a run takes a third less."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run said. exit_code None: it did not end in time and was stopped."""

    exit_code: int | None
    output: str

    @property
    def passed(self) -> bool:
        """Whether every test passed."""
        return self.exit_code == 0


class PytestRunner:
    """Runs pytest, up to `workers` times at once; thread-safe. Use as a context manager.

    Args:
        workers: how many runs there may be at once.
        warm: fork each run from a process that has pytest loaded (a fifth of the time); where the system cannot fork, and with
            False, each run starts an interpreter of its own.
    """

    def __init__(self, workers: int = WORKERS, *, warm: bool = True) -> None:
        self.workers = workers
        self.warm = warm and hasattr(os, "fork")
        self._idle: LifoQueue[subprocess.Popen[str] | None] = LifoQueue()
        self._processes: list[subprocess.Popen[str]] = []
        self._lock = threading.Lock()
        self._runs = 0
        self._root = Path(tempfile.mkdtemp(prefix="bug-hunt-"))
        self._environment = _environment()

    def __enter__(self) -> Self:
        for _ in range(self.workers):
            self._idle.put(self._start() if self.warm else None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(timeout=TIMEOUT_SECONDS + 5)
            if process.stdout is not None:
                process.stdout.close()
        shutil.rmtree(self._root, ignore_errors=True)

    def run(self, files: Mapping[str, str], test: str) -> RunResult:
        """Writes the files into an empty directory and runs one test file there.

        Args:
            files: content by name.
            test: name of the test file.
        """
        with self._lock:
            self._runs += 1
            place = self._root / f"run{self._runs}"
        place.mkdir()
        for name, content in files.items():
            (place / name).write_text(content, encoding="utf-8")
        worker = self._idle.get()
        try:
            code, output = self._warm_run(worker, place, test) if worker is not None else self._cold_run(place, test)
        finally:
            self._idle.put(worker)
            shutil.rmtree(place, ignore_errors=True)
        return RunResult(code, _without_place(output, place))

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("warm_pytest.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
            cwd=self._root,
        )
        self._processes.append(process)
        return process

    def _warm_run(self, worker: subprocess.Popen[str], place: Path, test: str) -> tuple[int | None, str]:
        output = place.with_suffix(".out")
        request = {
            "cwd": str(place),
            "args": _arguments(place, test),
            "output": str(output),
            "timeout": TIMEOUT_SECONDS,
        }
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(json.dumps(request) + "\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process that runs pytest ended by itself (exit code {worker.wait()})")
        text = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
        output.unlink(missing_ok=True)
        return json.loads(answer)["exit_code"], text

    def _cold_run(self, place: Path, test: str) -> tuple[int | None, str]:
        command = [sys.executable, "-m", "pytest", *_arguments(place, test)]
        try:
            done = subprocess.run(
                command,
                cwd=place,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_SECONDS,
                text=True,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            text = expired.output or b""
            return None, text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        return done.returncode, done.stdout


class RememberingRunner(PytestRunner):
    """Runs each state of a program once: programs and their tests are deterministic."""

    def __init__(self, workers: int = WORKERS) -> None:
        super().__init__(workers)
        self._known: dict[tuple[tuple[str, str], ...], RunResult] = {}

    def run(self, files: Mapping[str, str], test: str) -> RunResult:
        """As `PytestRunner.run`."""
        state = (("", test), *sorted(files.items()))
        if state not in self._known:
            self._known[state] = super().run(files, test)
        return self._known[state]


def command_line(test: str) -> str:
    """The command as the agent would type it."""
    return " ".join(("python -m pytest", *ARGUMENTS, test))


def _arguments(place: Path, test: str) -> list[str]:
    # The project that this checkout lies in must not become the configuration of the programs, and the folders above are none of
    # pytest's business: without a limit it lists them all, which takes it longer than the test where there is much in them.
    without = [argument for plugin in _UNUSED_PLUGINS for argument in ("-p", f"no:{plugin}")]
    return [*ARGUMENTS, *without, f"--rootdir={place}", f"--confcutdir={place}", "-c", os.devnull, test]


def _environment() -> dict[str, str]:
    kept = {
        key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH") if key in os.environ
    }
    return kept | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "TZ": "UTC",
    }


def _without_place(output: str, place: Path) -> str:
    """The output with files named from where the run was, as everywhere else in it: the directory is drawn anew each time."""
    return output.replace(f"{place}{os.sep}", "").replace(str(place), ".")
