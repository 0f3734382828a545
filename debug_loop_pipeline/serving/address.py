"""Where `serve` listens: one rule for the server, its clients and the command lines of hooks. Standard library only."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

SOCKET_NAME = "serve.sock"
_PATH_LIMIT = 100
"""Of a Unix socket's path, in bytes: macOS allows 104, Linux 108."""
_FALLBACK = Path("/tmp")  # noqa: S108 - not $TMPDIR, which differs between an agent's shell and a service; owned and checked


def socket_path(data_dir: Path) -> Path:
    """The socket of a data directory: in it, or in a private folder elsewhere where that path is too long."""
    inside = data_dir / SOCKET_NAME
    if len(os.fsencode(inside)) <= _PATH_LIMIT:
        return inside
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return _FALLBACK / f"debug-loop-{os.getuid()}-{digest}" / SOCKET_NAME
