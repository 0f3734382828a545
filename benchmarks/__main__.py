"""Runs every benchmark at its default size, or at the full one, each in a process of its own, and prints one JSON object.

python -m benchmarks [--full] [NAME...]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

NAMES = (
    "import_logs",
    "graph",
    "compute_code",
    "normalise",
    "matcher",
    "match_epochs",
    "cache_hits",
    "hooks",
    "ledger",
    "logger",
    "live_latency",
)
_WITH_FULL = ("import_logs", "graph", "matcher", "match_epochs", "ledger")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--full", action="store_true", help="the sizes of docs/performance.md: an hour, 8 GB of memory, 5 GB of disk"
    )
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="which; all of them where none is named")
    chosen = parser.parse_args()
    reports: dict[str, object] = {}
    failed = False
    for name in chosen.names or NAMES:
        full = ["--full"] if chosen.full and name in _WITH_FULL else []
        started = time.perf_counter()
        print(f"benchmarks.{name} ...", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *full], stdout=subprocess.PIPE, check=False)
        print(f"benchmarks.{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        failed = failed or done.returncode != 0
        reports[name] = json.loads(done.stdout) if done.returncode == 0 else {"exit_code": done.returncode}
    print(json.dumps(reports, indent=2, ensure_ascii=False))
    sys.exit(failed)


if __name__ == "__main__":
    main()
