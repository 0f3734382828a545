"""Named places at which a process of a test kills itself, as kill -9 would, and none of them in the product's own code."""

from __future__ import annotations

import os
import pkgutil
import signal
from collections.abc import Callable
from typing import Any, Literal, NamedTuple


class Failpoint(NamedTuple):
    """Before or after a call of a function."""

    target: str
    when: Literal["before", "after"]


LOGGER = {
    "logger: half a line is written": Failpoint("debug_loop_pipeline.client.spool:os.write", "before"),
    "logger: written, not synced": Failpoint("debug_loop_pipeline.client.spool:os.fsync", "before"),
    "logger: synced, not acknowledged": Failpoint("debug_loop_pipeline.client.spool:Spool.append", "after"),
    "logger: spool made, nothing in it": Failpoint("debug_loop_pipeline.client.spool:Spool.create", "after"),
    "relay: read, not sent": Failpoint("debug_loop_pipeline.client.spool:Spool.read", "after"),
    "relay: confirmed, not noted": Failpoint("debug_loop_pipeline.client.spool:Spool.advance", "before"),
    "relay: noted": Failpoint("debug_loop_pipeline.client.spool:Spool.advance", "after"),
}
CONSUMER = {
    "consumer: offsets locked": Failpoint(
        "debug_loop_pipeline.effects.consumer_offsets:ConsumerOffsets.current", "after"
    ),
    "consumer: in the inbox, offset not noted": Failpoint(
        "debug_loop_pipeline.effects.consumer_offsets:ConsumerOffsets.commit", "before"
    ),
    "consumer: offset noted, not committed": Failpoint(
        "debug_loop_pipeline.effects.consumer_offsets:ConsumerOffsets.commit", "after"
    ),
    "consumer: committed": Failpoint("debug_loop_pipeline.effects.execution_consumer:ExecutionConsumer.take", "after"),
    "consumer: log followed": Failpoint(
        "debug_loop_pipeline.effects.execution_consumer:ExecutionConsumer.follow", "after"
    ),
    "consumer: orphan claimed": Failpoint("debug_loop_pipeline.client.spool:Spool.claim", "after"),
    "consumer: orphan confirmed, not noted": Failpoint("debug_loop_pipeline.client.spool:Spool.advance", "before"),
}
ALL = LOGGER | CONSUMER
ONCE = frozenset({"logger: spool made, nothing in it", "consumer: log followed"})
"""Passed once in the life of a process."""


def arm(name: str, call: int) -> None:
    """Kill this process at the `call`-th call of a failpoint."""
    point = ALL[name]
    path, _, attribute = point.target.rpartition(".")
    owner = pkgutil.resolve_name(path)
    given = owner.__dict__[attribute]
    function: Callable[..., Any] = getattr(given, "__func__", given)
    calls = 0

    def wrapped(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and point.when == "before":
            if attribute == "write":  # a half of what was to be written is there
                function(arguments[0], arguments[1][: len(arguments[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **named)
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, attribute, classmethod(wrapped) if isinstance(given, classmethod) else wrapped)
