"""What logging costs an agent: each call of the logger, and what holds it up at worst. As JSON.

    python -m benchmarks.logger [--calls N] [--only SCENARIO]

Each scenario is a fresh process: the broker there, absent, or killed in the middle; a disk whose sync takes 0.3 s; the debug loop on, without
`serve` (its libraries and a store of its own). Each tells attempts of about 3 KB, and whole events that hold a text of 1 MB. `complete` and
`record` wait for the disk (at most `block_ms`). `first` is the first attempt of the process, told at once.

Three clocks beside each other, since a busy machine delays everybody: `machine` are processes, one for each CPU, that only sleep for a
millisecond, again and again, and tell how much longer that took; `thread` is the same in a thread of the agent's process, so it
meets what holds the interpreter too (`garbage` tells of whole collections, in which no thread runs); `max_beyond_machine_ms` is the longest call less the machine's delay while it ran.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import machine, postgres, scratch_directory, show
from debug_loop_pipeline.embedded.supervisor import Supervisor

SCENARIOS = ("broker", "no_broker", "broker_dies", "slow_disk", "learning")
_NOBODY = "127.0.0.1:9"
_IMPORT = (
    "import time; t = time.process_time(); from debug_loop_pipeline.client import AgentExecutionLogger;"
    "print((time.process_time() - t) * 1000)"
)


def in_process(scenario: str, calls: int, directory: Path) -> dict[str, Any]:
    """A scenario in a fresh process, with the servers it needs."""
    supervisor = Supervisor(directory / "servers")
    environment = {**os.environ, "DEBUG_LOOP_DATA_DIR": str(directory / "agent")}
    try:
        servers, kill = _NOBODY, None
        if scenario in ("broker", "broker_dies"):
            servers = supervisor.up("auto", postgres=False, valkey=False).kafka_bootstrap_servers or _NOBODY
            kill = next(s.pid for s in supervisor.status() if s.name == "kafka") if scenario == "broker_dies" else None
        command = [sys.executable, "-m", "benchmarks.logger_agent", scenario, str(calls), servers]
        command += [] if kill is None else [str(kill)]
        if scenario == "learning":
            with postgres(directory) as server:
                environment["DEBUG_LOOP_POSTGRES_URL"] = server.url
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        else:
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        return dict(json.loads(done.stdout))
    finally:
        supervisor.down()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--calls", type=int, default=2_000, help="attempts of each scenario; a twentieth as many large events"
    )
    parser.add_argument("--only", choices=SCENARIOS)
    chosen = parser.parse_args()
    imports = [
        float(subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, check=True, text=True).stdout)
        for _ in range(7)
    ]
    report: dict[str, Any] = {"machine": machine(), "import_ms": round(sorted(imports)[len(imports) // 2], 1)}
    for scenario in (chosen.only,) if chosen.only else SCENARIOS:
        with scratch_directory() as directory:
            report[scenario] = in_process(scenario, chosen.calls, directory)
    show(report)


if __name__ == "__main__":
    main()
