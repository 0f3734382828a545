"""The hash of code under every Python that the project supports, in environments with what hashing needs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.golden_hashes import expected_hashes, hashes_elsewhere
from tests.support.other_pythons import find_python, locked, make_environment

NEEDED = ("numpy", "tree-sitter")


@pytest.mark.parametrize("minor", [minor for minor in (11, 12, 13) if minor != sys.version_info[1]])
def test_another_python_computes_the_same_hashes(minor: int, tmp_path: Path) -> None:
    interpreter = find_python(minor)
    if interpreter is None:
        pytest.skip(f"there is no Python 3.{minor} on this machine")
    python = make_environment(tmp_path / "venv", interpreter, locked(lambda package: package.startswith(NEEDED)))
    assert hashes_elsewhere(python) == ((3, minor), expected_hashes())
