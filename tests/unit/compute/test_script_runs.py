"""Which tools a script was seen to run."""

from __future__ import annotations

import pytest

from debug_loop_pipeline.compute.script_runs import shown_runs
from debug_loop_pipeline.compute.summaries import read_summaries


@pytest.mark.parametrize(
    ("tool", "output", "runs"),
    [
        ("npm run test", "\n> web@1.0.0 test\n> cross-env CI=1 vitest --run\n\n", ("vitest",)),
        ("npm run lint", "> lint\n> eslint . && prettier --check .\n", ("eslint", "prettier")),
        ("bun run lint", "$ biome check .\nChecked 3 files\n", ("biome check",)),
        ("mise run lint", "[lint] $ golangci-lint run ./...\n0 issues.\n", ("golangci-lint run",)),
        ("make ci", "cd api && go vet ./... && go test ./...\nok  \tm/a\t0.1s\n", ("go vet", "go test")),
        ("npm run test", "Tests:       4 passed, 4 total\n", ("jest",)),
        (
            "npm run verify",
            "> web@1.0.0 verify\n> npm run types && npm test\n\n> web@1.0.0 types\n> tsc --noEmit\n",
            ("script types", "tsc"),
        ),
        ("npm run test", "go test is what the other script runs\n", ()),
        ("vitest", "> vitest --run\n", ()),
    ],
)
def test_the_echoed_command_or_the_runners_summary_tells_it(tool: str, output: str, runs: tuple[str, ...]) -> None:
    assert shown_runs(tool, output, read_summaries(output)) == runs
