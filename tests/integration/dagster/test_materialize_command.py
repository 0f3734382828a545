"""`debug-loop materialize` computes what is dirty, and with `--full-refresh` every day again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from debug_loop_pipeline.cli import main

RECORDED = Path(__file__).parents[2] / "data" / "recorded_sessions"


@pytest.mark.usefixtures("store_of_commands")
def test_a_full_refresh_without_a_range_computes_every_day_with_attempts_again() -> None:
    def materialize(*options: str) -> dict[str, int]:
        done = CliRunner().invoke(main.app, ["materialize", *options, "--json"])
        assert done.exit_code == 0, done.output
        return {row["asset"]: row["attempts"] for row in json.loads(done.stdout)}

    assert materialize("--full-refresh") == {}
    imported = CliRunner().invoke(main.app, ["import", "claude-code", str(RECORDED / "csvq.jsonl"), "--json"])
    attempts = json.loads(imported.stdout)["attempts"]
    assert attempts > 0
    first = materialize()
    assert first["execution_attempts"] == attempts
    assert materialize() == {}
    assert materialize("--full-refresh") == first
