"""Commands on a store say in words what of their arguments cannot be, and print JSON where nothing is to be done."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from debug_loop_pipeline.cli import main

run = CliRunner().invoke
TODAY = datetime.now(UTC).date()


pytestmark = pytest.mark.usefixtures("store_of_commands")


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-03-02", "2026-03-01"),
        ("2000-01-01", "2000-01-02"),
        (f"{TODAY}", f"{TODAY + timedelta(days=2)}"),
    ],
)
def test_a_range_that_is_none_or_leaves_the_partitions_is_not_computed(first: str, last: str) -> None:
    refused = run(main.app, ["materialize", "--from", first, "--to", last])
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"error: --from {first} --to {last} is no range of days to compute: they go from")


def test_nothing_to_compute_is_an_empty_list_in_json() -> None:
    done = run(main.app, ["materialize", "--json"])
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])
    assert "nothing is dirty" in done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("model", "add", "x", "y", "--input", "-1"), "error: --input is a number of USD per million tokens from 0 to"),
        (("model", "add", "x", "y", "--output", "1e30"), "not '1e30'"),
        (("model", "add", "x", "y", "--cache-read", "nan"), "--cache-read is a number"),
        (("model", "add", "", "y", "--input", "1"), "error: provider: "),
        (("model", "add", "x", "y"), "error: name a price, such as --input"),
        (("report", "--html", "{}/absent/r.html"), "there is no folder"),
        (("report", "--html", "{}"), "is a directory"),
        (("onex", "export", "{}/file"), "is a file"),
        (("onex", "export", "{}/file/below"), ": Not a directory"),
        (("new", "compute", "Count words.", "--output", "{}/file"), "is a file"),
    ],
)
def test_what_cannot_be_is_refused_in_words(words: tuple[str, ...], why: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = run(main.app, [word.format(tmp_path) for word in words], env={"COLUMNS": "400"})
    assert isinstance(refused.exception, SystemExit)
    assert refused.exit_code != 0
    assert why in refused.stderr
