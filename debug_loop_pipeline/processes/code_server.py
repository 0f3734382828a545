"""The code server whose runs begin in milliseconds: `python -m debug_loop_pipeline.processes.code_server -s SOCKET -m MODULE`.

The stock server (`dagster api grpc`, whose options it takes) starts an interpreter for every run. This one forks runs from a
process that has everything loaded (`warm`); all else, ending and watching runs included, is the stock server's. Definitions are read
once: after a change of code start it again.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from typing import Any

from dagster._cli.api import grpc_command
from dagster._grpc import server

WARM = "debug_loop_pipeline.processes.warm"


def run_context() -> ForkServerContext:
    """What makes the processes of runs, with everything loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([WARM])
    return context


class WarmApiServer(server.DagsterApiServer):
    """The stock server, but for how the process of a run is made."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Takes what the stock server takes."""
        self._runs = run_context()
        forkserver.ensure_running()  # it loads while this process does
        super().__init__(*args, **options)

    @property  # type: ignore[override]
    def _mp_ctx(self) -> ForkServerContext:
        return self._runs

    @_mp_ctx.setter
    def _mp_ctx(self, made_by_base: object) -> None:
        """The stock server has no other seam for it."""


def main() -> None:
    """Serves until it is told to stop."""
    server.DagsterApiServer = WarmApiServer  # type: ignore[misc]
    grpc_command()


if __name__ == "__main__":
    main()
