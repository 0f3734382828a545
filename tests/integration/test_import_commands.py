"""`debug-loop import` and `debug-loop watch --once` say what they did not take in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from debug_loop_pipeline.cli import main
from debug_loop_pipeline.importers import sniffing

RECORDED = Path(__file__).parents[1] / "data" / "recorded_sessions"
run = CliRunner().invoke


pytestmark = pytest.mark.usefixtures("store_of_commands")


@pytest.fixture
def session(tmp_path: Path) -> Path:
    file = tmp_path / "sessions" / "csvq.jsonl"
    file.parent.mkdir()
    shutil.copy(RECORDED / "csvq.jsonl", file)
    return file


def test_a_named_file_of_another_format_is_told_beside_what_was_imported(session: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no log\n", encoding="utf-8")
    done = run(main.app, ["import", "claude-code", str(session), str(notes)])
    assert done.exit_code == 0
    assert f"passed over: {notes}: not of format claude-code" in done.stderr
    told = json.loads(run(main.app, ["import", "auto", str(session), str(notes), "--json"]).stdout)
    assert (told["files_unchanged"], told["problems"]) == (
        1,
        [{"file": str(notes), "line": None, "reason": "not of any known format"}],
    )
    nothing = run(main.app, ["import", "codex", str(session)])
    assert nothing.exit_code == 1
    assert "nothing imported: no file there is of format codex" in nothing.output + str(nothing.exception)


def test_watch_once_takes_folders_of_a_format_and_tells_of_paths_that_are_gone(session: Path) -> None:
    gone = session.with_name("gone.jsonl")
    done = run(main.app, ["watch", "--once", f"claude-code={session.parent}", str(gone), "--json"])
    assert (done.exit_code, json.loads(done.stdout)["files"]) == (0, 1)
    assert f"passed over: {gone}: no such file or folder" in done.stderr
    again = run(main.app, ["watch", "--once", str(session), "--json"])
    assert json.loads(again.stdout)["files_unchanged"] == 1


@pytest.mark.parametrize("command", [["import", "auto"], ["import", "claude-code"], ["watch", "--once"]])
def test_a_link_to_itself_is_told_and_the_rest_is_imported(session: Path, command: list[str]) -> None:
    link = session.with_name("a link")
    link.symlink_to(link.name)
    done = run(main.app, [*command, str(session.parent), "--json"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["files"], told["problem_count"]) == (0, 1, 1)
    assert told["problems"][0]["file"] == str(link)
    assert told["problems"][0]["reason"].startswith("cannot be read: ")


def test_a_named_file_that_cannot_be_read_is_told_once(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(sniffing, "read_head", closed)
    done = run(main.app, ["import", "auto", str(session)])
    assert done.exit_code == 1
    assert done.stderr.count("passed over: ") == 1
    assert f"passed over: {session}: cannot be read: Permission denied" in done.stderr
