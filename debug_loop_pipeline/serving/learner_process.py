"""The debug loop in a process beside the agent's, where no `serve` runs.

In the agent's own interpreter its libraries would take part in every collection of garbage (a tenth of a second in which no thread of
the agent runs) and its loop would share the interpreter with the agent. The process is started at the first attempt, answers one
line per line, and ends with the agent or after a minute without work.

Here: both ends of the pipe. Not here: what is done with an attempt (`attempt_loop`). Standard library only, but for the process itself.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

_IDLE_S = 60.0
_LONGEST_S = 120.0
"""Of one loop; a process that takes longer is given up."""


class LearnerUnavailableError(Exception):
    """There is no process that learns, or it did not answer in time, or could not do it."""


class LearnerProcess:
    """The process of one data directory, as long as there is one. Thread-safe."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._number = 0
        self._unread = bytearray()

    def learn(self, body: bytes, wait_s: float | None) -> dict[str, Any]:
        """What the loop did with an event.

        Args:
            body: the event as one line of JSON.
            wait_s: as long as this; None as long as a loop may take.

        Raises:
            LearnerUnavailableError: it did nothing, or is still at it.
        """
        until = time.monotonic() + (_LONGEST_S if wait_s is None else wait_s)
        if not self._lock.acquire(timeout=max(0.0, until - time.monotonic())):
            raise LearnerUnavailableError("it is busy")
        try:
            answer = self._ask(body, until)
        finally:
            self._lock.release()
        if "loop" not in answer:
            raise LearnerUnavailableError(str(answer.get("error")))
        return dict(answer["loop"])

    def _ask(self, body: bytes, until: float) -> dict[str, Any]:
        self._number += 1
        line = b"%d %s\n" % (self._number, body)
        for _ in range(2):  # one that was idle may end at this very moment
            process = self._running()
            try:
                self._tell(process, line, until)
                return self._answer(process, until)
            except (BrokenPipeError, EOFError):
                self._give_up(process)
        raise LearnerUnavailableError("its process ends at once")

    def _tell(self, process: subprocess.Popen[bytes], line: bytes, until: float) -> None:
        assert process.stdin is not None
        pipe, left = process.stdin.fileno(), memoryview(line)
        while left:
            if not select.select([], [pipe], [], max(0.0, until - time.monotonic()))[1]:
                self._give_up(process)  # it has half a line, and hangs
                raise LearnerUnavailableError("it takes no more")
            left = left[os.write(pipe, left) :]

    def _answer(self, process: subprocess.Popen[bytes], until: float) -> dict[str, Any]:
        assert process.stdout is not None
        output = process.stdout.fileno()
        while True:
            line, separator, rest = self._unread.partition(b"\n")
            if separator:
                self._unread = rest
                number, _, answer = line.partition(b" ")
                if int(number) == self._number:  # else of a question that nobody waited for any more
                    told = json.loads(answer)
                    return told if isinstance(told, dict) else {}
                continue
            left = until - time.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                raise LearnerUnavailableError("no answer in time")
            part = os.read(output, 1 << 16)
            if not part:
                raise EOFError
            self._unread += part

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._unread.clear()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(_IDLE_S)],
                env={**os.environ, "DEBUG_LOOP_DATA_DIR": str(self._data_dir)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the agent's terminal is not meant for it
            )
            assert self._process.stdin is not None
            os.set_blocking(self._process.stdin.fileno(), False)
        return self._process

    def _give_up(self, process: subprocess.Popen[bytes]) -> None:
        self._process = None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue


def _lines(source: int, idle_s: float) -> Iterator[bytes]:
    """The lines of a pipe, until the other end is gone or nothing came for a while."""
    unread = bytearray()
    while select.select([source], [], [], idle_s)[0] and (part := os.read(source, 1 << 20)):
        unread += part
        *whole, unread = unread.split(b"\n")
        yield from map(bytes, whole)


def _answer_all(source: int, answers: IO[bytes], idle_s: float) -> None:
    """Runs the loop for each line."""
    from debug_loop_pipeline.serving.attempt_loop import AttemptLearner
    from debug_loop_pipeline.settings import get_settings

    learner: AttemptLearner | None = None
    for line in _lines(source, idle_s):
        number, _, body = line.partition(b" ")
        try:
            learner = learner or AttemptLearner(get_settings())
            answer: dict[str, Any] = {"loop": learner.learn_json(body)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(b"%s %s\n" % (number, json.dumps(answer).encode()))
        answers.flush()


def main() -> None:
    """The process: events on standard input, answers on what was standard output."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _answer_all(0, answers, float(sys.argv[1]))


if __name__ == "__main__":
    main()
