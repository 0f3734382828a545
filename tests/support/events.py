"""Execution events made by hand, one call each, with ids from names so that they can be told again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from debug_loop_pipeline.models.execution import ExecutionEvent

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

CODE = '''"""Configuration."""


def read_name(record: dict, default: str = "nobody") -> str:
    """The name of a record, or the default.

    Raises:
        TypeError: the record is no mapping.
    """
    # a record may come without a name
    if record is None:
        return default
    if not isinstance(record, dict):
        raise TypeError("a record is a mapping")
    try:
        return str(record.get("name", default)).strip()
    except AttributeError:
        return default
'''


def uid(name: str) -> UUID:
    """A stable id."""
    return uuid5(NAMESPACE_URL, name)


def attempt(
    name: str, task: str, *, minutes: int, failed: bool, error: str = "KeyError: 'name'", **more: Any
) -> ExecutionEvent:
    """One attempt that ran pytest: failing with an error, or passing after an edit."""
    at = START + timedelta(minutes=minutes)
    verification = {
        "command": "pytest -q tests/test_names.py",
        "goal": "pytest tests/test_names.py",
        "goal_tool": "pytest",
        "goal_target": ["tests/test_names.py"],
        "exit_code": 1 if failed else 0,
        "verdict": "fail" if failed else "pass",
        "step": minutes * 10 + 5,
        "tool_call_id": f"verify-{name}",
        "at": at.isoformat(),
    }
    event: dict[str, Any] = {
        "attempt_id": str(uid(name)),
        "correlation_id": str(uid(task)),
        "execution_id": f"run-{task}",
        "session_id": f"session-{task}",
        "agent_name": "tester",
        "user_request": "Fix the reader of names in config.py, it fails on a missing name",
        "status": "error" if failed else "success",
        "started_at": (at - timedelta(minutes=1)).isoformat(),
        "completed_at": at.isoformat(),
        "verifications": [verification],
        "tools_used": ["Bash"],
        "model_used": "claude-sonnet-4-5",
        "provider": "anthropic",
        "usage": [
            {
                "message_id": f"msg-{name}",
                "request_id": "r",
                "at": at.isoformat(),
                "tokens_input": 1_000,
                "tokens_output": 200,
            }
        ],
        "context": {"repository": "example/names", "commit": "0" * 40},
    }
    if failed:
        event["errors"] = [
            {"message": error, "type": error.split(":")[0], "verification": 0, "step": verification["step"]}
        ]
    else:
        event["edits"] = [
            {
                "path": "config.py",
                "language": "python",
                "before": 'return record["name"]',
                "after": 'return record.get("name", default)',
                "step": minutes * 10 + 1,
                "tool_call_id": f"edit-{name}",
            }
        ]
        event["code_written"] = [{"path": "config.py", "language": "python", "content": CODE}]
    return ExecutionEvent.model_validate(event | more)


def fixed_task(task: str, *, day: int) -> list[ExecutionEvent]:
    """A task whose test fails late on one day and passes early on the next."""
    before_midnight = day * 24 * 60 + 14 * 60 + 50
    return [
        attempt(f"{task}-1", task, minutes=before_midnight, failed=True),
        attempt(f"{task}-2", task, minutes=before_midnight + 30, failed=False),
    ]
