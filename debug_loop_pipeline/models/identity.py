"""Ids of tasks and attempts, from the source's own identifiers (DOMAIN 3.1): the same work has the same id wherever it is read.

Belongs here: the one rule that importers and the logger share. Never pass a file position.
"""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:debug-loop-pipeline")


def attempt_id(source_format: str, first_id: str) -> UUID:
    """UUIDv5 of the format and the id of the attempt's first tool call (or message, where it has no call)."""
    return uuid5(_NAMESPACE, f"attempt\x1f{source_format}\x1f{first_id}")


def correlation_id(source_format: str, opened_by: str) -> UUID:
    """UUIDv5 of the format and the id of the human message that opened the task, or of the benchmark's problem."""
    return uuid5(_NAMESPACE, f"task\x1f{source_format}\x1f{opened_by}")
