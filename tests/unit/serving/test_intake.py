"""Ended sessions are imported once, and again where that failed; where `serve` leaves them to others nobody else takes them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from debug_loop_pipeline.serving import intake as intake_module
from debug_loop_pipeline.serving.daemon import ServeDaemon
from debug_loop_pipeline.serving.intake import Intake
from debug_loop_pipeline.settings import Settings

WAIT_S = 20.0


class Imports:
    """In place of the importing process: a shell that ends as told, once after the other; then well."""

    def __init__(self, *codes: int) -> None:
        self._codes = [*codes]
        self.tried: list[list[str]] = []
        self.done = threading.Semaphore(0)

    def command(self, files: list[str], *, compute: bool = True) -> list[str]:
        self.tried.append(files)
        return ["/bin/sh", "-c", f"exit {self._codes.pop(0) if self._codes else 0}"]


Make = Callable[..., tuple[Intake, Imports]]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    made: list[Intake] = []

    def _make(data_dir: Path, *codes: int, pause_s: float = 0.01) -> tuple[Intake, Imports]:
        imports = Imports(*codes)
        monkeypatch.setattr(intake_module, "import_command", imports.command)
        made.append(Intake(data_dir, settle_s=0.01, pause_s=pause_s))
        made[-1].on_done = imports.done.release
        return made[-1], imports

    yield _make
    for one in made:
        one.close()
        assert not one._thread.is_alive()


def ended(folder: Path, name: str = "s.jsonl") -> dict[str, str]:
    (folder / name).write_text("{}\n", encoding="utf-8")
    return {"agent": "claude-code", "transcript_path": str(folder / name)}


def test_a_failed_import_is_tried_again_until_it_succeeds(make: Make, tmp_path: Path) -> None:
    intake, imports = make(tmp_path, 1, 1)
    assert intake.session_ended(ended(tmp_path)) == 1
    for _ in range(3):
        assert imports.done.acquire(timeout=WAIT_S)
    assert imports.tried == [[str(tmp_path / "s.jsonl")]] * 3
    assert not imports.done.acquire(timeout=0.2), "what is imported is not imported again"


def test_a_session_that_ends_meanwhile_goes_with_the_next_try(make: Make, tmp_path: Path) -> None:
    intake, imports = make(tmp_path, 1, pause_s=0.5)
    intake.session_ended(ended(tmp_path))
    assert imports.done.acquire(timeout=WAIT_S)
    intake.session_ended(ended(tmp_path, "t.jsonl"))
    assert imports.done.acquire(timeout=WAIT_S)
    assert imports.tried[-1] == [str(tmp_path / "s.jsonl"), str(tmp_path / "t.jsonl")]


def test_a_process_that_cannot_be_started_ends_nothing(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    intake, imports = make(folder)
    intake.session_ended(ended(tmp_path))
    assert imports.done.acquire(timeout=WAIT_S)
    folder.mkdir()
    for _ in range(10):
        assert imports.done.acquire(timeout=WAIT_S)
        if not intake._files:
            break
    assert intake._thread.is_alive()
    assert intake._child is not None
    assert intake._child.wait() == 0


def test_closing_does_not_wait_for_the_next_try(make: Make, tmp_path: Path) -> None:
    intake, imports = make(tmp_path, 1, pause_s=600)
    intake.session_ended(ended(tmp_path))
    assert imports.done.acquire(timeout=WAIT_S)
    intake.close()
    assert not intake._thread.is_alive()


def test_serve_that_does_not_import_takes_note_so_that_the_hook_does_not_import_either(tmp_path: Path) -> None:
    message = json.dumps({"op": "session_end"} | ended(tmp_path)).encode()
    assert ServeDaemon(Settings(data_dir=tmp_path))._handle(message) == {"ok": True, "files": 0}
