"""One transcript that cannot be read, by its fault or by ours, keeps no other out."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import orjson
import pytest

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.importers.base import ImportReport
from debug_loop_pipeline.importers.claude_code import ClaudeCodeImporter
from debug_loop_pipeline.importers.execution_events import ExecutionEventsImporter
from debug_loop_pipeline.models.trajectory import Step, Trajectory
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.importing import import_files
from tests.support.events import attempt, uid

SECRET = "ghp_" + "wK3nZ8pQ5vX1rT7mB2cL" + "9dF4gH6jS0aYeUoP"
RECORDED = Path(__file__).parents[1] / "data" / "recorded_sessions"


class Stumbling(ClaudeCodeImporter):
    """Meets an error after some steps of `bad.jsonl`."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        for trajectory in super().read(path, report):
            if path.name == "bad.jsonl":
                trajectory.steps = stumbling(trajectory.steps, self.error)
            yield trajectory


def stumbling(steps: Iterable[Step], error: Exception) -> Iterator[Step]:
    yield from islice(steps, 40)
    raise error


@pytest.fixture
def context(store_urls: Callable[[], str], tmp_path: Path) -> Iterator[StepContext]:
    with closing(Database(store_urls())) as database:
        yield StepContext(database, Settings(data_dir=tmp_path))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            AssertionError(f"never seen before: {SECRET}"),
            r"not read to its end, please report it: AssertionError at segmenter\.py:\d+: never seen before: <REDACTED:[a-z-]+>",
        ),
        (OSError(errno.EIO, "Input/output error"), "cannot be read: Input/output error"),
    ],
    ids=["ours", "the disk"],
)
def test_what_cannot_be_read_to_its_end_is_told_and_passed_over_and_read_again_next_time(
    context: StepContext, tmp_path: Path, error: Exception, told: str
) -> None:
    files = [tmp_path / name for name in ("a.jsonl", "bad.jsonl", "c.jsonl")]
    for file, name in zip(files, ("csvq", "slugger", "shorturl"), strict=True):
        shutil.copy(RECORDED / f"{name}.jsonl", file)
    summary = import_files(context, [(Stumbling(error), file) for file in files])
    (problem,) = summary.reading.problems
    assert problem.file == str(files[1])
    assert re.fullmatch(told, problem.reason)
    known = context.executions.imported_files([str(file) for file in files])
    assert set(known) == {str(files[0]), str(files[2])}

    again = import_files(context, [(ClaudeCodeImporter(), file) for file in files])
    assert (again.files_unchanged, again.reading.problem_count) == (2, 0)
    assert set(context.executions.imported_files([str(file) for file in files])) == set(map(str, files))


def test_a_file_of_events_that_cannot_be_read_on_keeps_no_other_out(
    context: StepContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    shutil.copy(RECORDED / "csvq.jsonl", good)
    bad.write_text("{}\n", encoding="utf-8")

    def stumble(self: object, path: Path, report: ImportReport) -> Iterator[tuple[int, dict]]:
        yield 1, {}
        raise RuntimeError("half way")

    monkeypatch.setattr(ExecutionEventsImporter, "read_events", stumble)
    summary = import_files(context, [(ExecutionEventsImporter(), bad), (ClaudeCodeImporter(), good)])
    (problem,) = summary.reading.problems
    assert problem.reason.startswith("not read to its end, please report it: RuntimeError at importing.py:")
    assert summary.attempts > 0


def test_what_is_refused_of_a_file_of_events_is_in_no_other_count(context: StepContext, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    taken = attempt("taken", "task", minutes=1, failed=True).model_dump(mode="json")
    refused = [taken | {"attempt_id": "no id"}, taken | {"errors": ["no error", "nor this"]}, {"errors": "none"}]
    lines = [orjson.dumps(event) for event in (taken, *refused)]
    file.write_bytes(b"\n".join([lines[0], b"{broken", lines[1], lines[2] + lines[3]]))
    summary = import_files(context, [(ExecutionEventsImporter(), file)])
    assert (summary.attempts, summary.rejected, summary.errors, len(summary.tasks)) == (1, 3, 1, 1)
    places = fetch_rows(context.database, "select position from execution_rejects order by 1")
    assert [row["position"] for row in places] == ["events.jsonl:3", "events.jsonl:4", "events.jsonl:4 (2)"]


def test_an_event_that_our_code_fails_at_keeps_no_other_of_its_file_out(context: StepContext, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    first, last = (attempt(name, "task", minutes=1, failed=True).model_dump(mode="json") for name in ("first", "last"))
    no_list = first | {"attempt_id": str(uid("no list")), "errors": 7, "error_message": "KeyError: 'a'"}
    null = first | {"attempt_id": str(uid("null")), "errors": None, "error_message": "KeyError: 'a'"}
    deep = {**first, "attempt_id": str(uid("deep")), "metadata": {"note": "DEEP"}}
    lines = [orjson.dumps(event) for event in (first, no_list, null, deep, last)]
    file.write_bytes(b"\n".join(lines).replace(b'"DEEP"', b'{"a":' * 1_000 + b"1" + b"}" * 1_000))
    summary = import_files(context, [(ExecutionEventsImporter(), file)])
    assert not summary.reading.problems
    assert (summary.attempts, summary.rejected) == (3, 2)
    assert {row["position"] for row in context.executions.rejects(10)} == {"events.jsonl:2", "events.jsonl:4"}
