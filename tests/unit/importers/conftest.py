from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from debug_loop_pipeline.importers.base import Importer, ImportReport
from debug_loop_pipeline.importers.registry import files_under
from debug_loop_pipeline.models.trajectory import Step, ToolCall, ToolResult, Trajectory

_ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Run:
    """A trajectory whose steps were read to the end."""

    file: Path
    trajectory: Trajectory
    steps: list[Step]

    @property
    def calls(self) -> list[ToolCall]:
        return [call for step in self.steps for call in step.calls]

    @property
    def results(self) -> dict[str, ToolResult]:
        return {result.call_id: result for step in self.steps for result in step.results}

    @property
    def tokens(self) -> int:
        return sum(step.usage.total for step in self.steps if step.usage)


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """Path of a folder of the shared real data; the test is skipped where it is absent."""

    def locate(name: str) -> Path:
        folder = Path(os.environ.get("DEBUG_LOOP_SHARED_DATA") or _ROOT / ".." / "shared" / "data") / name
        if not folder.exists():
            pytest.skip(f"real data {name} is not on this machine (DEBUG_LOOP_SHARED_DATA)")
        return folder

    return locate


@pytest.fixture
def read_runs() -> Callable[..., list[Run]]:
    """Reads every run under a path with an importer."""

    def read(importer: Importer, root: Path, report: ImportReport | None = None) -> list[Run]:
        kept = report if report is not None else ImportReport()
        return [
            Run(path, trajectory, list(trajectory.steps))
            for _, path in files_under(root, only=importer)
            for trajectory in importer.read(path, kept)
        ]

    return read
