"""What people decided about error groups: merges and splits, applied on every recompute (DOMAIN 3.7). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from debug_loop_pipeline.models.errors import ErrorPattern
from debug_loop_pipeline.models.execution import ExecutionError

SPLIT_KEYS = ("test", "path", "tool", "stack")
"""What a group can be split by, besides `slot:N` (1-based)."""


@dataclass(frozen=True, slots=True)
class GroupDecision:
    """One decision. `merge`: errors of `signature` count as `into_signature`. `split`: they are told apart by `split_by`. `undo`: what was
    decided about `signature` before is taken back.
    """

    kind: str
    signature: str
    into_signature: str | None
    split_by: str | None


class GroupDecisions:
    """All decisions, in the order they were made; a later one about the same signature replaces an earlier one."""

    def __init__(self, decisions: Sequence[GroupDecision] = ()) -> None:
        newest = {d.signature: (number, d) for number, d in enumerate(decisions)}
        self._by_signature = {signature: found for signature, found in newest.items() if found[1].kind != "undo"}

    def signature_of(self, pattern: ErrorPattern, error: ExecutionError) -> str:
        """The group an error belongs to. Merges are followed to their end; of groups merged in a circle the last decision is right."""
        path = [pattern.signature]
        made: list[int] = []
        while (found := self._by_signature.get(path[-1])) is not None:
            number, decision = found
            made.append(number)
            if decision.kind == "merge":
                assert decision.into_signature is not None  # the table's constraint
                signature = decision.into_signature
            else:
                signature = _split(path[-1], decision.split_by or "", pattern, error)
            if signature in path:
                circle = range(path.index(signature), len(path))
                newest = max(circle, key=made.__getitem__)
                return (*path, signature)[newest + 1]
            path.append(signature)
        return path[-1]


def valid_split(split_by: str) -> bool:
    """Whether a group can be split by this."""
    kind, _, number = split_by.partition(":")
    return split_by in SPLIT_KEYS or (kind == "slot" and number.isdigit() and int(number) >= 1)


def _split(signature: str, split_by: str, pattern: ErrorPattern, error: ExecutionError) -> str:
    if split_by.startswith("slot:"):
        index = int(split_by.removeprefix("slot:")) - 1
        value = pattern.slots[index].value if index < len(pattern.slots) else ""
    elif split_by == "stack":
        value = pattern.stack_signature or ""
    else:
        value = {"test": error.test, "path": error.path, "tool": error.tool}[split_by] or ""
    return hashlib.sha256(f"{signature}\0{split_by}\0{value}".encode()).hexdigest()
