"""Which session a Codex sub-agent has, and where the rollout of the session that started it lies (LOG_FORMATS 1, 3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from debug_loop_pipeline.importers.documents import listing, string
from debug_loop_pipeline.importers.tool_calls import arguments_of

_DAYS_AROUND = (0, -1, 1)
"""Folders are named by the day where the program ran, session ids bear the moment in UTC."""


def agent_in_output(output: str) -> str | None:
    """The session of the sub-agent that a finished `spawn_agent` names."""
    return string(arguments_of(output).get("agent_id"))


def started_agent(told: dict[str, Any]) -> str | None:
    """The session of the sub-agent that an event or an item says was started."""
    if "agent_thread_id" in told:
        return string(told["agent_thread_id"]) if told.get("kind") == "started" else None
    if str(told.get("tool")).lower().replace("_", "") == "spawnagent":
        return string(next(iter(listing(told.get("receiver_thread_ids"))), None))
    return string(told.get("new_thread_id"))


def parent_file(path: Path, session: str) -> Path | None:
    """The rollout of a session, where it lies beside `path` or in the folder of the day on which it began."""
    try:
        known = UUID(session)
    except ValueError:
        return None
    folders = [path.parent]
    if known.version == 7 and len(path.parts) > 4:
        began = datetime.fromtimestamp((known.int >> 80) / 1000, UTC)
        days = (began + timedelta(days=days) for days in _DAYS_AROUND)
        folders += [path.parents[3] / f"{day:%Y}" / f"{day:%m}" / f"{day:%d}" for day in days]
    for folder in folders:
        found = next(folder.glob(f"rollout-*-{known}.jsonl"), None)
        if found is not None and found != path:
            return found
    return None
