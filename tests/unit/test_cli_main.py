"""The root command: fast to list, and every command of the table exists."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from debug_loop_pipeline.cli import main
from debug_loop_pipeline.cli.dagster_home import write_dagster_home
from debug_loop_pipeline.cli.output import hide_password
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.settings import Settings


def test_help_lists_every_command_and_imports_none() -> None:
    script = (
        "import sys; from debug_loop_pipeline.cli.main import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "print('LOADED', sorted(name for name in sys.modules if name.startswith('debug_loop_pipeline.cli.')))\n"
        "print('HEAVY', sorted({'dagster', 'pandas', 'sqlalchemy', 'pydantic', 'numpy'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert all(name in result.stdout for name in main.COMMANDS)
    assert "LOADED ['debug_loop_pipeline.cli.main']" in result.stdout
    assert "HEAVY []" in result.stdout


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_shows_its_help(name: str) -> None:
    result = CliRunner().invoke(main.app, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output


def test_a_failure_that_explains_itself_has_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    from debug_loop_pipeline.cli import servers

    def fail(*_: object) -> None:
        raise DebugLoopError("the disk is full: make room")

    monkeypatch.setattr(servers, "load_settings", fail)
    result = CliRunner().invoke(main.app, ["down"])
    assert result.exit_code == 1
    assert "error: the disk is full: make room" in result.stderr
    assert "Traceback" not in result.output


def test_passwords_are_hidden_in_addresses() -> None:
    assert hide_password("postgresql://u:secret@h:1/d") == "postgresql://u:***@h:1/d"
    assert hide_password("redis://:secret@h:1/0") == "redis://:***@h:1/0"
    assert hide_password("h:9092") == "h:9092"


def test_dagsters_home_is_private_and_loads_whatever_its_path_and_password_hold(tmp_path: Path) -> None:
    import yaml

    place = tmp_path / 'with "quotes" and $dollars'
    url = "postgresql+psycopg2://u:p%22%24x@h:1/d"
    home = write_dagster_home(Settings(data_dir=place, postgres_url=url))
    path = home / "dagster.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content["storage"]["custom"]["config"]["postgres_url"] == f"{url}_dagster"
    assert content["compute_logs"]["config"]["base_dir"] == str(home / "compute-logs")
    assert content["telemetry"] == {"enabled": False}
    assert path.stat().st_mode & 0o777 == 0o600
