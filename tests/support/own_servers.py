"""Servers of one test's own, which it may kill: ports that nobody else takes meanwhile, and the killing."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from random import Random
from typing import Literal

from debug_loop_pipeline.embedded.supervisor import Supervisor
from tests.support.ledger import wait_for

Broker = Literal["apache", "tansu"]


def quiet_ports(count: int) -> list[int]:
    """Free ports that the kernel gives to no client: one of those could hold a port while its server is dead."""
    found: list[int] = []
    draw = Random()
    while len(found) < count:
        port = draw.randrange(15_000, 30_000)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def kill_server(servers: Supervisor, broker: Broker, name: str) -> None:
    """kill -9, and start it again at its old address: the broker in memory comes back empty."""
    status = next(server for server in servers.status() if server.name == name)
    os.kill(status.pid, signal.SIGKILL)
    assert wait_for(lambda: _is_free(status.port))  # a large process takes its time to let go
    servers.up(broker if name == "kafka" else "none", postgres=name == "postgres", valkey=name == "valkey")
    assert status.port == next(server for server in servers.status() if server.name == name).port
