"""DOMAIN 4.3: the attacks that each rule is there to stop, on decisions made one after another by the pure rules."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from debug_loop_pipeline.compute.code.stf_similarity import Hashes, shingles
from debug_loop_pipeline.compute.economy.contribution_decision import decide_contribution, reward_transaction
from debug_loop_pipeline.compute.economy.transaction_id import content_digest, encode_transaction
from debug_loop_pipeline.compute.novelty_score import NoveltyIndex
from debug_loop_pipeline.models.base import EvidenceTier, Outcome
from debug_loop_pipeline.models.contribution import (
    AttemptFacts,
    CodeSpan,
    Contribution,
    ContributionDecision,
    ContributionKind,
    DecisionStatus,
    RejectReason,
    RewardContext,
    SubjectFacts,
)
from debug_loop_pipeline.models.token import TokenTransaction
from debug_loop_pipeline.reducers.token_balance import TokenBalanceReducer
from tests.support.economy import CODE, OTHER, RENAMED, START, attempt, contribution


class Decider:
    """What a store remembers between decisions, in a dozen lines: ids decided, rewards per day, spans, STFs."""

    def __init__(self) -> None:
        self.index = NoveltyIndex()
        self.decided: dict[UUID, ContributionDecision] = {}
        self.paid: list[tuple[Contribution, ContributionDecision]] = []
        self.spans: dict[UUID, list[tuple[CodeSpan, Hashes]]] = {}
        self.ledger: list[TokenTransaction] = []

    def decide(
        self,
        one: Contribution,
        facts: AttemptFacts | None = None,
        subject: SubjectFacts | None = None,
        now: datetime = START,
    ) -> ContributionDecision:
        if one.contribution_id in self.decided:
            return self.decided[one.contribution_id]
        worker = one.used_by_peer_id if one.kind.is_reuse else one.peer_id
        facts = facts or attempt(worker or "", attempt_id=one.attempt_id)
        subject = subject or SubjectFacts(owner_peer_id=one.peer_id, ready=True, use_outcome=Outcome.SUCCEEDED)
        spans = self.spans.setdefault(one.attempt_id, [])
        decision = decide_contribution(one, facts, subject, spans, self.index, self.context, now)
        if decision.status is DecisionStatus.PENDING:
            return decision
        self.decided[one.contribution_id] = decision
        if decision.enters_index and one.code and one.language and one.span:
            self.index.add(one.subject, shingles(one.code, one.language))
            spans.append((one.span, shingles(one.code, one.language)))
        made = reward_transaction(one, decision)
        if made is not None:
            self.paid.append((one, decision))
            self.ledger.append(made)
        return decision

    def context(self, one: Contribution, completed_at: datetime) -> RewardContext:
        own = [decision for other, decision in self.paid if other.peer_id == one.peer_id]
        before = [other for other, _ in self.paid if other.subject == one.subject and other.kind is one.kind]
        same = [d for other, d in self.paid if other in before]
        return RewardContext(
            rewarded_on_attempt_day=sum(d.attempt_day == completed_at.date() for d in own),
            rewarded_on_decision_day=sum(d.decided_at.date() == START.date() for d in own),
            subject_rewarded=any(not one.kind.is_reuse or other.attempt_id == one.attempt_id for other in before),
            golden_reuses_paid=len(same),
            golden_reuse_amount=sum(d.reward.amount for d in same if d.reward),
        )

    def earned(self, peer: str) -> int:
        balances = TokenBalanceReducer().fold(self.ledger)
        return balances[peer].lifetime_earned if peer in balances else 0


def code_of(number: int) -> str:
    """Functions that have little in common."""
    calls = "".join(f"    step_{number}_{i}(value, {number * 100 + i})\n" for i in range(12))
    return f"def do_{number}(value):\n{calls}    return value\n"


def written(number: int, peer: str = "ann", code: str | None = None, **changes) -> Contribution:
    """An STF of its own attempt."""
    values = {
        "peer_id": peer,
        "attempt_id": UUID(int=1_000 + number),
        "code": code or code_of(number),
        "subject": f"hash {number}",
        "quality_score": 0.95,
    }
    return contribution(**(values | changes))


@pytest.mark.parametrize("thief", ["ann", "eve"])
def test_the_same_code_with_other_layout_and_names_earns_nothing(thief: str):
    store = Decider()
    assert store.decide(written(1, code=CODE)).status is DecisionStatus.REWARDED
    again = store.decide(written(2, thief, RENAMED))
    assert again.status is DecisionStatus.UNREWARDED
    assert again.novelty is not None
    assert again.novelty.nearest == "hash 1"
    assert store.decide(written(3, thief, OTHER)).status is DecisionStatus.REWARDED


def test_the_same_contribution_told_again_is_paid_once():
    store = Decider()
    before = store.decide(written(1))
    for _ in range(3):
        assert store.decide(written(1)) == before
    assert store.decide(written(1, external_id="told from outside")) == before
    assert len(store.ledger) == 1


def test_the_order_of_a_batch_decides_and_not_the_order_of_telling():
    first, second = written(1, code=CODE), written(2, "eve", RENAMED, occurred_at=START + timedelta(hours=1))
    for told in ([first, second], [second, first]):
        store = Decider()
        for one in sorted(told, key=lambda c: c.order):
            store.decide(one)
        assert (store.earned("eve"), store.earned("ann") > 0) == (0, True)


def test_using_ones_own_work_earns_nothing_also_not_with_a_borrowed_name():
    store = Decider()
    owns = SubjectFacts(owner_peer_id="ann", ready=True)
    for number, user in enumerate(["ann", "ben"]):
        one = contribution("reuse", used_by_peer_id=user, attempt_id=UUID(int=number))
        found = store.decide(one, attempt("ann", attempt_id=UUID(int=number)), owns)
        assert found.status is DecisionStatus.REJECTED
        assert RejectReason.SELF_REUSE in found.validation.reasons
    assert store.earned("ann") == 0


def test_flooding_one_day_pays_twenty_and_the_rest_is_limited_for_good():
    store = Decider()
    found = [store.decide(written(number)).status for number in range(30)]
    assert found.count(DecisionStatus.REWARDED) == 20
    assert found.count(DecisionStatus.RATE_LIMITED) == 10
    assert store.decide(written(29)).status is DecisionStatus.RATE_LIMITED
    assert store.decide(written(99, "ben")).status is DecisionStatus.REWARDED


def test_forged_days_of_a_contribution_do_not_help_the_attempts_day_counts():
    store = Decider()
    for number in range(30):
        claimed = START - timedelta(days=number)
        store.decide(written(number, occurred_at=claimed), attempt(attempt_id=UUID(int=1_000 + number)))
    assert len(store.ledger) == 20


def test_forged_days_of_the_attempts_themselves_are_bounded_by_the_day_of_decision():
    store = Decider()
    for number in range(230):
        day = START - timedelta(days=number)
        store.decide(written(number), attempt(attempt_id=UUID(int=1_000 + number), completed_at=day))
    assert len(store.ledger) == 200


def test_a_new_normaliser_and_extractor_pay_nothing_again():
    store = Decider()
    paid = store.decide(written(1, code=CODE))
    other_hash = written(1, code=CODE, subject="hash of a new normaliser")
    assert store.decide(other_hash) == paid
    half = CODE[: CODE.index("            rows.append")] + "            pass\n"
    cut_anew = written(1, code=half, span=CodeSpan(path="a.py", function="outer.read_rows"))
    assert store.decide(cut_anew).validation.reasons == (RejectReason.SAME_SPAN,)
    assert len(store.ledger) == 1


def test_a_fix_is_paid_once_per_signature_and_change():
    store = Decider()
    first = contribution("fix", subject="signature:resolution")
    assert store.decide(first).status is DecisionStatus.REWARDED
    later = contribution("fix", subject="signature:resolution", peer_id="eve", attempt_id=UUID(int=9))
    refolded = SubjectFacts(owner_peer_id="eve", ready=True)
    assert store.decide(later, attempt("eve", attempt_id=UUID(int=9)), refolded).status is DecisionStatus.UNREWARDED
    assert store.earned("eve") == 0


def test_a_claim_to_anothers_work_is_rejected_and_does_not_stand_in_its_way():
    store = Decider()
    anns = SubjectFacts(owner_peer_id="ann", ready=True)
    claimed = contribution("fix", subject="s:r", peer_id="eve")
    assert store.decide(claimed, attempt("eve"), anns).status is DecisionStatus.REJECTED
    assert store.decide(contribution("fix", subject="s:r"), attempt(), anns).status is DecisionStatus.REWARDED
    stolen = written(1, "eve", CODE)
    assert store.decide(stolen, attempt("ann", attempt_id=stolen.attempt_id)).status is DecisionStatus.REJECTED
    assert store.decide(written(1, "ann", CODE)).reward is not None
    assert store.earned("ann") > 300_000


def test_reusing_one_golden_state_for_ever_earns_500_in_all():
    store = Decider()
    for number in range(60):
        completed = START - timedelta(days=number)
        one = contribution("golden_reuse", attempt_id=UUID(int=number), subject="golden", used_by_peer_id=f"u{number}")
        store.decide(one, attempt(f"u{number}", attempt_id=UUID(int=number), completed_at=completed))
    assert store.earned("ann") == 500_000


def test_work_that_is_not_measured_is_decided_when_it_is_and_then_once():
    store = Decider()
    one = written(1)
    waiting = attempt(attempt_id=one.attempt_id, evidence=EvidenceTier.OBSERVED, outcome=Outcome.UNKNOWN)
    assert store.decide(one, waiting).status is DecisionStatus.PENDING
    decided = store.decide(one)
    assert decided.status is DecisionStatus.REWARDED
    assert store.decide(one, waiting) == decided


def test_a_reward_decided_again_has_the_same_id_but_another_content_is_seen():
    store = Decider()
    one = written(1)
    decision = store.decide(one)
    paid = reward_transaction(one, decision)
    assert paid is not None
    assert paid == reward_transaction(one, decision)
    changed = decision.model_copy(update={"reward": decision.reward.model_copy(update={"amount": 1})})  # type: ignore[union-attr]
    other = reward_transaction(one, changed)
    assert other is not None
    assert other.transaction_id == paid.transaction_id
    assert content_digest(encode_transaction(other)) != content_digest(encode_transaction(paid))


@pytest.mark.parametrize("kind", list(ContributionKind))
def test_the_transaction_of_a_reward_says_what_it_is_for(kind: ContributionKind):
    store = Decider()
    decision = store.decide(contribution(kind.value))
    (made,) = store.ledger
    assert (made.reason, made.peer_id, made.amount) == (kind.reason, "ann", decision.reward.amount)  # type: ignore[union-attr]
    assert made.counterparty_peer_id == ("ben" if kind.is_reuse else None)
    assert made.cause_id == str(decision.contribution_id)
