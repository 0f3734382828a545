"""Contributions and transactions made by hand, one call each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from debug_loop_pipeline.compute.economy.transaction_id import contribution_id, make_transaction
from debug_loop_pipeline.models.base import EvidenceTier, Outcome
from debug_loop_pipeline.models.contribution import AttemptFacts, CodeSpan, Contribution, ContributionKind
from debug_loop_pipeline.models.token import LEGAL_REASONS, Reason, TokenTransaction, TransactionType

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ATTEMPT = UUID(int=7)

CODE = '''
def read_rows(path, limit=10):
    """Rows of a file, at most `limit`."""
    rows = []
    with open(path, encoding="utf-8") as handle:
        for line in handle:
            if len(rows) >= limit:
                break
            if not line.strip():
                continue
            rows.append(json.loads(line))
    return sorted(rows, key=lambda row: row["time"])
'''

RENAMED = """
def load_everything(  source ,maximum = 10 ):
    # another name, another layout
    collected = []
    with open( source, encoding = 'utf-8' ) as stream:

        for text in stream:
            if len(collected) >= maximum :
                break
            if not text.strip( ):
                continue
            collected.append( json.loads(text) )
    return sorted(collected, key = lambda item : item['time'],)
"""

OTHER = '''
def retry(call, attempts, wait):
    """Call until it answers."""
    for number in range(attempts):
        try:
            return call()
        except ConnectionError as error:
            if number + 1 == attempts:
                raise RuntimeError(f"gave up after {attempts}") from error
            wait(2**number)
'''


def contribution(kind: str = "stf", **changes: Any) -> Contribution:
    """An acceptable contribution of ann in ATTEMPT; a reuse by ben. The id follows from the rest unless given."""
    made = ContributionKind(kind)
    values: dict[str, Any] = {
        "kind": made,
        "peer_id": "ann",
        "attempt_id": ATTEMPT,
        "occurred_at": START,
        "subject": "subject",
        "quality_score": 0.8,
    }
    if made is ContributionKind.STF:
        values |= {
            "span": CodeSpan(path="a.py", function="read_rows", start_line=2, end_line=12),
            "code": CODE,
            "language": "python",
            "complexity_score": 1.0,
        }
    if made.is_reuse:
        values["used_by_peer_id"] = "ben"
    values |= changes
    values.setdefault(
        "contribution_id",
        contribution_id(made, values["peer_id"], values["attempt_id"], values["subject"], values.get("span")),
    )
    return Contribution(**values)


def attempt(peer_id: str = "ann", **changes: Any) -> AttemptFacts:
    """A measured success of a peer."""
    values: dict[str, Any] = {
        "attempt_id": ATTEMPT,
        "peer_id": peer_id,
        "evidence": EvidenceTier.MEASURED,
        "outcome": Outcome.SUCCEEDED,
        "completed_at": START,
    }
    return AttemptFacts(**(values | changes))


def transaction(kind: str, amount: int, cause: str = "cause", peer: str = "ann", **changes: Any) -> TokenTransaction:
    """A transaction with a reason that goes with its type, unless one is given."""
    made = TransactionType(kind)
    values: dict[str, Any] = {"reason": min(LEGAL_REASONS[made]), "timestamp": START}
    if made is TransactionType.ADJUSTMENT:
        values["reason"] = Reason.CORRECTION
    if made is TransactionType.TRANSFERRED:
        values |= {"group_id": UUID(int=1), "counterparty_peer_id": f"not {peer}"}
    return make_transaction(transaction_type=made, amount=amount, cause_id=cause, peer_id=peer, **(values | changes))


def later(**delta: float) -> datetime:
    """START and some time."""
    return START + timedelta(**delta)
