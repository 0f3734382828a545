"""A new unit comes with what this store knows of its purpose."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from debug_loop_pipeline.cli import main
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.settings import Settings, get_settings
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ingestion import ingest_events
from debug_loop_pipeline.steps.run_all import run_dirty_days
from tests.support.events import fixed_task


def test_approved_functions_that_match_the_purpose_are_put_beside_the_unit(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = StepContext(Database(postgres_url), Settings(data_dir=tmp_path / "data"))
    events = [event for day in range(3) for event in fixed_task(f"task-{day}", day=day)]
    ingest_events(made, events, "test")
    run_dirty_days(made)
    made.database.close()
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", postgres_url)
    monkeypatch.setenv("DEBUG_LOOP_DATA_DIR", str(tmp_path / "data"))
    get_settings.cache_clear()

    arguments = ["new", "compute", events[0].user_request, "--name", "Known", "--output", str(tmp_path / "units")]
    result = CliRunner().invoke(main.app, [*arguments, "--enable-intelligence"])
    get_settings.cache_clear()

    assert result.exit_code == 0, result.output
    reference = tmp_path / "units" / "known_compute" / "reference"
    [code] = reference.glob("*.py.txt")
    assert "def read_name" in code.read_text()
    assert code.name in (reference / "README.md").read_text()
