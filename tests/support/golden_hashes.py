"""Snippets of code whose hashes are known, and what another Python makes of them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.support.other_pythons import PROJECT

GOLDEN_HASHES = PROJECT / "tests" / "data" / "golden_hashes.json"

_PROGRAM = """
import json, sys
from debug_loop_pipeline.compute.stf_hash import stf_hash
snippets = json.load(open(sys.argv[1], encoding="utf-8"))
print(json.dumps([sys.version_info[:2], [stf_hash(s["code"], s["language"]) for s in snippets]]))
"""


def expected_hashes() -> list[str]:
    """The hash of each snippet."""
    return [snippet["hash"] for snippet in json.loads(GOLDEN_HASHES.read_text(encoding="utf-8"))]


def hashes_elsewhere(python: str | Path, hash_seed: str = "0") -> tuple[tuple[int, int], list[str]]:
    """Version of `python`, and the hash that it computes of each snippet in a process of its own."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(PROJECT),
        "PYTHONHASHSEED": hash_seed,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [str(python), "-c", _PROGRAM, str(GOLDEN_HASHES)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    version, hashes = json.loads(done.stdout)
    return tuple(version), hashes
