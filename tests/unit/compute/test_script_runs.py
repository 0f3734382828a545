"""Which test runners a script was seen to run."""

from __future__ import annotations

import pytest

from debug_loop_pipeline.compute.commands.script_runs import shown_runners
from debug_loop_pipeline.compute.commands.summaries import read_summaries


@pytest.mark.parametrize(
    ("tool", "output", "runners"),
    [
        ("npm run test", "Tests:       4 passed, 4 total\n", ("jest",)),
        ("npm run test", "go test is what the other script runs\n", ()),
        ("jest", "Tests:       4 passed, 4 total\n", ()),
    ],
)
def test_the_runners_summary_tells_it(tool: str, output: str, runners: tuple[str, ...]) -> None:
    assert shown_runners(tool, read_summaries(output)) == runners
