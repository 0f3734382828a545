"""The root command: fast to list, and every command of the table exists."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from debug_loop_pipeline.cli import main
from debug_loop_pipeline.cli.dagster_home import write_dagster_home
from debug_loop_pipeline.cli.output import counted, hide_password, print_json, print_table
from debug_loop_pipeline.cli.report_html import render_html
from debug_loop_pipeline.cli.report_tables import change_in_short
from debug_loop_pipeline.cli.store import open_store
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.settings import Settings, get_settings
from debug_loop_pipeline.text import shorten


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


@pytest.mark.parametrize(
    ("words", "choices"),
    [
        (("stf", "list", "--tier", "great"), "excellent"),
        (("stf", "list", "--approval", "open"), "pending"),
        (("stf", "list", "--language", "cobol"), "typescript"),
        (("stf", "search", "a request", "--category", "sport"), "file_io"),
        (("manifest", "--request", "a request", "--category", "sport"), "file_io"),
        (("golden", "list", "--state", "open"), "nominated"),
        (("errors", "top", "--category", "sport"), "test_failure"),
    ],
)
def test_a_filter_that_nothing_can_pass_is_refused_with_what_there_is(words: tuple[str, ...], choices: str) -> None:
    result = CliRunner().invoke(main.app, list(words))
    assert result.exit_code == 2
    assert f"'{words[-1]}' is not one of" in " ".join(result.output.replace("│", " ").split())
    assert choices in result.output


@pytest.mark.parametrize(
    "words",
    [
        ("stf", "approve", "0123abcd"),
        ("golden", "reject", "0123abcd"),
        ("errors", "undo", "0123abcd"),
        ("tokens", "grant", "ann", "1"),
        ("tokens", "adjust", "ann", "1"),
    ],
)
def test_a_decision_without_a_word_why_is_refused(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main.app, [*words, "--reason", " "])
    assert result.exit_code == 1
    assert "error: say why with --reason" in result.output


def test_a_serve_that_does_not_run_is_told_to_people_and_programs(short_directory: Path) -> None:
    environment = {"DEBUG_LOOP_DATA_DIR": str(short_directory)}
    people = CliRunner().invoke(main.app, ["serve", "--status"], env=environment)
    assert people.exit_code == 1
    assert people.output.count(str(short_directory)) == 1
    program = CliRunner().invoke(main.app, ["serve", "--status", "--json"], env=environment)
    assert program.exit_code == 1
    told = json.loads(program.stdout)
    assert told["ok"] is False
    assert "does not run here" in told["error"]


def test_mcp_says_where_it_is_only_once_it_has_the_port(short_directory: Path) -> None:
    environment = {"DEBUG_LOOP_DATA_DIR": str(short_directory), "DEBUG_LOOP_MCP_TOKEN": "t" * 16}
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = str(other.getsockname()[1])
        result = CliRunner().invoke(main.app, ["mcp", "--http", "--port", taken], env=environment)
    assert result.exit_code == 1
    assert f"error: port {taken} of 127.0.0.1 cannot be had (Address already in use" in result.output
    assert "--port" in result.output
    assert "MCP at" not in result.output
    unused = CliRunner().invoke(main.app, ["mcp", "--port", "8000"], env=environment)
    assert unused.exit_code == 1
    assert "--port goes with --http" in unused.output


def test_one_thing_is_not_told_as_several() -> None:
    assert [counted(number, "run") for number in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]


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


def test_a_text_that_is_cut_says_so() -> None:
    assert shorten("one\n  line", 10) == "one line"
    assert shorten("exactly 10", 10) == "exactly 10"
    assert shorten("more than ten", 10) == "more than…"


def test_a_table_without_rows_says_that_there_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("hash", "name"), [])
    print_table(("hash", "name"), iter(()), title="fixes")
    assert capsys.readouterr().out == "nothing\nfixes: nothing\n"


def test_decimals_are_told_without_an_exponent_or_idle_zeros(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([Decimal("0E-12"), Decimal("39.019665000000"), Decimal("1E+2")])
    assert capsys.readouterr().out.split() == ["[", '"0",', '"39.019665",', '"100"', "]"]


def test_a_change_of_indentation_alone_is_seen_in_the_short_form_of_a_change() -> None:
    diff = "--- a.py\n@@ -1 +3 @@\n-from scores import score\n+    from scores import score\n"
    assert change_in_short("edit", "", diff) == "- from scores import score\n+     from scores import score"
    alike = "--- a.py\n@@ -1 +1 @@\n-    return 1\n+    return 2\n"
    assert change_in_short("edit", "", alike) == "- return 1\n+ return 2"


@pytest.mark.parametrize(("other", "label"), [(date(2026, 11, 29), "11-29"), (date(2024, 5, 21), "2024-05-21")])
def test_the_charts_name_years_where_there_is_more_than_one(other: date, label: str) -> None:
    nothing: dict[str, list[object]] = {
        name: []
        for name in ("attempts", "agents", "top_errors", "fixes", "effect", "stuck", "functions_by_tier", "golden")
    }
    days = [{"day": day, "attempts": 1, "succeeded": 1, "failed": 0} for day in (other, date(2026, 11, 30))]
    found = nothing | {
        "attempts_by_day": days,
        "cost_by_day": [],
        "cost_by_model": [],
        "mapping_counts": [{"with_a_success": 0, "signatures": 0, "confident": 0}],
    }
    assert f"<!-- {label} -->" in render_html(found)


def test_a_bad_setting_is_named_by_its_variable_and_its_value_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", "mysql://me:hunter2@host/db")
    monkeypatch.setenv("DEBUG_LOOP_RECOMMENDATION__HOLDOUT_SHARE", "3")
    result = CliRunner().invoke(main.app, ["status"])
    assert result.exit_code == 1
    assert "DEBUG_LOOP_POSTGRES_URL: a PostgreSQL URL looks like" in result.output
    assert "DEBUG_LOOP_RECOMMENDATION__HOLDOUT_SHARE: Input should be less than or equal to 1" in result.output
    assert "hunter2" not in result.output


@pytest.fixture
def unread_settings() -> Iterator[None]:
    """Settings that are read in the test, and forgotten after it."""
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.mark.usefixtures("unread_settings")
def test_a_server_that_does_not_answer_is_told_in_words_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", "postgresql://me:hunter2@127.0.0.1:1/db")
    result = CliRunner().invoke(main.app, ["errors", "top"])
    assert result.exit_code == 1
    assert "error: postgres at postgresql://me@127.0.0.1:1/db: fetch failed" in result.output
    assert "Check that PostgreSQL runs there" in result.output
    assert "hunter2" not in result.output


@pytest.mark.usefixtures("unread_settings")
def test_status_ends_with_1_where_a_server_that_is_set_does_not_answer(
    short_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUG_LOOP_DATA_DIR", str(short_directory))
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", "postgresql://me:hunter2@127.0.0.1:1/db")
    monkeypatch.setenv("DEBUG_LOOP_VALKEY_URL", "redis://:hunter2@127.0.0.1:1/0")
    monkeypatch.setenv("DEBUG_LOOP_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    result = CliRunner().invoke(main.app, ["status", "--json"])
    assert result.exit_code == 1
    told = json.loads(result.stdout)["servers"]
    assert [row["state"] for row in told] == ["unreachable"] * 3
    assert all("refused" in row["detail"] for row in told)
    assert "hunter2" not in result.output


@pytest.mark.usefixtures("unread_settings")
def test_a_password_that_the_server_refuses_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG_LOOP_POSTGRES_URL", "postgresql://nobody:hunter2@127.0.0.1:1/db")
    refused = OperationalError("select 1", {}, Exception("FATAL: password authentication failed"))
    with (
        pytest.raises(DebugLoopError, match=r"nobody:\*\*\*@127.*does not let us in: FATAL.*\n.*doctor"),
        open_store(),
    ):
        raise refused
