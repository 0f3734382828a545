"""The embedded servers' state file and the addresses it yields.

Belongs here: what one process writes about the servers it started and another reads. Not here: starting, stopping or
probing them (`embedded/`), and where the file lies (`settings.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from debug_loop_pipeline.models.base import FrozenModel

ServerName = Literal["postgres", "valkey", "kafka"]
SERVER_NAMES: tuple[ServerName, ...] = ("postgres", "valkey", "kafka")
KafkaKind = Literal["apache", "tansu"]

STATE_FILE = "servers.json"
"""Name of the state file inside the data directory."""


class RunningServer(FrozenModel):
    """One server process that was started and not stopped since."""

    name: ServerName
    kind: str
    """What runs under the name: `postgres`, `valkey`, `apache` or `tansu`."""
    pid: int = Field(gt=0)
    start_mark: str
    """Tells this process from a later one that got the same pid."""
    port: int = Field(gt=0, lt=65536)
    address: str = Field(repr=False)
    """URL or bootstrap list; holds the password where the server has one."""
    log: Path
    data: Path | None = None
    """None where the server keeps nothing on disk."""


class ServersState(FrozenModel):
    """All that has to outlive the process that starts the servers."""

    version: Literal[1] = 1
    postgres_password: str | None = Field(default=None, repr=False)
    valkey_password: str | None = Field(default=None, repr=False)
    postgres_home: Path | None = None
    """Where the PostgreSQL cluster lies, when it could not lie under the data directory."""
    ports: dict[str, int] = Field(default_factory=dict)
    """The ports used last, tried first at the next start so that addresses stay the same."""
    running: dict[ServerName, RunningServer] = Field(default_factory=dict)


class ServerAddresses(FrozenModel):
    """Where the servers answer. None: not asked for."""

    postgres_url: str | None = Field(default=None, repr=False)
    valkey_url: str | None = Field(default=None, repr=False)
    kafka_bootstrap_servers: str | None = None
    kafka_kind: KafkaKind | None = None
    """None also for a broker that was not started here."""
