"""Damaged lines cost at most themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from debug_loop_pipeline.importers import jsonl_lines
from debug_loop_pipeline.importers.base import MAX_PROBLEMS, ImportReport
from debug_loop_pipeline.importers.jsonl_lines import read_objects, read_objects_at, split_lines


def read(tmp_path: Path, data: bytes) -> tuple[list[Any], ImportReport]:
    path = tmp_path / "log.jsonl"
    path.write_bytes(data)
    report = ImportReport()
    return [value for _, _, value in read_objects(path, report)], report


def test_two_objects_glued_on_one_line_are_both_read(tmp_path: Path) -> None:
    values, report = read(tmp_path, b'{"a": 1}{"type":"summary"}\n{"a": 2}\n')
    assert values == [{"a": 1}, {"type": "summary"}, {"a": 2}]
    assert report.problem_count == 0


def test_an_object_cut_off_in_the_middle_costs_itself_and_not_the_one_glued_behind_it(tmp_path: Path) -> None:
    values, report = read(
        tmp_path, b'{"a": 0}\n{"type":"user","message":{"text":"cut he{"parentUuid":"p","x":1}\n{"a": 2}\n'
    )
    assert values == [{"a": 0}, {"parentUuid": "p", "x": 1}, {"a": 2}]
    assert [(problem.line, problem.file) for problem in report.problems] == [(2, str(tmp_path / "log.jsonl"))]


def test_a_truncated_last_line_is_reported_with_its_number(tmp_path: Path) -> None:
    values, report = read(tmp_path, b'{"a": 1}\n{"a": "cut')
    assert values == [{"a": 1}]
    assert [(problem.line, problem.reason) for problem in report.problems] == [(2, "truncated line")]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'\x00\x00\x00{"a": 1}\x00', {"a": 1}),
        (b'{"a": "x\x00y"}', {"a": "x\ufffdy"}),
        (b'{"a": "caf\xe9"}', {"a": "caf\ufffd"}),
        (b'{"a": "tab\there"}', {"a": "tab\there"}),
        (rb'{"a": "half \ud83d"}', {"a": "half \ufffd"}),
        (rb'{"a": "whole \ud83d\ude00"}', {"a": "whole \U0001f600"}),
        (b'{"a": 1}\r', {"a": 1}),
    ],
)
def test_damage_inside_a_line_is_mended(tmp_path: Path, line: bytes, value: dict[str, Any]) -> None:
    values, report = read(tmp_path, line + b'\n{"b": 2}\n')
    assert values == [value, {"b": 2}]
    assert report.problem_count == 0
    json.dumps(values, ensure_ascii=False).encode()


def test_a_file_in_utf_16_is_read(tmp_path: Path) -> None:
    values, _ = read(tmp_path, '{"a": "é"}\r\n{"b": 2}\r\n'.encode("utf-16"))
    assert values == [{"a": "é"}, {"b": 2}]


def test_a_line_nested_too_deeply_is_reported_and_the_next_one_read(tmp_path: Path) -> None:
    values, report = read(tmp_path, b'{"a":' + b"[" * 100_000 + b"\n" + b'{"b": 2}\n')
    assert values == [{"b": 2}]
    assert report.problems[0].line == 1


def test_empty_lines_and_values_that_are_no_objects_are_passed_over(tmp_path: Path) -> None:
    values, report = read(tmp_path, b'\n\r\n\x00\x00\n[1]\n"x"\n{"a": 1}\n')
    assert values == [{"a": 1}]
    assert report.skipped["not an object"] == 2
    assert report.lines == 6


def test_lines_longer_than_a_chunk_are_joined_and_too_long_ones_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl_lines, "CHUNK_BYTES", 16)
    monkeypatch.setattr(jsonl_lines, "MAX_LINE_BYTES", 200)
    long, too_long = json.dumps({"a": "x" * 100}), json.dumps({"a": "y" * 1000})
    values, report = read(tmp_path, f'{{"b": 1}}\n{long}\n{too_long}\n{{"c": 3}}\n{too_long}'.encode())
    assert values == [{"b": 1}, json.loads(long), {"c": 3}]
    assert [problem.line for problem in report.problems] == [3, 5]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_offsets_lead_back_to_their_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(jsonl_lines, "CHUNK_BYTES", chunk)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1}\n\n{"b": 2}{"c": 3}\n{"d": 4}')
    spans = [number for line, offset, _ in split_lines(path, ImportReport()) if line != 2 for number in (line, offset)]
    assert [(line, value) for line, _, value in read_objects_at(path, spans)] == [
        (1, {"a": 1}),
        (3, {"b": 2}),
        (3, {"c": 3}),
        (4, {"d": 4}),
    ]


def test_bytes_are_counted_for_the_progress_bar(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1}\n' * 10)
    seen: list[int] = []
    report = ImportReport(on_bytes=seen.append)
    assert len(list(read_objects(path, report))) == 10
    assert sum(seen) == report.bytes == 90


def test_kept_problems_are_bounded_and_all_are_counted() -> None:
    report = ImportReport()
    for number in range(MAX_PROBLEMS + 5):
        report.problem("f", number, "bad")
    assert len(report.problems) == MAX_PROBLEMS
    assert report.problem_count == MAX_PROBLEMS + 5


def test_no_more_is_read_than_asked_for_and_a_line_cut_by_that_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl_lines, "CHUNK_BYTES", 8)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 22222222222222}\n{"a": 3}\n')
    report = ImportReport()
    assert [value for _, _, value in read_objects(path, report, most_bytes=20)] == [{"a": 1}]
    assert report.problem_count == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_single_lines_are_found_again_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "log.jsonl"
    text = '{"a": "é"}\n{"b": 2}\n{"c": 3}{"d": 4}\n'
    path.write_bytes((b"\xfe\xff" if encoding == "utf-16-be" else b"") + text.encode(encoding))
    located = [(number, offset) for number, offset, _ in read_objects(path, ImportReport())]
    spans = [part for place in dict.fromkeys(located[1:]) for part in place]
    assert [value for _, _, value in read_objects_at(path, spans)] == [{"b": 2}, {"c": 3}, {"d": 4}]
