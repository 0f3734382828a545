"""Other Pythons on this machine, and environments for them of what requirements.lock pins."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def find_python(*minors: int) -> str | None:
    """An interpreter of Python 3.`minor`, the first of them that is there: on the path, or among pyenv's versions."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in minors:
        for found in (shutil.which(f"python3.{minor}"), *sorted(versions.glob(f"3.{minor}.*/bin/python"))):
            if found is not None and _is_python(str(found), minor):
                return str(found)
    return None


def _is_python(interpreter: str, minor: int) -> bool:
    """A shim of a version manager may be there without the version."""
    script = f"import sys; sys.exit(sys.version_info[:2] != (3, {minor}))"
    return subprocess.run([interpreter, "-c", script], capture_output=True, timeout=30).returncode == 0


def locked(wanted: Callable[[str], bool]) -> str:
    """The lock's blocks of those packages."""
    blocks = re.split(r"^(?=[a-zA-Z0-9])", (PROJECT / "requirements.lock").read_text(), flags=re.MULTILINE)
    return "".join(block for block in blocks if wanted(block.partition("==")[0]))


def make_environment(directory: Path, interpreter: str, requirements: str) -> Path:
    """An environment with these packages, anew; its Python."""
    python = directory / "bin" / "python"
    listed = directory.with_suffix(".txt")
    listed.write_text(requirements)
    uv = [sys.executable, "-m", "uv"]
    install = ["pip", "install", "-q", "--python", str(python), "--no-deps", "--require-hashes", "-r", str(listed)]
    try:
        subprocess.run([*uv, "venv", "-q", "--clear", "--python", interpreter, str(directory)], check=True)
        subprocess.run([*uv, *install], check=True)
    finally:
        listed.unlink()
    return python
