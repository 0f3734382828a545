"""Reads plain JSONL of execution events (DOMAIN 3.1): what other programs write in that form, and what the execution logger
spools, with its checksum and the message's key before each event.

The events are finished attempts: they pass no segmenter, and nothing is validated here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from debug_loop_pipeline.importers.base import ImportReport, head_records, top_level_keys
from debug_loop_pipeline.importers.jsonl_lines import read_objects
from debug_loop_pipeline.importers.sniffing import sniffed_files
from debug_loop_pipeline.models.trajectory import Trajectory

_REQUIRED = frozenset({"attempt_id", "correlation_id", "agent_name", "status"})
_SPOOLED = re.compile(rb'[0-9a-f]{8} [0-9a-f-]{36} (?=\{")')
"""What stands before an event in a spool (`client.spool`). The checksum is not asked: a damaged event shows when it is parsed."""


class ExecutionEventsImporter:
    """Execution events, one a line."""

    name = "jsonl"

    def sniff(self, path: Path, head: bytes) -> bool:
        """A line with the fields that every event has."""
        spooled = _SPOOLED.match(head)
        if spooled is not None:
            return top_level_keys(head, spooled.end()).keys() >= _REQUIRED
        return any(record.keys() >= _REQUIRED for record in head_records(head, limit=5))

    def discover(self, root: Path, report: ImportReport | None = None) -> Iterator[Path]:
        """Files of events under a folder."""
        return sniffed_files(self, root, report)

    def default_folders(self) -> list[Path]:
        """None: the logger's spool is drained by its own relay, or by `debug-loop consume`."""
        return []

    def read(self, path: Path, report: ImportReport) -> Iterator[Trajectory]:
        """No trajectories: see `read_events`."""
        return iter(())

    def read_events(self, path: Path, report: ImportReport) -> Iterator[tuple[int, dict[str, Any]]]:
        """The events of a file as they stand, each with its line; what is wrong with one shows when it is validated."""
        report.files += 1
        try:
            for line, _, event in read_objects(path, report, bare=_bare):
                yield line, event
        except OSError as error:
            report.problem(path, None, f"cannot be read: {error.strerror or error}")


def _bare(line: bytes) -> bytes:
    return line if line.startswith(b"{") else _SPOOLED.sub(b"", line, count=1)
