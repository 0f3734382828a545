"""Step `token_rewards`: the one decider of contributions, in one sequence (DOMAIN 4.3).

Here: what can be decided is validated, scored for novelty, rewarded and written with its transaction, a chunk at a time; the same for
a day's batch and for one attempt in process. Not here: the rules (`compute/economy/contribution_decision`), publishing (`ledger`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from debug_loop_pipeline.compute.code.stf_similarity import Fingerprint, fingerprint
from debug_loop_pipeline.compute.contribution_validator import VALIDATOR_VERSION, was_written
from debug_loop_pipeline.compute.economy.contribution_decision import decide_contribution, reward_transaction
from debug_loop_pipeline.compute.novelty_score import NoveltyIndex
from debug_loop_pipeline.compute.reward_calculator import REWARD_VERSION
from debug_loop_pipeline.effects.contribution_store import (
    ContributionStore,
    DecidedRow,
    RewardedBefore,
    Undecided,
    day_of,
    lock_decider,
)
from debug_loop_pipeline.effects.postgres import Database
from debug_loop_pipeline.effects.resilience import Retry
from debug_loop_pipeline.effects.step_store import RowChanges
from debug_loop_pipeline.effects.token_ledger import open_book
from debug_loop_pipeline.models.contribution import (
    CodeSpan,
    Contribution,
    ContributionDecision,
    ContributionKind,
    DecisionStatus,
    RewardContext,
)
from debug_loop_pipeline.models.token import TokenTransaction
from debug_loop_pipeline.settings import EconomySettings
from debug_loop_pipeline.steps.framework import Span, StepContext, StepReport

STEP = "token_rewards"
CODE_VERSION = f"rewards={REWARD_VERSION};validator={VALIDATOR_VERSION}"
"""Says what decided; another version decides what comes next and pays nothing again."""

_CHUNK = 200
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time of a decision."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Decisions:
    """What one chunk decided."""

    decisions: list[ContributionDecision] = field(default_factory=list)
    waiting: list[UUID] = field(default_factory=list)
    """Could not be decided after all."""
    transactions: list[TokenTransaction] = field(default_factory=list)


class ContributionDecider:
    """Decides contributions on one database. Keeps what novelty is compared with; one thread at a time.

    Args:
        database: with contributions, accounts and outbox.
        economy: rewards and limits.
        clock: tells the time of decisions.
    """

    def __init__(self, database: Database, economy: EconomySettings, clock: Clock = utc_now) -> None:
        self._database = database
        self._store = ContributionStore(database)
        self._economy = economy
        self._clock = clock
        self._index = NoveltyIndex()
        self._known = 0
        """Place in the sequence up to which the index holds everything."""
        self._uncommitted = False

    def decide(
        self, last: date, *, but: Sequence[UUID] = (), only: Sequence[UUID] | None = None, limit: int = _CHUNK
    ) -> Decisions:
        """Decides the next contributions of attempts that ended up to a day, in one transaction with their rewards.

        May be called again after any error: what was decided is decided, what was not is whole.

        Args:
            last: the UTC day.
            but: contributions that are left out.
            only: contributions to choose from; None for all.
            limit: how many at most.
        """

        def once(connection: Connection) -> Decisions:
            lock_decider(connection)
            if self._uncommitted:  # an attempt before this one took things into the index and was lost
                self._index, self._known = NoveltyIndex(), 0
            undecided = self._store.undecided(connection, last, limit, but=but, only=only)
            if not undecided:
                return Decisions()
            self._uncommitted = True
            self._catch_up(connection)
            return self._decide(connection, undecided)

        decisions = self._database.run("decide_contributions", once, retry=Retry.ALWAYS)
        self._uncommitted = False
        return decisions

    def _decide(self, connection: Connection, undecided: Sequence[Undecided]) -> Decisions:
        now = self._clock()
        before = self._store.rewarded_before(connection, undecided, day_of(now))
        spans = self._store.decided_spans(connection, [u.contribution.attempt_id for u in undecided])
        told = [u.contribution.attempt_id for u in undecided if u.subject is not None and u.subject.written is False]
        functions = self._store.functions(connection, told)
        sequence = self._store.last_sequence(connection)
        found = Decisions()
        rows: list[DecidedRow] = []
        for read in undecided:
            one = self._with_code_compared(read, functions)
            contribution = one.contribution
            of_attempt = spans.setdefault(contribution.attempt_id, [])
            decision = decide_contribution(
                contribution,
                one.attempt,
                one.subject,
                of_attempt,
                self._index,
                partial(_context, before=before, family=one.family),
                now,
                self._economy,
            )
            if decision.status is DecisionStatus.PENDING:
                found.waiting.append(contribution.contribution_id)
                continue
            sequence += 1
            transaction = reward_transaction(contribution, decision)
            if transaction is not None:
                found.transactions.append(transaction)
                _count(contribution, one, decision, before)
            printed = _fingerprint(contribution) if decision.enters_index else None
            if printed is not None:
                self._index.add(contribution.subject, printed.shingles)
                of_attempt.append((contribution.span or CodeSpan(function="-"), printed.shingles))
            rows.append(
                _decided_row(
                    one, decision, sequence, transaction, before.paid_as.get(contribution.contribution_id), printed
                )
            )
            found.decisions.append(decision)
        self._known = sequence
        if rows:
            book = open_book(connection, [t.peer_id for t in found.transactions])
            book.post(found.transactions)
            book.write()
            self._store.write_decisions(connection, rows)
        return found

    def _with_code_compared(self, one: Undecided, functions: Mapping[UUID, Sequence[tuple[str, str]]]) -> Undecided:
        """Code that its attempt has under no such hash may still be its own."""
        if one.subject is None or one.subject.written is not False:
            return one
        written = was_written(one.contribution, functions.get(one.contribution.attempt_id, ()), self._economy)
        return replace(one, subject=one.subject.model_copy(update={"written": written}))

    def _catch_up(self, connection: Connection) -> None:
        """Takes in what was decided since, here or by another process."""
        for sequence, name, shingles in self._store.fingerprints(connection, self._known):
            self._index.add(name, shingles)
            self._known = sequence


def run(
    context: StepContext, span: Span, *, clock: Clock = utc_now, decider: ContributionDecider | None = None
) -> StepReport:
    """Decides everything that can be decided of attempts that ended up to the last of these days."""
    started = time.perf_counter()
    report = StepReport(STEP, CODE_VERSION)
    decider = decider or ContributionDecider(context.database, context.settings.economy, clock)
    statuses: Counter[str] = Counter()
    paid: Counter[str] = Counter()
    waiting: list[UUID] = []
    while True:
        chunk = decider.decide(span.last, but=waiting)
        waiting += chunk.waiting
        if not chunk.decisions and not chunk.waiting:
            break
        statuses.update(decision.status.value for decision in chunk.decisions)
        for transaction in chunk.transactions:
            paid[transaction.reason.value] += transaction.amount
        report.keys += len(chunk.decisions)
        context.log(f"{STEP}: {report.keys} contributions decided")
    report.rows["contributions"] = RowChanges(updated=report.keys)
    report.rows["token_outbox"] = RowChanges(inserted=statuses[DecisionStatus.REWARDED.value])
    report.details = {
        **dict(sorted(statuses.items())),
        "millitokens": sum(paid.values()),
        **{f"millitokens_{reason}": amount for reason, amount in sorted(paid.items())},
    }
    report.seconds = time.perf_counter() - started
    return report


def _context(contribution: Contribution, ended: datetime, *, before: RewardedBefore, family: str) -> RewardContext:
    paid, amount = before.golden_reuse.get(contribution.subject, (0, 0))
    if contribution.kind is ContributionKind.FIX and (contribution.kind, family) not in before.families:
        before.take_renamed(contribution)
    is_reuse = contribution.kind is ContributionKind.GOLDEN_REUSE
    return RewardContext(
        rewarded_on_attempt_day=before.attempt_days.get((contribution.peer_id, day_of(ended)), 0),
        rewarded_on_decision_day=before.decision_day.get(contribution.peer_id, 0),
        subject_rewarded=(contribution.kind, family) in before.families,
        golden_reuses_paid=paid if is_reuse else 0,
        golden_reuse_amount=amount if is_reuse else 0,
    )


def _count(contribution: Contribution, one: Undecided, decision: ContributionDecision, before: RewardedBefore) -> None:
    peer, subject = contribution.peer_id, contribution.subject
    key = (peer, day_of(one.attempt.completed_at))
    before.attempt_days[key] = before.attempt_days.get(key, 0) + 1
    before.decision_day[peer] = before.decision_day.get(peer, 0) + 1
    before.families.add((contribution.kind, one.family))
    if contribution.kind is ContributionKind.GOLDEN_REUSE and decision.reward is not None:
        paid, amount = before.golden_reuse.get(subject, (0, 0))
        before.golden_reuse[subject] = (paid + 1, amount + decision.reward.amount)


def _fingerprint(contribution: Contribution) -> Fingerprint | None:
    if contribution.code is None or contribution.language is None:
        return None
    return fingerprint(contribution.code, contribution.language)


def _decided_row(
    one: Undecided,
    decision: ContributionDecision,
    sequence: int,
    transaction: TokenTransaction | None,
    paid_as: UUID | None,
    printed: Fingerprint | None,
) -> DecidedRow:
    contribution = one.contribution
    inputs: dict[str, Any] = {
        "attempt": one.attempt.model_dump(mode="json"),
        "subject": one.subject.model_dump(mode="json") if one.subject else None,
        "stf_hash": one.stf_hash,
        "versions": CODE_VERSION,
    }
    return DecidedRow(
        decision,
        sequence,
        inputs,
        None if transaction is None else transaction.transaction_id,
        paid_as,
        None if printed is None else (contribution.language or "", contribution.subject, printed),
    )
