"""The hash of code under every Python that the project supports: an environment is made with what hashing needs, by the lock."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.golden_hashes import PROJECT, expected_hashes, hashes_elsewhere

NEEDED = ("numpy", "tree-sitter")


def interpreter(minor: int) -> str | None:
    """A Python 3.`minor` that runs; pyenv's commands on the path may be of versions that are there and not switched on."""
    name = f"python3.{minor}"
    found = [shutil.which(name)]
    if shutil.which("pyenv") is not None:
        told = subprocess.run(["pyenv", "whence", "--path", name], capture_output=True, text=True, check=False)
        found += told.stdout.split("\n")
    return next((one for one in found if one and _runs(one)), None)


def _runs(python: str) -> bool:
    return subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0


def locked(packages: tuple[str, ...]) -> str:
    """The lines of the lock about packages whose names begin so."""
    lines, wanted = [], False
    for line in (PROJECT / "requirements.lock").read_text(encoding="utf-8").split("\n"):
        if not line.startswith(" "):
            wanted = line.startswith(packages)
        if wanted:
            lines.append(line)
    return "\n".join(lines)


@pytest.mark.parametrize("minor", [minor for minor in (11, 12, 13) if minor != sys.version_info[1]])
def test_another_python_computes_the_same_hashes(minor: int, tmp_path: Path) -> None:
    python = interpreter(minor)
    if python is None:
        pytest.skip(f"there is no Python 3.{minor} with venv here")
    (tmp_path / "lock").write_text(locked(NEEDED), encoding="utf-8")
    subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True, capture_output=True)
    made = tmp_path / "venv" / "bin" / "python"
    install = [made, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", tmp_path / "lock"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    assert hashes_elsewhere(made) == ((3, minor), expected_hashes())
