"""An execution event while the agent tells it: what `start`, `progress` and `complete` of the logger put together.

Here: plain JSON values out of whatever an agent passes, how one telling adds to another, ids, size. Not here: validation, which
is ingestion's (DOMAIN 3.1): an agent is never told that its event is wrong. Standard library only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from debug_loop_pipeline.models import identity
from debug_loop_pipeline.models.topics import MAX_EVENT_BYTES
from debug_loop_pipeline.text import clean_text, cut

FORMAT = "logger"
"""Format of ids whose source names none of its own."""

_DEEPEST = 40
_STEPPED = frozenset({"edits", "commands", "verifications", "errors"})
"""Lists whose items have a place in the run's order."""
_PIECE = 1 << 16
_PLACE = b'"\\u0000"'
_SHORTENED = ("commands", "edits", "code_written", "errors", "tools_used", "files_modified")
"""Lists that may lose their ends. Verifications say how the attempt ended and usage what it cost: they are kept whole."""
_NOTE_BYTES = 1 << 16
"""More than it takes to tell what is missing, the marks on verifications included."""
_TEXT_LIMITS = (1 << 19, 1 << 16, 1 << 13, 1 << 10)


class Draft:
    """One attempt from its start to its end. Not thread-safe."""

    def __init__(self, fields: Mapping[str, Any], first_step: int) -> None:
        self.event: dict[str, Any] = {}
        self.step = first_step
        self.add(fields)

    def add(self, fields: Mapping[str, Any]) -> None:
        """Take more in, as `plain` gave it: lists are continued, token buckets added up, mappings merged, other values replaced."""
        for name, value in fields.items():
            if value is None:
                continue
            if name in _STEPPED and isinstance(value, list):
                for item in value:
                    self._place(item)
            known = self.event.get(name)
            if isinstance(known, list) and isinstance(value, list):
                known += value
            elif isinstance(known, dict) and isinstance(value, dict):
                known |= value
            elif name.startswith("tokens_") and isinstance(known, int) and isinstance(value, int):
                self.event[name] = known + value
            else:
                self.event[name] = value

    def _place(self, item: Any) -> None:
        if isinstance(item, dict):
            told = item.setdefault("step", self.step + 1)
            if isinstance(told, int):
                self.step = max(self.step, told)


def plain(value: Any, depth: int = 0) -> Any:
    """A copy of `value` in JSON's own types; what has no form in them becomes its text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return clean_text(str(value))
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return {clean_text(str(key)): plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [plain(item, depth + 1) for item in value]
        dump = getattr(value, "model_dump", None)
        if callable(dump):
            return plain(dump(mode="json", exclude_defaults=True), depth + 1)
    if isinstance(value, datetime):
        return moment(value)
    return clean_text(str(value))


def moment(at: datetime) -> str:
    """RFC 3339 in UTC; a naive time is taken as UTC."""
    aware = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return aware.isoformat()


def task_id(source_format: str, task: UUID | str) -> UUID:
    """The correlation id: a UUID as it is, any other name by the rule of the importers."""
    if isinstance(task, UUID):
        return task
    try:
        return UUID(task)
    except ValueError:
        return identity.correlation_id(source_format, task)


def own_attempt_id(run: str, started_at: str, number: int) -> UUID:
    """The id of an attempt whose source names no first tool call or message: from its run, beginning and place in it."""
    return identity.attempt_id(FORMAT, f"{run}\x1f{started_at}\x1f{number}")


def encoded(event: dict[str, Any]) -> bytes:
    """An event as one line of JSON that fits on the topic. Where it is too long the longest texts are cut and marked, then the longest
    lists lose their ends, which `metadata.not_kept` counts.

    Raises:
        ValueError: it does not fit all the same.
    """
    body = _dumps(event)
    for limit in _TEXT_LIMITS:
        if len(body) <= MAX_EVENT_BYTES:
            return body
        body = _dumps(_shortened(event, limit))
    if len(body) > MAX_EVENT_BYTES:
        body = _dumps(_without_ends(_shortened(event, _TEXT_LIMITS[-1]), len(body) + _NOTE_BYTES - MAX_EVENT_BYTES))
    if len(body) > MAX_EVENT_BYTES:
        raise ValueError(f"it has {len(body)} bytes, and the topic takes {MAX_EVENT_BYTES}")
    return body


def _without_ends(event: dict[str, Any], over: int) -> dict[str, Any]:
    """The event with so many bytes less in its lists, the longest first."""
    lists = {name: event[name] for name in _SHORTENED if isinstance(event.get(name), list)}
    sizes = {name: [len(_compact(item).encode()) + 1 for item in items] for name, items in lists.items()}
    while over > 0 and any(sizes.values()):
        longest = max(sizes.values(), key=sum)
        least = len(longest) // 2
        while over > 0 and len(longest) > least:
            over -= longest.pop()
    missing = {name: len(lists[name]) - len(kept) for name, kept in sizes.items() if len(kept) < len(lists[name])}
    shorter = event | {name: lists[name][:-lost] for name, lost in missing.items()}
    if "errors" in missing:
        _tell_missing_errors(shorter, lists["errors"][-missing["errors"] :])
    metadata = event.get("metadata")
    return shorter | {"metadata": (metadata if isinstance(metadata, dict) else {}) | {"not_kept": missing}}


def _tell_missing_errors(event: dict[str, Any], missing: list[Any]) -> None:
    """What showed them is not to be taken for all there was."""
    known = event.get("errors_not_kept")
    event["errors_not_kept"] = (known if isinstance(known, int) else 0) + len(missing)
    shown_by = {error.get("verification") for error in missing if isinstance(error, dict)}
    verifications = event.get("verifications")
    if isinstance(verifications, list):
        event["verifications"] = [
            {**told, "cut": True} if place in shown_by and isinstance(told, dict) else told
            for place, told in enumerate(verifications)
        ]


def _shortened(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return cut(value, limit)
    if isinstance(value, dict):
        return {key: _shortened(item, limit) for key, item in value.items()}
    return [_shortened(item, limit) for item in value] if isinstance(value, list) else value


def _dumps(event: dict[str, Any]) -> bytes:
    """JSON. Long texts piece by piece: while one is being encoded no other thread of the agent runs."""
    long: list[str] = []
    body = _compact(_without_long(event, long)).encode()
    if not long:
        return body
    # `plain` lets no NUL into a text, so what is in a text cannot be taken for a place.
    between = body.split(_PLACE)
    parts = [between[0]]
    for text, after in zip(long, between[1:], strict=True):
        parts.append(b'"')
        parts += (_compact(text[at : at + _PIECE])[1:-1].encode() for at in range(0, len(text), _PIECE))
        parts += (b'"', after)
    return b"".join(parts)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _without_long(value: Any, long: list[str]) -> Any:
    """`value` with a place in each long text's stead; the texts, in order, in `long`."""
    if isinstance(value, str):
        if len(value) <= _PIECE:
            return value
        long.append(value)
        return "\0"
    if isinstance(value, dict):
        return {key: _without_long(item, long) for key, item in value.items()}
    return [_without_long(item, long) for item in value] if isinstance(value, list) else value
