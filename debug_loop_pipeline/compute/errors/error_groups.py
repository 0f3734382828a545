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
    """One decision. `merge`: errors of `signature` count as `into_signature`. `split`: they are told apart by `split_by`."""

    kind: str
    signature: str
    into_signature: str | None
    split_by: str | None


class GroupDecisions:
    """All decisions, in the order they were made; a later one about the same signature replaces an earlier one."""

    def __init__(self, decisions: Sequence[GroupDecision] = ()) -> None:
        self._by_signature = {d.signature: d for d in decisions}

    def signature_of(self, pattern: ErrorPattern, error: ExecutionError) -> str:
        """The group an error belongs to. Merges are followed to their end; a circle ends where it would close."""
        signature, seen = pattern.signature, set[str]()
        while (decision := self._by_signature.get(signature)) is not None and signature not in seen:
            seen.add(signature)
            if decision.kind == "merge":
                assert decision.into_signature is not None  # the table's constraint
                signature = decision.into_signature
            else:
                signature = _split(signature, decision.split_by or "", pattern, error)
        return signature


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
