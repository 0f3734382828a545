"""Turns Codex's cumulative token counter into the usage of single responses (LOG_FORMATS 3, DOMAIN 3.10)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from debug_loop_pipeline.models.trajectory import Usage

_FIELDS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")


class TokenCounter:
    """Reads `token_count` events in order.

    A response is identified by its turn and the counter's value after it, so that history copied into a forked session,
    a session read at two lengths and a repeated event all name the same response.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        """Session that the history is of, for versions that do not name turns."""
        self.before: tuple[int, ...] | None = None

    def count(
        self, info: object, turn: str | None, model: str | None, provider: str | None, at: datetime | None
    ) -> Usage | None:
        """The usage that one event adds; None where it adds nothing (no counter, or the same value again).

        The difference to the counter before is what was used; it is more than `last_token_usage` where a response in
        between was not told (an aborted one). Where there is no counter before or it did not grow by at least as much
        (it began anew), the last response's own figures count.
        """
        if not isinstance(info, dict):
            return None
        total = _figures(info.get("total_token_usage"))
        last = _figures(info.get("last_token_usage"))
        before, self.before = self.before, total if total is not None else self.before
        if total is not None and total == before:
            return None
        grown = None
        if total is not None:
            grown = tuple(now - then for now, then in zip(total, before or (0, 0, 0, 0), strict=True))
        used = last
        if grown is not None and min(grown) >= 0:
            if last is None or (before is not None and all(a >= b for a, b in zip(grown, last, strict=True))):
                used = grown
        elif last is None:
            used = total
        if used is None or not any(used):
            return None
        read, cached, written, reasoning = used
        cached = min(cached, read)
        mark = sum(total[:3:2]) if total is not None else None
        return Usage(
            turn or self.owner,
            str(mark if mark is not None else at),
            model,
            provider,
            at,
            tokens_input=read - cached,
            tokens_cache_read=cached,
            tokens_output=written,
            tokens_reasoning=min(reasoning, written),
        )


def _figures(usage: Any) -> tuple[int, ...] | None:
    if not isinstance(usage, dict):
        return None
    values = [usage.get(field) for field in _FIELDS]
    return tuple([value if type(value) is int and value > 0 else 0 for value in values])
