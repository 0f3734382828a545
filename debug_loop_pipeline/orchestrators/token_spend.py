"""TokenSpendOrchestrator: a request to a model is authorised, then settled or given back, in process (DOMAIN 4.4).

Each of the three is one database transaction on the peer's account; publishing follows and is reported where it fails. Asked
again after any failure, each finds what it had done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from debug_loop_pipeline.compute.cost_tracker import PriceBook, price_tokens, prices_for
from debug_loop_pipeline.compute.token_spender import decide_spend, millitokens
from debug_loop_pipeline.effects.model_price_catalog import ModelPriceCatalogEffect
from debug_loop_pipeline.effects.token_accounts import TokenAccountsEffect
from debug_loop_pipeline.effects.token_ledger import TokenLedgerEffect
from debug_loop_pipeline.errors import DebugLoopError
from debug_loop_pipeline.models.cost import ModelPrice, TokenBuckets, UnpricedReason
from debug_loop_pipeline.models.token import Hold, SpendDecision
from debug_loop_pipeline.orchestrators.outcomes import Outcomes, run_step
from debug_loop_pipeline.steps.framework import StepContext

_NEEDED = ("price", "authorise", "settle", "release")


class UnpricedUseError(DebugLoopError):
    """What was used has no price; the hold stays as it is, to be settled with an amount by hand, or to expire."""


@dataclass(slots=True)
class SpendResult(Outcomes):
    """What happened to one request."""

    decision: SpendDecision | None = None
    """Of an authorisation."""
    hold: Hold | None = None
    """As it is now; None where there is none, or it was not reached."""


class TokenSpendOrchestrator:
    """Authorise, settle, release.

    Args:
        context: database, settings and prices.
        ledger: decides; publishes too where it was made with a broker.
        publish: publish in this process; else another one does.
        clock: aware now.
    """

    def __init__(
        self,
        context: StepContext,
        ledger: TokenLedgerEffect,
        *,
        publish: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._context = context
        self._ledger = ledger
        self._accounts = TokenAccountsEffect(ledger)
        self._publish = publish
        self._clock = clock
        self._rows: tuple[PriceBook, tuple[ModelPrice, ...]] | None = None

    def authorise(
        self, peer_id: str, request_id: str, model: str, tokens: TokenBuckets, *, provider: str | None = None
    ) -> SpendResult:
        """Place a hold for what a request may cost at most, or answer what it lacks and which model the peer could pay."""
        result = SpendResult()
        now = self._clock()
        catalog: list[tuple[PriceBook, tuple[ModelPrice, ...]]] = []

        def authorise() -> None:
            book, rows = catalog[0]
            answer = self._accounts.authorise(
                peer_id,
                request_id,
                lambda available: decide_spend(provider, model, tokens, now, available, rows, book),
                model=model,
                provider=provider,
                now=now,
                ttl_s=self._context.settings.economy.hold_seconds,
            )
            result.decision, result.hold = answer.decision, answer.hold

        run_step("price", lambda: catalog.append(self._catalog()), result.outcomes, needed=_NEEDED)
        run_step("authorise", authorise, result.outcomes, needed=_NEEDED)
        self._publish_after(result)
        return result

    def settle(self, hold_id: UUID, used: TokenBuckets) -> SpendResult:
        """Release the hold and spend what was used, at the prices of the time it was authorised."""
        result = SpendResult()
        amounts: list[int] = []

        def price() -> None:
            hold = self._accounts.hold(hold_id)
            amounts.append(self._price(hold, used))

        def settle() -> None:
            result.hold = self._accounts.settle(hold_id, amounts[0], self._clock()).hold

        run_step("price", price, result.outcomes, needed=_NEEDED)
        run_step("settle", settle, result.outcomes, needed=_NEEDED)
        self._publish_after(result)
        return result

    def release(self, hold_id: UUID) -> SpendResult:
        """Give the hold back unused."""
        result = SpendResult()

        def release() -> None:
            result.hold = self._accounts.release(hold_id, self._clock()).hold

        run_step("release", release, result.outcomes, needed=_NEEDED)
        self._publish_after(result)
        return result

    def _publish_after(self, result: SpendResult) -> None:
        if self._publish:
            run_step("publish", self._ledger.publish_all, result.outcomes, needed=_NEEDED)

    def _price(self, hold: Hold, used: TokenBuckets) -> int:
        book, _ = self._catalog()
        row = book.price_at(hold.provider, hold.model, hold.created_at)
        if isinstance(row, UnpricedReason):
            raise UnpricedUseError(f"{hold.model}: {row}")
        cost, missing = price_tokens(used, prices_for(row, hold.created_at, used.input_side))
        if cost is None:
            raise UnpricedUseError(f"{row.provider}/{row.model} has no price for {', '.join(missing)}")
        return millitokens(cost)

    def _catalog(self) -> tuple[PriceBook, tuple[ModelPrice, ...]]:
        """The prices, and the same as rows for advice; read again when the catalog changed."""
        book = self._context.prices.current()
        if self._rows is None or self._rows[0] is not book:
            rows = ModelPriceCatalogEffect(self._context.database).list_models(include_deprecated=True)
            self._rows = (book, tuple(rows))
        return self._rows
