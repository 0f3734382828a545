"""One question to `serve` and its answer. Standard library only, so that agents can afford it.

Not here: what is asked. The hook (`agent_hook`) does the same by itself, since it runs without our package.
"""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

MAX_LINE = 4 << 20
"""Longest message, in bytes, either way."""


class ServeUnavailableError(Exception):
    """`serve` does not run here, or did not answer in time."""


class ServeBusyError(ServeUnavailableError):
    """`serve` runs here and did not answer in time. It may have taken the message, and do what it asks for later."""


def ask(path: Path, message: dict[str, Any] | bytes, timeout_s: float) -> dict[str, Any]:
    """The answer to one message.

    Args:
        path: of the socket.
        message: with its `op`; bytes are JSON already, without a line break.
        timeout_s: for all of it.

    Raises:
        ServeBusyError: no answer in time.
        ServeUnavailableError: no server, another user's, or not an answer.
    """
    until = time.monotonic() + timeout_s
    try:
        if os.lstat(path).st_uid != os.getuid():
            raise ServeUnavailableError(f"{path} belongs to another user")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(os.fspath(path))
            connection.sendall(message if isinstance(message, bytes) else json.dumps(message).encode())
            connection.sendall(b"\n")
            received = bytearray()
            while not received.endswith(b"\n"):
                left = until - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"no answer within {timeout_s:g} s")
                connection.settimeout(left)
                part = connection.recv(1 << 16)
                if not part or len(received) > MAX_LINE:
                    raise ServeUnavailableError("the answer is cut off")
                received += part
        answer = json.loads(received)
    except (TimeoutError, BlockingIOError) as error:  # the second where too many knock at once
        raise ServeBusyError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise ServeUnavailableError(f"no socket {path}") from error
    except (OSError, ValueError) as error:
        raise ServeUnavailableError(f"{path}: {error}") from error
    if not isinstance(answer, dict):
        raise ServeUnavailableError("the answer is no object")
    return answer
