"""ContributionRewardOrchestrator: one contribution from its telling to a visible balance, in process (DOMAIN section 2).

Validating, novelty, reward and decision are one database transaction (`steps/token_rewards`), so nothing is half paid. What
follows, publishing and folding, is reported where it fails and made up for by whoever drives the ledger next. The same
contribution again is paid once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from debug_loop_pipeline.effects.contribution_store import ContributionStore, lock_decider
from debug_loop_pipeline.effects.kafka import partition_of
from debug_loop_pipeline.models.contribution import Contribution, ContributionDecision
from debug_loop_pipeline.models.token import Balance, TokenTransaction
from debug_loop_pipeline.orchestrators.outcomes import Outcomes, run_step
from debug_loop_pipeline.steps.framework import StepContext
from debug_loop_pipeline.steps.ledger import Ledger, catch_up
from debug_loop_pipeline.steps.token_rewards import ContributionDecider, Decisions

_NEEDED = ("take_in", "decide")
"""Steps without which what follows has nothing to do."""


@dataclass(slots=True)
class RewardResult(Outcomes):
    """What happened to one contribution."""

    contribution_id: UUID
    decision: ContributionDecision | None = None
    """None where it was decided before, waits for something, or the decision failed."""
    transaction: TokenTransaction | None = None
    balance: Balance | None = None
    """Of the peer, as folded; None where the fold was not reached."""


class ContributionRewardOrchestrator:
    """Take in, decide, publish, fold, in that order, for one contribution.

    Args:
        context: database and settings.
        ledger: broker and cache; None where another process publishes and folds.
        clock: aware now.
    """

    def __init__(
        self,
        context: StepContext,
        ledger: Ledger | None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._context = context
        self._ledger = ledger
        self._clock = clock
        self._decider = ContributionDecider(context.database, context.settings.economy, clock)

    def process(self, contribution: Contribution) -> RewardResult:
        """Runs one contribution through. Never raises for a failing step; calling it again does what is left."""
        result = RewardResult(contribution.contribution_id)

        def decide() -> None:
            last: date = max(self._clock(), contribution.occurred_at).date()
            decided: Decisions = self._decider.decide(last, only=[contribution.contribution_id])
            result.decision = next(iter(decided.decisions), None)
            result.transaction = next(iter(decided.transactions), None)

        steps: list[tuple[str, Callable[[], Any]]] = [
            ("take_in", lambda: self._take_in(contribution)),
            ("decide", decide),
        ]
        if self._ledger is not None:
            ledger = self._ledger

            def fold() -> None:
                catch_up(ledger, [partition_of(contribution.peer_id)])
                result.balance = ledger.balance(contribution.peer_id)

            steps += [("publish", lambda: ledger.ledger.publish_all()), ("fold", fold)]
        for name, work in steps:
            run_step(name, work, result.outcomes, needed=_NEEDED)
        return result

    def _take_in(self, contribution: Contribution) -> None:
        with self._context.database.transaction("take_in") as connection:
            lock_decider(connection)
            ContributionStore(self._context.database).add(connection, [contribution])
