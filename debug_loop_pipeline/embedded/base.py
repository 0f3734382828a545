"""What a kind of embedded server has to tell the supervisor."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from debug_loop_pipeline.embedded.process import Launch
from debug_loop_pipeline.models.servers import ServerName

_KEPT_VARIABLES = ("HOME", "LANG", "PATH", "TMPDIR", "TZ", "JAVA_HOME")


class EmbeddedServer(ABC):
    """One server under one data directory. The supervisor calls prepare, launch, probe, settle in this order."""

    name: ServerName
    kind: str
    stop_signal: signal.Signals = signal.SIGTERM
    ready_seconds: float = 30.0
    ports: tuple[str, ...]
    """Names of the ports it needs; the first one is the address."""

    @abstractmethod
    def prepare(self) -> None:
        """Make files and directories, once. Idempotent."""

    @abstractmethod
    def launch(self, ports: Mapping[str, int]) -> Launch:
        """The command that listens on these ports, in the foreground."""

    @abstractmethod
    def address(self, port: int) -> str:
        """URL or bootstrap list for clients."""

    @abstractmethod
    def probe(self, port: int) -> str:
        """Ask the server something that proves it is ours and works.

        Returns:
            Its version.

        Raises:
            OSError: It does not answer (yet).
        """

    def settle(self, port: int) -> None:  # noqa: B027 - most servers have nothing left to do
        """What is left to do once it answers, every start. Idempotent. Nothing by default."""

    @property
    @abstractmethod
    def data(self) -> Path | None:
        """Where its data lie; None when it keeps none."""


def server_environment() -> dict[str, str]:
    """The environment of a server: ours without the variables (and secrets) that are none of its business."""
    return {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
