from __future__ import annotations

import json
from typing import Any

from debug_loop_pipeline.importers.base import EventImporter, ImportReport, read_head
from debug_loop_pipeline.importers.execution_events import ExecutionEventsImporter

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
    assert isinstance(IMPORTER, EventImporter)
    assert IMPORTER.sniff(path, read_head(path))
    report = ImportReport()
    assert [(line, found["agent_name"]) for line, found in IMPORTER.read_events(path, report)] == [(1, "a"), (4, 5)]
    assert list(IMPORTER.read(path, report)) == []
    assert [problem.line for problem in report.problems] == [2]
    assert report.skipped == {"not an object": 1}
