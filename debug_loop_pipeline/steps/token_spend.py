"""Step `token_spend`: priced attempts that no hold paid for are charged to their peers, once each (DOMAIN 4.4).

Here: which attempts those are, and the day's decay where a rate is set. Not here: holds and what a charge does
(`effects/token_charges`, `effects/token_accounts`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from debug_loop_pipeline.compute.token_spender import SPENDER_VERSION, millitokens
from debug_loop_pipeline.effects.fetch import fetch_rows
from debug_loop_pipeline.effects.step_store import RowChanges
from debug_loop_pipeline.effects.token_charges import Charge, ChargeRequest, TokenChargesEffect
from debug_loop_pipeline.effects.token_ledger import TokenLedgerEffect
from debug_loop_pipeline.steps.framework import CHUNK, Span, StepContext, StepReport, chunks
from debug_loop_pipeline.steps.token_rewards import Clock, utc_now

STEP = "token_spend"
CODE_VERSION = f"spend={SPENDER_VERSION}"


def run(context: StepContext, span: Span, *, clock: Clock = utc_now) -> StepReport:
    """Charges the attempts of these days in the order in which they ended, as far as each account goes."""
    started = time.perf_counter()
    report = StepReport(STEP, CODE_VERSION)
    charges = TokenChargesEffect(TokenLedgerEffect(context.database))
    done: list[Charge] = []
    requests = [_request(row) for row in _uncharged(context, span)]
    for chunk in chunks(requests, CHUNK):
        done += charges.charge_attempts(chunk, clock())
        report.attempts += len(chunk)
        context.log(f"{STEP}: {report.attempts} of {len(requests)} attempts")
    economy, now = context.settings.economy, clock()
    decayed = 0
    if span.first <= now.date() <= span.last:
        decayed = charges.decay(now, economy.decay_daily_rate, economy.decay_idle_days)
    charged = [charge for charge in done if not charge.covered]
    report.rows["token_charges"] = RowChanges(inserted=len(charged))
    report.details = {
        "millitokens_spent": sum(charge.spent for charge in charged),
        "millitokens_uncovered": sum(charge.uncovered for charge in charged),
        "covered_by_holds": len(done) - len(charged),
        "accounts_decayed": decayed,
    }
    report.seconds = time.perf_counter() - started
    return report


def _uncharged(context: StepContext, span: Span) -> list[dict[str, Any]]:
    return fetch_rows(context.database, UNCHARGED + _IN_ORDER, {"first": span.first, "last": span.last})


def _request(row: dict[str, Any]) -> ChargeRequest:
    return ChargeRequest(
        attempt_id=row["attempt_id"],
        peer_id=row["peer_id"],
        amount=millitokens(row["cost_usd"]),
        model=row["model"] or "",
        hold_ids=tuple(_uuids(row["hold_ids"] or ())),
    )


def _uuids(texts: Iterable[str]) -> Iterable[UUID]:
    for text in texts:
        try:
            yield UUID(text)
        except ValueError:  # what an agent calls a hold and is none of ours
            continue


UNCHARGED = """
select c.attempt_id, a.peer_id, c.cost_usd, c.model, i.event -> 'hold_ids' as hold_ids
from execution_costs c
join debug_execution_attempts a using (attempt_id)
join execution_inbox i on i.attempt_id = a.attempt_id and i.holds
where c.day between :first and :last and c.cost_usd > 0
  and not exists (select from token_charges t where t.attempt_id = c.attempt_id)
  and not exists (select from token_holds h where h.attempt_id = c.attempt_id)
"""
"""Priced attempts of a range of days that neither a charge nor a settled hold has paid for."""

_IN_ORDER = "order by a.completed_at, a.attempt_id"
