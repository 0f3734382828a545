"""The agent of `benchmarks.logger`: what each call of the logger takes in a process that loads nothing else. As JSON, to standard output.

python -m benchmarks.logger_agent SCENARIO CALLS SERVERS [PID TO KILL IN THE MIDDLE]
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

SLOW_SYNC_S = 0.3
_CODE = "def answer(question: str) -> str:\n    return question.strip()  # key = 'value'\n" * 30
_TICK_S = 0.001
_CONTROL = f"""
import json, os, sys, time, select
os.sched_setaffinity(0, [int(sys.argv[1])])
told = []
while not select.select([sys.stdin], [], [], 0)[0]:
    began = time.monotonic(); time.sleep({_TICK_S}); ended = time.monotonic()
    if ended - began > 3 * {_TICK_S}: told.append((began, ended - began - {_TICK_S}))
print(json.dumps(told))
"""

Delays = list[tuple[float, float]]
"""(when, how much too late), in order."""
Calls = list[tuple[float, float]]
"""(when, how long)."""


def percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    last = len(ordered) - 1
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {
        f"{name}_ms": round(ordered[min(last, int(len(ordered) * share))] * 1000, 2) for name, share in shares.items()
    }


@contextmanager
def machine_clock(delays: Delays) -> Iterator[None]:
    """For each CPU a process that does nothing but sleep; when any of them came late is in `delays` at the end."""
    with ExitStack() as running:
        controls = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", _CONTROL, str(cpu)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for cpu in sorted(os.sched_getaffinity(0))
        ]
        yield
        late = sorted(tuple(pair) for control in controls for pair in json.loads(control.communicate("\n")[0]))
    for began, by in late:  # where two were late at once that counts once
        if delays and began < (ended := sum(delays[-1])):
            delays[-1] = delays[-1][0], max(ended, began + by) - delays[-1][0]
        else:
            delays.append((began, by))


@contextmanager
def thread_clock(delays: Delays) -> Iterator[None]:
    """The same in a thread."""
    ending = threading.Event()

    def tick() -> None:
        while not ending.is_set():
            began = time.monotonic()
            time.sleep(_TICK_S)
            delays.append((began, time.monotonic() - began - _TICK_S))

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    yield
    ending.set()
    thread.join()


def beyond(calls: Calls, delays: Delays) -> float:
    """The longest call, less what the machine was late while it ran."""
    starts = [when for when, _ in delays]

    def late(began: float, spent: float) -> float:
        first = max(0, bisect_left(starts, began) - 1)
        return sum(
            min(when + by, began + spent) - max(when, began)
            for when, by in delays[first : bisect_left(starts, began + spent)]
            if when + by > began
        )

    return max(spent - late(began, spent) for began, spent in calls)


class Collections:
    """Whole collections of garbage, in which no thread of the process runs: how long each took."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] < 2:
            return
        if phase == "start":
            self._began = time.monotonic(), time.thread_time()
        else:
            self.wall.append(time.monotonic() - self._began[0])
            self.cpu.append(time.thread_time() - self._began[1])


class Told:
    """The calls of one agent, by what was called."""

    def __init__(self) -> None:
        self.calls: dict[str, Calls] = {}

    def time(self, name: str, call: Callable[[], Any]) -> Any:
        began = time.monotonic()
        result = call()
        self.calls.setdefault(name, []).append((began, time.monotonic() - began))
        return result


def tell(told: Told, logger: Any, number: int, prefix: str = "") -> None:
    """One attempt of about 3 KB."""
    error = [{"type": "KeyError", "message": "KeyError: 'name'", "verification": 0}]
    goal = [{"command": "pytest -q", "goal": "pytest", "goal_tool": "pytest", "verdict": "fail"}]
    edit = [{"path": "a.py", "language": "python", "before": "x = 1", "after": _CODE}]
    attempt = told.time(f"{prefix}start", lambda: logger.start("make the tests pass", task=f"task-{number % 50}"))
    told.time(f"{prefix}progress", lambda: logger.progress(attempt, edits=edit))
    told.time(f"{prefix}complete", lambda: logger.complete("error", attempt, verifications=goal, errors=error))


def large(number: int) -> dict[str, Any]:
    """An event with a text of 1 MB."""
    text = (f"{number} {_CODE}" * (1_000_000 // len(_CODE) + 1))[:1_000_000]
    return {
        "attempt_id": str(UUID(int=number + 1)), "correlation_id": str(UUID(int=number % 50 + 1)), "agent_name": "bench",
        "user_request": "go", "status": "error", "started_at": "2026-03-01T00:00:00Z",
        "errors": [{"message": "KeyError: 'name'", "type": "KeyError", "stacktrace": text}],
    }  # fmt: skip


def agent(directory: Path, servers: str, calls: int, scenario: str, kill: int | None) -> dict[str, Any]:
    """One scenario, in this process."""
    from debug_loop_pipeline.client import AgentExecutionLogger
    from debug_loop_pipeline.client import spool as spools
    from debug_loop_pipeline.models.logger_options import LoggerOptions

    if scenario == "slow_disk":
        sync = os.fsync

        def slow(handle: int) -> None:
            time.sleep(SLOW_SYNC_S)
            sync(handle)

        spools.os.fsync = slow  # type: ignore[attr-defined]
    told, of_machine, of_thread, collections = Told(), Delays(), Delays(), Collections()
    gc.callbacks.append(collections)
    with machine_clock(of_machine), thread_clock(of_thread):
        time.sleep(0.3)
        options = LoggerOptions(learn=scenario == "learning")
        logger = told.time(
            "new", lambda: AgentExecutionLogger("bench", data_dir=directory, servers=servers, options=options)
        )
        tell(told, logger, 0, "first_")
        for number in range(calls):
            tell(told, logger, number)
            time.sleep(0.002)
            if kill is not None and number == calls // 2:
                os.kill(kill, 9)
        for number in range(max(20, calls // 20)):
            event = large(number)
            told.time("record_1MB", lambda event=event: logger.record(event))
            time.sleep(0.02)
        told.time("close", logger.close)
    report: dict[str, Any] = {}
    for name, spent in told.calls.items():
        report[name] = {"calls": len(spent)} | percentiles([seconds for _, seconds in spent])
        report[name]["max_beyond_machine_ms"] = round(beyond(spent, of_machine) * 1000, 2)
    counts = logger.counts
    report |= {
        "late": counts.late,
        "refused": counts.refused,
        "not_learned": counts.not_learned,
        "garbage": {
            "collections": len(collections.wall),
            "max_ms": round(max(collections.wall, default=0.0) * 1000, 2),
            "max_cpu_ms": round(max(collections.cpu, default=0.0) * 1000, 2),
        },
        "delay_of_machine": percentiles([0.0, *(late for _, late in of_machine)]),
        "delay_of_thread": percentiles([late for _, late in of_thread]),
        "load_average": round(os.getloadavg()[0], 1),
    }
    return report


def main() -> None:
    scenario, calls, servers, *kill = sys.argv[1:]
    place = Path(os.environ["DEBUG_LOOP_DATA_DIR"])
    print(json.dumps(agent(place, servers, int(calls), scenario, int(kill[0]) if kill else None)))


if __name__ == "__main__":
    main()
