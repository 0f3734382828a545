"""What the benchmarks share: the machine, the real data, servers of their own, CPU time and memory."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from debug_loop_pipeline.effects import schema
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.embedded.postgres import create_database
from debug_loop_pipeline.embedded.supervisor import Supervisor
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.model_prices import seed


def shared_data() -> Path:
    """The real transcripts.

    Raises:
        SystemExit: they are not there.
    """
    place = Path(os.environ.get("DEBUG_LOOP_SHARED_DATA", "../shared/data")).resolve()
    if not place.is_dir():
        raise SystemExit(f"no real data at {place}; set DEBUG_LOOP_SHARED_DATA to the directory that holds them")
    return place


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown"
    )
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def peak_mb() -> float:
    """Peak resident memory of this program so far, in MB (10^6 bytes); `ru_maxrss` would count the one that started it too."""
    peak = next(line for line in _lines("/proc/self/status") if line.startswith("VmHWM:"))
    return round(int(peak.split()[1]) * 1024 / 1e6, 1)


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A directory that is removed at the end; PostgreSQL's own account can pass through it."""
    directory = Path(tempfile.mkdtemp(prefix="debug-loop-bench-"))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@dataclass(frozen=True)
class Server:
    """An embedded PostgreSQL of the benchmark's own."""

    url: str
    process: psutil.Process

    def another_database(self) -> str:
        """The URL of one more migrated database on it."""
        url = urlsplit(self.url)._replace(path="/another").geturl()
        create_database(url)
        schema.upgrade(url)
        return url

    def cpu_s(self) -> float:
        """CPU seconds that all its processes have used so far, those that ended included."""
        own = self.process.cpu_times()
        running = 0.0
        for child in self.process.children(recursive=True):
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            running += times.user + times.system
        return own.user + own.system + own.children_user + own.children_system + running


@contextmanager
def postgres(directory: Path) -> Iterator[Server]:
    """A fresh, migrated PostgreSQL, stopped at the end."""
    servers = Supervisor(directory / "servers")
    try:
        url = servers.up("none", valkey=False).postgres_url
        assert url is not None
        status = next(server for server in servers.status() if server.name == "postgres")
        schema.upgrade(url)
        yield Server(url, psutil.Process(status.pid))
    finally:
        servers.down()


@contextmanager
def store(url: str, directory: Path) -> Iterator[StepContext]:
    """What steps work with, on this database."""
    with closing(Database(url)) as database:
        seed(database)
        yield StepContext(database, Settings(data_dir=directory))


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process that `work` takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def show(report: dict[str, Any]) -> None:
    """Prints a report."""
    print(json.dumps(report, indent=2, ensure_ascii=False))
