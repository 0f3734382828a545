"""`debug-loop dev` as a process of its own, on a data directory of its own, ended by a signal, after which nothing of it is left."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.settings import Settings, read_servers_state, sqlalchemy_url
from debug_loop_pipeline.steps.framework import StepContext

T = TypeVar("T")


class Ui:
    """The GraphQL that the UI speaks."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/graphql"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            self._url,
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with self._opener.open(request, timeout=60) as answer:
            told = json.load(answer)
        assert "errors" not in told, told
        return dict(told["data"])

    def runs(self) -> list[dict[str, Any]]:
        """Newest first: {runId, status, jobName, tags}."""
        query = "{runsOrError(limit: 50) {... on Runs {results {runId status jobName tags {key value}}}}}"
        runs = self.ask(query)["runsOrError"]["results"]
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in runs]


@dataclass(frozen=True)
class Dev:
    """A `debug-loop dev` that runs."""

    ui: Ui
    context: StepContext
    data_dir: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of other processes that belong to it."""
        return {**os.environ, "DEBUG_LOOP_DATA_DIR": str(self.data_dir)}

    @property
    def dagster_postgres_url(self) -> str:
        """Dagster's own storage, for SQLAlchemy."""
        return sqlalchemy_url(self.context.settings.require_dagster_postgres_url())

    def alive(self) -> None:
        """Fails with the log where it ended."""
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")


@contextmanager
def running_dev(
    directory: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    ended_by: signal.Signals = signal.SIGINT,
) -> Iterator[Dev]:
    """Starts it, waits for the UI, and ends it: everything below it and its servers have to end with it.

    Args:
        directory: where `data` (the data directory) and the log come to lie.
        arguments: of `debug-loop dev`, besides the port.
        environment: more variables.
        ended_by: the signal that ends it.
    """
    data, log = directory / "data", directory / "dev.log"
    command = [sys.executable, "-m", "debug_loop_pipeline.cli.main", "dev", "--port", str(free_port()), *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, "DEBUG_LOOP_DATA_DIR": str(data), **(environment or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    context: StepContext | None = None
    try:

        def ready() -> re.Match[str] | None:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            return re.search(r"Dagster UI: (\S+)", log.read_text(encoding="utf-8"))

        url = wait_for("the UI", ready, 240)[1]
        running = read_servers_state(data).running
        settings = Settings(
            data_dir=data,
            postgres_url=running["postgres"].address,
            valkey_url=running["valkey"].address,
            kafka_bootstrap_servers=running["kafka"].address if "kafka" in running else None,
        )
        context = StepContext(Database(running["postgres"].address), settings)
        yield Dev(Ui(url), context, data, process, log)
    finally:
        if context is not None:
            context.database.close()
        below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(ended_by)
        try:
            assert process.wait(60) == 0, log.read_text(encoding="utf-8")
        finally:
            process.kill()
        assert psutil.wait_procs(below, timeout=5)[1] == []
        assert read_servers_state(data).running == {}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(what: str, look: Callable[[], T | None], seconds: float, every: float = 0.3) -> T:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(every)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")
