"""Arms are drawn once and for all; texts are cut to their ends; folders tell their repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.compute.fixes.outside_verdicts import pull_request_number
from debug_loop_pipeline.compute.serving.recommendation_arm import arm_of
from debug_loop_pipeline.models.recommendation import Arm
from debug_loop_pipeline.serving.address import socket_path
from debug_loop_pipeline.serving.answers import clip
from debug_loop_pipeline.serving.repository import repository_of_folder


def test_about_the_share_is_held_out_and_a_session_stays_where_it_is() -> None:
    arms = [arm_of("salt", 0.1, f"session-{n}", None) for n in range(20_000)]
    assert 1_800 < arms.count(Arm.HOLDOUT) < 2_200
    assert arms == [arm_of("salt", 0.1, f"session-{n}", f"task-{n}") for n in range(20_000)]
    assert arms != [arm_of("pepper", 0.1, f"session-{n}", None) for n in range(20_000)]


def test_a_task_is_drawn_where_there_is_no_session() -> None:
    assert arm_of("s", 1.0, None, "task") is Arm.HOLDOUT
    assert arm_of("s", 0.0, "x", None) is Arm.TREATMENT
    assert arm_of("s", 1.0, None, None) is Arm.NONE
    assert arm_of("s", 1.0, "", "") is Arm.NONE
    assert arm_of("s", 0.5, "\ud800", None) in set(Arm)


@given(text=st.text(), limit=st.integers(4, 40))
def test_a_cut_text_has_its_beginning_and_its_end(text: str, limit: int) -> None:
    cut = clip(text, limit)
    if len(text) <= limit:
        assert cut == text
    else:
        assert len(cut) == limit + len("\n[...]\n")
        assert text.startswith(cut.partition("\n[...]\n")[0]) or "\n[...]\n" in text
        assert cut.endswith(text[-(limit - limit // 4) :])


def test_pull_requests_are_told_in_many_ways() -> None:
    for told in ("12", "#12", "owner/name#12", "https://github.com/o/n/pull/12", "https://h/o/n/pull/12/"):
        assert pull_request_number(told) == "12"
    assert pull_request_number(None) is None
    assert pull_request_number("main") is None


def test_a_folder_tells_its_repository(tmp_path: Path) -> None:
    git = tmp_path / "checkout" / ".git"
    git.mkdir(parents=True)
    below = tmp_path / "checkout" / "a" / "b"
    below.mkdir(parents=True)
    for url in ("https://github.com/Owner/name.git", "git@github.com:Owner/name.git", "ssh://git@host:22/Owner/name/"):
        (git / "config").write_text(
            f'[core]\n\tbare = false\n[remote "origin"]\n\turl = {url}\n\tfetch = x\n\tfetch = y\n'
        )
        assert repository_of_folder(str(below)) == "Owner/name"
    worktree = tmp_path / "worktree"
    worktree.mkdir()
    (worktree / ".git").write_text(f"gitdir: {git}/worktrees/w\n")
    assert repository_of_folder(str(worktree)) == "Owner/name"
    (git / "config").write_text("[broken\n")
    assert repository_of_folder(str(below)) is None
    assert repository_of_folder(str(tmp_path)) is None
    assert repository_of_folder("relative") is None
    assert repository_of_folder(None) is None


def test_the_socket_lies_in_the_data_directory_where_its_path_is_short() -> None:
    assert socket_path(Path("/data")) == Path("/data/serve.sock")
    long = socket_path(Path("/" + "d" * 100))
    assert long == socket_path(Path("/" + "d" * 100))
    assert long != socket_path(Path("/" + "e" * 100))
    assert len(str(long)) < 100


def test_the_injector_costs_an_agent_no_heavy_import() -> None:
    script = (
        "import sys; from debug_loop_pipeline.serving.manifest_injector import ManifestInjector; ManifestInjector();"
        "print(sorted({'pydantic', 'sqlalchemy', 'numpy', 'dagster', 'structlog', 'mcp'} & set(sys.modules)))"
    )
    project = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", script], cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
