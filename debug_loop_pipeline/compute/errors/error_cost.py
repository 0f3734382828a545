"""Which attempts of a task a signature is charged with (DOMAIN 3.10). Pure.

An attempt that shows a signature is charged to it as *failed*. Its *retries* are the other attempts between the first that shows it
and the first success after the last that does; where the task never succeeded after it, between the first and the last. One attempt
can be charged to several signatures, so the costs of signatures do not add up to the cost of the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CostedAttempt:
    """One attempt of a task: when it started, whether it succeeded, and the signatures it shows."""

    attempt_id: UUID
    started_at: datetime
    succeeded: bool
    signatures: frozenset[str]


@dataclass(frozen=True, slots=True)
class ErrorCharge:
    """One attempt charged to one signature; `kind` is `failed` or `retry`."""

    attempt_id: UUID
    signature: str
    kind: str


def charge_errors(attempts: Sequence[CostedAttempt]) -> list[ErrorCharge]:
    """The charges of one task, by (started_at, attempt_id) and signature."""
    ordered = sorted(attempts, key=lambda a: (a.started_at, str(a.attempt_id)))
    charges: list[ErrorCharge] = []
    for signature in sorted(set().union(*(a.signatures for a in ordered)) if ordered else ()):
        showing = [i for i, a in enumerate(ordered) if signature in a.signatures]
        first, last = showing[0], showing[-1]
        solved = next((i for i in range(last + 1, len(ordered)) if ordered[i].succeeded), last)
        for index in range(first, solved + 1):
            kind = "failed" if signature in ordered[index].signatures else "retry"
            charges.append(ErrorCharge(ordered[index].attempt_id, signature, kind))
    return charges
