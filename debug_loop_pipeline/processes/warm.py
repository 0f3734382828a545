"""Everything that a run needs, imported and built once, in the process from which runs are forked.

An interpreter with Dagster and the definitions costs some three CPU seconds; a fork of one that has them costs milliseconds. Nothing here
opens a connection or starts a thread, which a fork would break.
"""

from __future__ import annotations

import gc
from functools import cache
from importlib import import_module

from debug_loop_pipeline.definitions import defs

_LAZY = (
    "dagster._cli.api",
    "dagster._core.execution.api",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._grpc.impl",
    "debug_loop_pipeline.effects.match_epoch_store",
    "debug_loop_pipeline.resources.dagster_storage",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
)
"""Modules that the first run of a process would import on its way."""


@cache
def warm() -> None:
    """Makes this process ready to fork runs, once. Importing this module does, for processes that can only name a module."""
    for name in _LAZY:
        import_module(name)
    defs.get_repository_def().load_all_definitions()
    gc.collect()
    gc.freeze()  # what is here stays; a collection in a fork would only copy its pages


warm()
