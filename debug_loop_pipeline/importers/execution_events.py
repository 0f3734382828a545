"""Reads plain JSONL of execution events (DOMAIN 3.1): what other programs write in that form, and what the execution logger
spools, with its checksum and the message's key before each event.

The events are finished attempts: they pass no segmenter, and nothing is validated here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from debug_loop_pipeline.importers.base import EventImporter, ImportReport, head_records, top_level_keys
from debug_loop_pipeline.importers.jsonl_lines import read_objects

_REQUIRED = frozenset({"attempt_id", "correlation_id", "agent_name", "status"})
_SPOOLED = re.compile(rb'[0-9a-f]{8} [0-9a-f-]{36} (?=\{")')
"""What stands before an event in a spool (`client.spool`). The checksum is not asked: a damaged event shows when it is parsed."""


class ExecutionEventsImporter(EventImporter):
    """Execution events, one a line."""

    name = "jsonl"

    def sniff(self, path: Path, head: bytes) -> bool:
        """A line with the fields that every event has."""
        spooled = _SPOOLED.match(head)
        if spooled is not None:
            return top_level_keys(head, spooled.end()).keys() >= _REQUIRED
        return any(record.keys() >= _REQUIRED for record in head_records(head, limit=5))

    def read_events(self, path: Path, report: ImportReport) -> Iterator[tuple[int, dict[str, Any]]]:
        """The events of a file as they stand, each with its line; what is wrong with one shows when it is validated."""
        for line, _, event in read_objects(path, report, bare=_bare):
            yield line, event


def _bare(line: bytes) -> bytes:
    return line if line.startswith(b"{") else _SPOOLED.sub(b"", line, count=1)
