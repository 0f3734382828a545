"""Files are due once they rest, again when they grew, and never for nothing."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from debug_loop_pipeline.importers import sniffing
from debug_loop_pipeline.importers.base import read_head
from debug_loop_pipeline.importers.registry import NAMES, importer_for
from debug_loop_pipeline.serving.intake import session_files
from debug_loop_pipeline.serving.watcher import FolderWatcher, Watched, transcripts_under, watched_folders
from tests.support.clock import Clock

LINE = json.dumps({"parentUuid": None, "sessionId": "s", "uuid": "u", "type": "user"}) + "\n"


def transcript(folder: Path, name: str = "s.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(LINE, encoding="utf-8")
    return folder / name


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000.0)


@pytest.fixture
def watcher(tmp_path: Path, clock: Clock) -> FolderWatcher:
    folder = Watched(importer_for("claude-code"), tmp_path / "projects")
    return FolderWatcher([folder], clock, settle_s=2, again_s=30)


def due(watcher: FolderWatcher, clock: Clock, at: float) -> list[str]:
    clock.now = 1_000.0 + at
    return [path.name for _, path in watcher.due()]


def test_a_file_is_due_when_it_rests_and_when_it_grew(tmp_path: Path, watcher: FolderWatcher, clock: Clock) -> None:
    assert due(watcher, clock, 0) == []
    path = transcript(tmp_path / "projects" / "p")
    assert due(watcher, clock, 1) == []
    assert due(watcher, clock, 2) == []
    assert due(watcher, clock, 3.5) == ["s.jsonl"]
    assert due(watcher, clock, 9) == []
    watcher.again([(importer_for("claude-code"), path)])
    assert due(watcher, clock, 9.5) == ["s.jsonl"]
    with path.open("a", encoding="utf-8") as file:
        file.write(LINE)
    assert due(watcher, clock, 10) == []
    assert due(watcher, clock, 12.5) == ["s.jsonl"]


def test_one_that_never_rests_is_taken_now_and_then(tmp_path: Path, watcher: FolderWatcher, clock: Clock) -> None:
    path = transcript(tmp_path / "projects")
    taken = []
    for second in range(65):
        with path.open("a", encoding="utf-8") as file:
            file.write(LINE)
        if due(watcher, clock, second):
            taken.append(second)
    assert taken == [30, 60]


def test_other_files_and_files_that_went_are_passed_over(tmp_path: Path, watcher: FolderWatcher, clock: Clock) -> None:
    folder = tmp_path / "projects"
    path = transcript(folder)
    (folder / "notes.md").write_text("no transcript", encoding="utf-8")
    (folder / "empty.jsonl").touch()
    due(watcher, clock, 0)
    path.unlink()
    assert due(watcher, clock, 5) == []
    transcript(folder)
    assert due(watcher, clock, 6) == []
    assert due(watcher, clock, 9) == ["s.jsonl"]


def test_what_cannot_be_read_is_told_once_and_taken_once_it_can_be(
    tmp_path: Path, watcher: FolderWatcher, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "projects"
    transcript(folder, "closed.jsonl")
    transcript(folder, "open.jsonl")
    (folder / "loop").symlink_to("loop")

    def head(path: Path) -> bytes:
        if path.name == "closed.jsonl":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read_head(path)

    def told(at: float) -> tuple[list[str], list[str]]:
        return due(watcher, clock, at), [f"{Path(one.file).name}: {one.reason}" for one in watcher.problems]

    monkeypatch.setattr(sniffing, "read_head", head)
    assert told(0) == ([], [f"loop: cannot be read: {os.strerror(errno.ELOOP)}"])
    assert told(3) == (["open.jsonl"], ["closed.jsonl: cannot be read: Permission denied"])
    assert told(5) == ([], [])
    monkeypatch.undo()
    assert told(7) == (["closed.jsonl"], [])
    assert told(9) == ([], [])


def test_every_agents_own_folder_is_watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    monkeypatch.delenv("CODEX_HOME", raising=False)
    names = {folder.importer.name for folder in watched_folders()}
    assert {"claude-code", "codex", "copilot", "gemini", "pi"} <= names <= set(NAMES)
    assert [folder.root for folder in watched_folders([("aider", tmp_path)])] == [tmp_path]


def test_a_session_is_its_transcript_and_its_sub_agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = transcript(tmp_path, "5b3c.jsonl")
    assert session_files("claude-code", str(path), "5b3c") == [path]
    child = transcript(tmp_path / "5b3c" / "subagents", "agent-1.jsonl")
    assert session_files("claude-code", str(path), "5b3c") == [path, tmp_path / "5b3c"]
    assert [found for _, found in transcripts_under([path, tmp_path / "5b3c"])] == [path, child]
    assert session_files("claude-code", str(tmp_path / "gone.jsonl"), "x") == []
    assert session_files("claude-code", "relative.jsonl", "x") == []
    assert session_files("claude-code", None, "x") == []
    assert session_files("claude-code", 7, "x") == []
    monkeypatch.setenv("HOME", str(tmp_path))
    state = tmp_path / ".copilot" / "session-state"
    (state / "c-1").mkdir(parents=True)
    assert session_files("copilot", None, "c-1") == [state / "c-1"]
    for crafted in ("../..", "*", "", None, 5):
        assert session_files("copilot", None, crafted) == []
