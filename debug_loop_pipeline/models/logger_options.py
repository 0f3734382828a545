"""How the execution logger behaves inside an agent. Standard library only: reading it must cost the agent nothing.

`settings.Settings.logger` is this class, so each option has an environment variable (`DEBUG_LOOP_LOGGER__BLOCK_MS`).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LoggerOptions:
    """Bounds and switches of `AgentExecutionLogger` and of the spool that it writes."""

    block_ms: int = field(
        default=50, metadata={"ge": 0, "description": "Longest time that a call of the logger keeps the agent waiting."}
    )
    spool_bytes: int = field(
        default=268_435_456,
        metadata={
            "gt": 0,
            "description": "Most that the spool of one agent process holds on disk; likewise all orphaned spools.",
        },
    )
    segment_bytes: int = field(
        default=4_194_304, metadata={"gt": 0, "description": "Size from which the spool begins another file."}
    )
    keep_hours: float = field(
        default=24.0,
        metadata={
            "gt": 0,
            "description": "How long published events are kept, to be sent again to a broker that came back empty.",
        },
    )
    queue_events: int = field(
        default=1_000,
        metadata={"gt": 0, "description": "Events that may wait in memory for a slow disk; more are refused."},
    )
    look_seconds: float = field(
        default=15.0,
        metadata={
            "gt": 0,
            "description": "Time between two looks for a broker that came back empty and for orphaned spools.",
        },
    )
    learn: bool = field(
        default=True,
        metadata={"description": "`complete` runs the debug loop for the attempt at once, in the background."},
    )
    enabled: bool = field(default=True, metadata={"description": "The one switch that turns the logger off."})
