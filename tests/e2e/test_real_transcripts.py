"""Real transcripts of every format through import and all steps: whatever the order, folder or number of imports, equal rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.importers.registry import files_under
from debug_loop_pipeline.settings import Settings
from debug_loop_pipeline.steps.framework import Span, StepContext
from debug_loop_pipeline.steps.importing import ImportSummary, import_files
from debug_loop_pipeline.steps.run_all import run_all
from tests.support.digests import table_digests

FOLDERS = (
    "claude_code_packmind",
    "claude_code_quirks",
    "codex_copilot_agentv",
    "gemini_cli_entire",
    "pi_agent",
    "openhands_outputs",
    "mini_swe_deepseek/pvlib__pvlib-python-1072",
    "mini_swe_deepseek/pydicom__pydicom-1694",
    "aider_swe_bench_lite",
    "dgm_initial_swebench/django__django-11964",
    "sweagent_traj/swesmith",
)


@pytest.fixture(scope="module")
def stores(
    postgres_server_url: str, priced: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[StepContext, StepContext]]:
    from tests.conftest import _create, _drop

    names = ("real_one", "real_other")
    one, other = (
        StepContext(
            Database(_create(postgres_server_url, name, priced)), Settings(data_dir=tmp_path_factory.mktemp(name))
        )
        for name in names
    )
    yield one, other
    for context, name in zip((one, other), names, strict=True):
        context.database.close()
        _drop(postgres_server_url, name)


def transcripts(root: Path) -> list:
    return [found for folder in FOLDERS for found in files_under(root / folder)]


def compute(context: StepContext) -> None:
    first, last = context.executions.day_span()
    run_all(context, Span(first, last), new_epoch=True)


@pytest.fixture(scope="module")
def imported(stores: tuple[StepContext, StepContext], shared_data: Path) -> ImportSummary:
    summary = import_files(stores[0], transcripts(shared_data))
    compute(stores[0])
    return summary


def test_every_format_gives_attempts_and_nothing_is_rejected(stores, imported: ImportSummary) -> None:
    assert imported.rejected == 0
    rows = fetch_rows(stores[0].database, "select distinct importer from debug_execution_attempts")
    found = {row["importer"] for row in rows}
    assert found >= {
        "claude-code",
        "codex",
        "copilot",
        "pi",
        "openhands",
        "mini-swe-agent",
        "aider",
        "dgm",
        "swe-agent",
    }


def test_an_unchanged_file_is_skipped(stores, imported: ImportSummary, shared_data: Path) -> None:
    again = import_files(stores[0], transcripts(shared_data))
    assert again.files_unchanged == again.files > 0


def test_reading_the_same_files_again_changes_no_row(stores, imported: ImportSummary, shared_data: Path) -> None:
    before = table_digests(stores[0].database)
    again = import_files(stores[0], transcripts(shared_data), force=True)
    assert again.changed_attempts == 0
    compute(stores[0])
    assert table_digests(stores[0].database) == before


def test_a_copy_in_another_folder_and_order_gives_equal_rows(
    stores, imported: ImportSummary, shared_data: Path, tmp_path: Path
) -> None:
    one, other = stores
    copy = tmp_path / "elsewhere"
    for folder in FOLDERS:
        shutil.copytree(shared_data / folder, copy / folder)
    import_files(other, list(reversed(transcripts(copy))))
    first, last = other.executions.day_span()
    days = fetch_rows(other.database, "select distinct day from execution_inbox where holds order by day desc")
    for row in days:  # day by day, backwards
        run_all(other, Span(row["day"], row["day"]))
    for context in stores:
        run_all(context, Span(first, last), full_refresh=True, new_epoch=True)
    assert table_digests(other.database) == table_digests(one.database)


def test_one_root_cause_is_one_group_across_problems(stores, imported: ImportSummary) -> None:
    rows = fetch_rows(
        stores[0].database,
        "select signature, count(distinct a.correlation_id) as problems from attempt_errors e"
        " join debug_execution_attempts a using (attempt_id)"
        " where e.message like '%`np.Inf` was removed%' group by signature",
    )
    assert len(rows) == 1


def test_a_grown_session_is_one_session(stores, imported: ImportSummary) -> None:
    sessions = fetch_rows(
        stores[0].database,
        "select session_id, count(*) as attempts, count(distinct attempt_id) as ids from debug_execution_attempts"
        " where importer = 'codex' group by session_id",
    )
    assert len(sessions) == 3
    assert all(row["attempts"] == row["ids"] for row in sessions)
