"""`debug-loop dev`: the UI with our code location, and nothing left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

_LOCATIONS = """
{ workspaceOrError { __typename ... on Workspace { locationEntries {
    name loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }
"""


@pytest.fixture
def dev(short_directory: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "debug_loop_pipeline.cli.main", "dev", "--kafka", "tansu"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "DEBUG_LOOP_DATA_DIR": str(short_directory / "data"), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.terminate()
    process.wait(60)
    assert process.stdout is not None
    process.stdout.close()


def ask(url: str, query: str) -> Any:
    request = urllib.request.Request(
        f"{url}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        return json.load(answer)["data"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_dev_serves_the_ui_and_stops_everything_together(
    dev: subprocess.Popen[str], short_directory: Path, number: signal.Signals
) -> None:
    assert dev.stdout is not None
    first = dev.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+", first)
    assert found, first + dev.stdout.read()
    deadline = time.monotonic() + 120
    while True:
        (location,) = ask(found[0], _LOCATIONS)["workspaceOrError"]["locationEntries"]
        if location["loadStatus"] == "LOADED" or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert location["locationOrLoadError"] == {"__typename": "RepositoryLocation"}

    below = psutil.Process(dev.pid).children(recursive=True)
    assert len(below) >= 5
    dev.send_signal(number)
    assert dev.wait(60) == 0
    assert psutil.wait_procs(below, timeout=5)[1] == []
    assert json.loads((short_directory / "data" / "servers.json").read_text(encoding="utf-8"))["running"] == {}
