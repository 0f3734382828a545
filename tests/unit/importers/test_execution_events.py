from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from debug_loop_pipeline.client.spool import Record, Spool
from debug_loop_pipeline.importers.base import ImportReport, read_head
from debug_loop_pipeline.importers.execution_events import ExecutionEventsImporter
from debug_loop_pipeline.importers.registry import files_under
from debug_loop_pipeline.models.logger_options import LoggerOptions
from tests.support.events import attempt

IMPORTER = ExecutionEventsImporter()


def test_events_come_out_as_they_stand_and_a_bad_line_costs_itself(tmp_path: Any) -> None:
    event = {
        "attempt_id": "7b0c6f9e-7f39-4b4e-8b0a-8a9f3b1f0c11",
        "correlation_id": "7b0c6f9e-7f39-4b4e-8b0a-8a9f3b1f0c12",
        "agent_name": "a",
        "user_request": "r",
        "status": "success",
        "started_at": "2026-01-01T00:00:00Z",
    }
    path = tmp_path / "events.jsonl"
    path.write_bytes(json.dumps(event).encode() + b"\n{broken\n[1]\n" + json.dumps({**event, "agent_name": 5}).encode())
    assert IMPORTER.sniff(path, read_head(path))
    report = ImportReport()
    assert [(line, found["agent_name"]) for line, found in IMPORTER.read_events(path, report)] == [(1, "a"), (4, 5)]
    assert [problem.line for problem in report.problems] == [2]
    assert report.skipped == {"not an object": 1}


def test_what_the_logger_spooled_is_read_as_it_lies_there(tmp_path: Path) -> None:
    events = [attempt(name, "task", minutes=1, failed=True) for name in ("one", "two")]
    spool = Spool.create(tmp_path, LoggerOptions())
    spool.append([Record(str(event.correlation_id), event.model_dump_json().encode()) for event in events])
    [(_, segment)] = files_under(tmp_path, only=IMPORTER)
    report = ImportReport()
    told = [found["attempt_id"] for _, found in IMPORTER.read_events(segment, report)]
    assert told == [str(event.attempt_id) for event in events]
    assert report.problem_count == 0
    damaged = segment.read_bytes().replace(b'"agent_name"', b'"agent_name', 1)
    segment.write_bytes(damaged)
    report = ImportReport()
    assert [line for line, _ in IMPORTER.read_events(segment, report)] == [2]
    assert [problem.line for problem in report.problems] == [1]
    spool.close()
