"""`debug-loop up | status | doctor | down`, as a person calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.embedded.supervisor import Supervisor


class Cli:
    """Calls the command in a process of its own, on one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def __call__(self, *arguments: str, code: int = 0, **environment: str) -> str:
        result = subprocess.run(
            [sys.executable, "-m", "debug_loop_pipeline.cli.main", *arguments],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "DEBUG_LOOP_DATA_DIR": str(self.data_dir), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout if code == 0 else result.stdout + result.stderr

    def json(self, *arguments: str, code: int = 0, **environment: str) -> Any:
        return json.loads(self(*arguments, "--json", code=code, **environment))


@pytest.fixture
def cli(short_directory: Path) -> Iterator[Cli]:
    directory = short_directory / "data"
    yield Cli(directory)
    Supervisor(directory).down()


def levels(findings: list[dict[str, str]]) -> dict[str, str]:
    return {finding["check"]: finding["level"] for finding in findings}


def test_up_status_doctor_and_down_tell_one_story(cli: Cli) -> None:
    before = levels(cli.json("doctor"))
    assert before["postgres"] == "note"
    shown = {row["name"]: row for row in cli.json("up", "--kafka", "tansu")["servers"]}
    assert {row["state"] for row in shown.values()} == {"running"}
    assert "***" in shown["postgres"]["address"]
    assert cli.json("status")["servers"][0]["pid"] == shown["postgres"]["pid"]
    after = levels(cli.json("doctor"))
    assert {after[name] for name in ("postgres", "valkey", "kafka", "schema", "dagster home")} == {"ok"}
    assert sorted(cli.json("down")["stopped"]) == ["kafka", "postgres", "valkey"]
    assert {row["state"] for row in cli.json("status")["servers"]} == {"stopped"}


def test_an_external_server_is_used_and_none_is_started_for_it(cli: Cli, empty_postgres_url: str) -> None:
    rows = cli.json("up", "--kafka", "none", DEBUG_LOOP_POSTGRES_URL=empty_postgres_url)["servers"]
    assert {row["name"]: row["state"] for row in rows} == {
        "postgres": "external",
        "valkey": "running",
        "kafka": "stopped",
    }


def test_doctor_names_what_is_wrong_and_what_to_do(cli: Cli) -> None:
    url = "postgresql://nobody:x@127.0.0.1:1/none"
    findings = {f["check"]: f for f in cli.json("doctor", code=1, DEBUG_LOOP_POSTGRES_URL=url)}
    assert findings["postgres"]["level"] == "problem"
    assert "DEBUG_LOOP_POSTGRES_URL" in findings["postgres"]["advice"]


def test_doctor_tells_of_settings_that_are_misspelt(cli: Cli) -> None:
    told = cli.json("doctor", DEBUG_LOOP_ECONOMY_ENABLE="true", DEBUG_LOOP_ECONOMY__FIX_REWARD="90")
    [finding] = [f for f in told if f["check"] == "settings" and "ECONOMY" in f["found"]]
    assert finding["found"] == "DEBUG_LOOP_ECONOMY_ENABLE is no setting"
    assert finding["advice"] == "did you mean DEBUG_LOOP_ECONOMY_ENABLED?"


def test_doctor_tells_of_events_that_the_broker_did_not_take(cli: Cli) -> None:
    assert "set aside" not in levels(cli.json("doctor"))
    refused = cli.data_dir / "set_aside"
    refused.mkdir(parents=True)
    (refused / "one.jsonl").write_text("{}\n", encoding="utf-8")
    [told] = [f for f in cli.json("doctor") if f["check"] == "set aside"]
    assert told["found"].startswith("1 events")
    assert f"import jsonl {refused}" in told["advice"]


def test_purge_removes_the_data_and_only_what_up_made(cli: Cli, short_directory: Path) -> None:
    cli("up", "--kafka", "none")
    mine = cli.data_dir / "mine.txt"
    mine.write_text("kept", encoding="utf-8")
    assert "mine.txt" in cli("down", "--purge", code=1)
    assert list(cli.data_dir.iterdir()) == [mine]
    mine.unlink()
    cli("up", "--kafka", "none")
    cli("down", "--purge")
    assert not cli.data_dir.exists()
    stranger = short_directory / "stranger"
    stranger.mkdir()
    assert "was not made by" in Cli(stranger)("down", "--purge", code=1)
    assert stranger.is_dir()
