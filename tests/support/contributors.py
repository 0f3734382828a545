"""Attempts that give something: events whose code nothing else is like."""

from __future__ import annotations

from typing import Any

from debug_loop_pipeline.models.execution import ExecutionEvent
from tests.support.events import attempt


def wrote(name: str, code: str, peer: str, *, minutes: int = 0, path: str = "rows.py", **more: Any) -> ExecutionEvent:
    """A measured success that wrote a file."""
    return attempt(
        name,
        f"task of {name}",
        minutes=minutes,
        failed=False,
        peer_id=peer,
        code_written=[{"path": path, "language": "python", "content": code}],
        edits=[],
        **more,
    )


def unlike(number: int) -> str:
    """A function that is like no other of these."""
    calls = "\n".join(
        f"    found.append(source_{number}.step_{number}_{n}(value, {number * 31 + n}))" for n in range(8)
    )
    return (
        f'def work_{number}(value: int) -> list:\n    """Does work {number}."""\n    # guarded\n'
        f'    if value is None:\n        raise ValueError("no value {number}")\n    found = []\n{calls}\n    return found\n'
    )
