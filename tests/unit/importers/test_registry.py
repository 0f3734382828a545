"""A file's format is told by its content, whatever it and the files beside it are called."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.importers import sniffing
from debug_loop_pipeline.importers.base import Importer, ImportReport, read_head, top_level_keys, walk_files
from debug_loop_pipeline.importers.registry import NAMES, detect, files_under, importer_for

CLAUDE_CODE = json.dumps(
    {
        "parentUuid": None,
        "isSidechain": False,
        "sessionId": "s",
        "type": "user",
        "message": {"role": "user", "content": "go"},
        "uuid": "u",
        "timestamp": "2026-01-01T00:00:00Z",
    }
)
CODEX = json.dumps({"timestamp": "2026-01-01T00:00:00Z", "type": "session_meta", "payload": {"id": "s"}})


def name_of(path: Path) -> str | None:
    importer = detect(path)
    return importer.name if importer else None


@pytest.mark.parametrize("name", NAMES)
def test_every_format_has_an_importer_of_its_name(name: str) -> None:
    importer = importer_for(name)
    assert isinstance(importer, Importer)
    assert importer.name == name
    assert importer_for(name) is importer


def test_an_unknown_format_says_which_there_are() -> None:
    with pytest.raises(KeyError, match="claude-code"):
        importer_for("lisp-machine")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (CLAUDE_CODE, "claude-code"),
        ('{"type":"summary","summary":"s","leafUuid":"x"}\n' + CLAUDE_CODE, "claude-code"),
        (CODEX, "codex"),
        (CODEX[:-2] + ', "instructions": "' + "x" * 100_000 + '"}}', "codex"),
        (CLAUDE_CODE.replace('"go"', '"' + "x" * 100_000 + '"'), "claude-code"),
        (
            '{"type":"summary","summary":"s","leafUuid":"x"}\n'
            + CLAUDE_CODE.replace('"go"', '"' + "x" * 100_000 + '"'),
            "claude-code",
        ),
        ('{"agent": "Codex", "session_id": "s", "token_usage": {}}', None),
        ('{"checkpoint_id": "c", "agent": "Claude Code", "files_touched": []}', None),
        ("sha256:abc", None),
        ("fix the parentUuid and sessionId of the uuid", None),
        ("", None),
        ("\x00\x00\n", None),
    ],
)
def test_the_content_tells_the_format_and_the_name_does_not(tmp_path: Path, content: str, expected: str | None) -> None:
    for name in ("full.jsonl", "rollout-2026-01-01.jsonl", "metadata.json", "notes.md"):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        assert name_of(path) == expected


LONG = "x" * 100_000
CLAUDE_CODE_NOW = json.dumps(
    {
        "parentUuid": None,
        "isSidechain": False,
        "type": "user",
        "message": {"role": "user", "content": [{"type": "image", "data": LONG}, {"type": "text", "text": "go"}]},
        "uuid": "u",
        "timestamp": "2026-01-01T00:00:00Z",
        "sessionId": "s",
    }
)
QUEUED = json.dumps({"type": "queue-operation", "operation": "enqueue", "content": LONG, "sessionId": "s"})
EVENT = json.dumps(
    {"errors": [{"message": LONG}], "attempt_id": "a", "correlation_id": "c", "agent_name": "n", "status": "success"}
)
SHORT_EVENT = EVENT.replace(LONG, "")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (CLAUDE_CODE_NOW, "claude-code"),
        (f"{QUEUED}\n{CLAUDE_CODE_NOW}\n{CLAUDE_CODE}", "claude-code"),
        (json.dumps({"payload": {"instructions": LONG}, "type": "session_meta"}), "codex"),
        (json.dumps({"text": LONG}) + "\n" + CODEX, "codex"),
        (json.dumps({"data": {"x": LONG}, "type": "session.start", "id": "e"}), "copilot"),
        (EVENT, "jsonl"),
        (f"{EVENT}\n{SHORT_EVENT}", "jsonl"),
        ('{"broken": \n' * 6 + SHORT_EVENT, "jsonl"),
        ("\x00" * 200 + SHORT_EVENT, "jsonl"),
        (SHORT_EVENT + SHORT_EVENT, "jsonl"),
        (CLAUDE_CODE + CLAUDE_CODE, "claude-code"),
        (json.dumps({"text": EVENT}), None),
    ],
)
def test_a_first_record_that_is_long_or_damaged_does_not_hide_the_format(
    tmp_path: Path, content: str, expected: str | None
) -> None:
    path = tmp_path / "x.jsonl"
    for encoding in ("utf-8", "utf-16"):
        path.write_text(content, encoding=encoding)
        assert name_of(path) == expected
        assert [name for name in NAMES if list(files_under(path, only=importer_for(name)))] == (
            [expected] if expected else []
        )


def test_only_so_much_of_a_file_is_read_to_tell_its_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(EVENT)
    monkeypatch.setattr(sniffing, "_OPENING_BYTES", 1_000)
    assert name_of(path) is None


def test_a_byte_order_mark_and_utf_16_do_not_hide_the_format(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for data in (b"\xef\xbb\xbf" + CLAUDE_CODE.encode(), CLAUDE_CODE.encode("utf-16")):
        path.write_bytes(data)
        assert name_of(path) == "claude-code"


def test_files_come_sorted_without_caches_and_version_control(tmp_path: Path) -> None:
    for name in ("b/one.jsonl", "a.jsonl", "a/two.jsonl", ".git/x.jsonl", "node_modules/y.jsonl", "b/readme.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("hello" if name.endswith(".md") else CODEX)
    found = [path.relative_to(tmp_path).as_posix() for _, path in files_under(tmp_path)]
    assert found == ["a/two.jsonl", "a.jsonl", "b/one.jsonl"]
    assert found == [
        path.relative_to(tmp_path).as_posix() for _, path in sorted(files_under(tmp_path), key=lambda i: i[1])
    ]


def test_a_single_file_and_a_missing_folder_are_no_errors(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(CODEX)
    assert [(importer.name, file) for importer, file in files_under(path)] == [("codex", path)]
    assert list(files_under(tmp_path / "absent")) == []
    assert list(walk_files(tmp_path / "absent")) == []


def test_a_link_to_a_folder_above_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(CODEX)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(list(files_under(tmp_path))) == 1


def test_what_cannot_be_read_is_a_problem_and_the_rest_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jsonl", "closed.jsonl", "gone.jsonl", "shut/b.jsonl", "z/c.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(CODEX)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("absent")

    def head(path: Path) -> bytes:
        if path.name in ("closed.jsonl", "gone.jsonl"):
            raise OSError(errno.EACCES if path.name == "closed.jsonl" else errno.ENOENT, "told", str(path))
        return read_head(path)

    def listed(path: Path) -> Any:
        if path.name == "shut":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    scandir = os.scandir
    monkeypatch.setattr(sniffing, "read_head", head)
    monkeypatch.setattr(os, "scandir", listed)
    by_format, by_content = ImportReport(), ImportReport()
    expected = [tmp_path / "a.jsonl", tmp_path / "z" / "c.jsonl"]
    assert [path for _, path in files_under(tmp_path, by_format, importer_for("codex"))] == expected
    assert [path for _, path in files_under(tmp_path, by_content)] == expected
    for report in (by_format, by_content):
        assert [(Path(one.file).name, one.line, one.reason) for one in report.problems] == [
            ("closed.jsonl", None, "cannot be read: told"),
            ("loop", None, f"cannot be read: {os.strerror(errno.ELOOP)}"),
            ("shut", None, "cannot be read: Permission denied"),
        ]


def test_the_keys_of_a_document_that_is_cut_off_are_still_told() -> None:
    head = b' {"a": "x\\"}", "b": [1, {"c": 2}], "d": null, "e": -1.5, "f": {"g": {"h": [1'
    assert top_level_keys(head) == {"a": b'"x\\"}"', "b": b"[", "d": b"null", "e": b"-1.5", "f": b"{"}
    assert top_level_keys(b"[1, 2]") == {}
    assert top_level_keys(b'{"a": 1}{"b": 2}') == {"a": b"1"}


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("claude_code_entire", {"claude-code": 11}),
        ("claude_code_packmind", {"claude-code": 7}),
        ("claude_code_quirks", {"claude-code": 2}),
        ("codex_copilot_agentv", {"codex": 4, "copilot": 2, "claude-code": 1}),
        ("gemini_cli_entire", {"gemini": 2}),
        ("pi_agent", {"pi": 1}),
        ("mini_swe_deepseek", {"mini-swe-agent": 23}),
        ("openhands_outputs", {"openhands": 4}),
        ("dgm_initial_swebench", {"dgm": 7}),
        ("gptclonebench_py", {}),
    ],
)
def test_the_formats_of_the_real_data_are_told(
    folder: str, expected: dict[str, int], shared_data: Callable[[str], Path]
) -> None:
    assert Counter(importer.name for importer, _ in files_under(shared_data(folder))) == expected


def test_every_trajectory_of_swe_agent_is_told_and_no_other_file(shared_data: Callable[[str], Path]) -> None:
    root = shared_data("sweagent_traj")
    found = {path: importer.name for importer, path in files_under(root)}
    assert set(found) == set(root.rglob("*.traj"))
    assert set(found.values()) == {"swe-agent"}


def test_every_chat_of_aider_is_told(shared_data: Callable[[str], Path]) -> None:
    root = shared_data("aider_swe_bench_lite")
    found = {path: importer.name for importer, path in files_under(root)}
    assert set(root.glob("*.md")) <= set(found)
    assert set(found.values()) == {"aider"}


def test_metadata_that_names_another_agent_changes_nothing(tmp_path: Path, shared_data: Callable[[str], Path]) -> None:
    source = shared_data("claude_code_quirks") / "c0-70516b3fa9-0"
    assert json.loads((source / "metadata.json").read_text())["agent"] != "Claude Code"
    shutil.copytree(source, tmp_path / "x")
    assert [importer.name for importer, _ in files_under(tmp_path)] == ["claude-code"]


def test_a_head_is_no_longer_than_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"a" * 100)
    assert read_head(path, 10) == b"a" * 10
