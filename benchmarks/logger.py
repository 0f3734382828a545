"""What logging costs an agent: each call of the logger, with the broker there and with none. As JSON.

    python -m benchmarks.logger [--calls N]

`tell` is start, three times progress, and complete, of an attempt of about 3 KB; `complete` is its last call alone, which waits for the disk (at
most `block_ms`); `record` tells a finished attempt whole. `import_ms` is CPU time, of a fresh process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.common import machine, scratch_directory, show
from debug_loop_pipeline.client import AgentExecutionLogger
from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.models.logger_options import LoggerOptions

_IMPORT = (
    "import time; t = time.process_time(); from debug_loop_pipeline.client import AgentExecutionLogger;"
    "print((time.process_time() - t) * 1000)"
)
_CODE = "def answer(question: str) -> str:\n    return question.strip()\n" * 40


def percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 3),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)] * 1000, 3),
        "max_ms": round(ordered[-1] * 1000, 3),
    }


def tell(logger: AgentExecutionLogger, number: int) -> tuple[float, float]:
    """(seconds of all calls, of `complete` alone)."""
    began = time.perf_counter()
    attempt = logger.start("make the tests pass", task=f"task-{number % 50}", context={"repository": "a/b"})
    logger.progress(attempt, edits=[{"path": "a.py", "language": "python", "before": "x = 1", "after": _CODE}])
    logger.progress(attempt, commands=[{"command": "pip install requests", "exit_code": 0, "mutating": True}])
    logger.progress(attempt, tools_used=["Edit", "Bash", "Bash"], tokens_input=1_000, tokens_output=200)
    completing = time.perf_counter()
    logger.complete(
        "error",
        attempt,
        verifications=[{"command": "pytest -q", "goal": "pytest", "goal_tool": "pytest", "verdict": "fail"}],
        errors=[{"type": "KeyError", "message": "KeyError: 'name'", "verification": 0}],
    )
    ended = time.perf_counter()
    return ended - began, ended - completing


def measure(directory: Path, servers: str, calls: int) -> dict[str, Any]:
    logger = AgentExecutionLogger("bench", data_dir=directory, servers=servers, options=LoggerOptions(learn=False))
    time.sleep(2.0)  # an agent too has something to do before its first attempt ends
    first = tell(logger, 0)[0]
    told = [tell(logger, number) for number in range(calls)]
    events = [
        {"attempt_id": f"00000000-0000-5000-8000-{n:012d}", "correlation_id": f"00000000-0000-5000-8000-{n % 50:012d}",
         "agent_name": "bench", "user_request": "go", "status": "error", "started_at": "2026-03-01T00:00:00Z"}
        for n in range(calls)
    ]  # fmt: skip
    recorded = []
    for event in events:
        began = time.perf_counter()
        logger.record(event)
        recorded.append(time.perf_counter() - began)
    began = time.perf_counter()
    logger.close(wait_s=None if servers.endswith(":9") else 30.0)
    return {
        "first_call_ms": round(first * 1000, 3),
        "tell": percentiles([whole for whole, _ in told]),
        "complete": percentiles([last for _, last in told]),
        "record": percentiles(recorded),
        "late": logger.counts.late,
        "close_ms": round((time.perf_counter() - began) * 1000, 3),
        "unpublished": logger.unpublished,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000)
    calls = parser.parse_args().calls
    imports = [
        float(subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, check=True, text=True).stdout)
        for _ in range(7)
    ]
    with scratch_directory() as directory:
        supervisor = Supervisor(directory / "servers")
        try:
            there = supervisor.up("auto", postgres=False, valkey=False)
            assert there.kafka_bootstrap_servers is not None
            show(
                {
                    "machine": machine(),
                    "calls": calls,
                    "broker": there.kafka_kind,
                    "import_ms": round(sorted(imports)[len(imports) // 2], 1),
                    "with_broker": measure(directory / "with", there.kafka_bootstrap_servers, calls),
                    "without_broker": measure(directory / "without", "127.0.0.1:9", calls),
                }
            )
        finally:
            supervisor.down()


if __name__ == "__main__":
    main()
