"""DOMAIN 4.3: what a contribution earns."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.compute.reward_calculator import (
    calculate_reward,
    golden_reuse_reward,
    golden_reward,
    stf_reward,
)
from debug_loop_pipeline.models.contribution import DecisionStatus, RewardContext
from debug_loop_pipeline.settings import EconomySettings
from tests.support.economy import contribution

NOTHING_BEFORE = RewardContext()
SCORES = st.integers(0, 10_000).map(lambda n: n / 10_000)


@pytest.mark.parametrize(
    ("quality", "tokens"),
    [(1.0, 300), (0.9, 300), (0.8999, 150), (0.7, 150), (0.6999, 50), (0.5, 50), (0.4999, 0), (0.0, 0)],
)
def test_the_base_of_an_stf_is_its_quality_tier(quality: float, tokens: int):
    assert stf_reward(quality, 1.0, 0.0) == tokens * 1_000


@pytest.mark.parametrize(
    ("quality", "novelty", "complexity", "millitokens"),
    [
        (0.95, 1.0, 1.0, 390_000),
        (0.95, 0.0, 0.0, 150_000),
        (0.75, 0.5, 0.8, 139_500),
        (0.55, 0.2, 0.6, 35_400),
        (0.95, 0.333, 0.2, 211_947),
    ],
)
def test_novelty_and_complexity_scale_the_base(quality: float, novelty: float, complexity: float, millitokens: int):
    assert stf_reward(quality, novelty, complexity) == millitokens


@given(SCORES, SCORES, SCORES)
def test_an_stf_reward_is_the_decimal_formula_rounded_half_even_once(quality: float, novelty: float, complexity: float):
    base = next((base for least, base in ((0.9, 300), (0.7, 150), (0.5, 50)) if quality >= least), 0)
    n, c = Decimal(str(novelty)), Decimal(str(complexity))
    exact = base * 1_000 * (Decimal("0.5") + Decimal("0.5") * n) * (1 + Decimal("0.3") * c)
    assert stf_reward(quality, novelty, complexity) == int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))


def test_a_half_millitoken_goes_to_the_even_side():
    # 50,000 x (0.5 + 0.5 x 0.00002) = 25,000.5 and x 0.00006 = 25,001.5
    assert stf_reward(0.5, 0.00002, 0.0) == 25_000
    assert stf_reward(0.5, 0.00006, 0.0) == 25_002


@given(SCORES, SCORES, SCORES, SCORES)
def test_more_novelty_or_complexity_never_earns_less(quality: float, a: float, b: float, other: float):
    low, high = sorted((a, b))
    assert stf_reward(quality, low, other) <= stf_reward(quality, high, other)
    assert stf_reward(quality, other, low) <= stf_reward(quality, other, high)


@pytest.mark.parametrize(
    ("quality", "millitokens"), [(0.95, 210_000), (0.9, 200_000), (0.8, 200_000), (1.0, 220_000), (0.9001, 200_020)]
)
def test_a_golden_state_earns_more_above_point_nine(quality: float, millitokens: int):
    assert golden_reward(quality) == millitokens


def test_golden_reuse_pays_50_40_30_then_20_and_500_in_all():
    paid: list[int] = []
    for _ in range(40):
        paid.append(golden_reuse_reward(sum(amount > 0 for amount in paid), sum(paid)))
    assert paid[:5] == [50_000, 40_000, 30_000, 20_000, 20_000]
    assert sum(paid) == 500_000
    assert paid[22:] == [0] * 18


def test_the_last_golden_reuse_pays_what_is_left():
    assert golden_reuse_reward(2, 485_000) == 15_000
    assert golden_reuse_reward(30, 600_000) == 0


def test_a_fix_earns_100_once_and_a_use_5_each():
    fix = calculate_reward(contribution("fix"), NOTHING_BEFORE)
    assert (fix.status, fix.amount) == (DecisionStatus.REWARDED, 100_000)
    again = calculate_reward(contribution("fix"), RewardContext(subject_rewarded=True))
    assert (again.status, again.amount) == (DecisionStatus.UNREWARDED, 0)
    assert calculate_reward(contribution("reuse"), NOTHING_BEFORE).amount == 5_000


def test_a_golden_state_is_paid_once_whoever_claims_it():
    assert calculate_reward(contribution("golden_state", quality_score=0.95), NOTHING_BEFORE).amount == 210_000
    claimed = calculate_reward(contribution("golden_state", peer_id="eve"), RewardContext(subject_rewarded=True))
    assert claimed.status is DecisionStatus.UNREWARDED


@pytest.mark.parametrize(("similarity", "amount"), [(0.0, 195_000), (0.5, 146_250), (0.8499, 112_135)])
def test_an_stf_earns_by_its_novelty(similarity: float, amount: int):
    assert calculate_reward(contribution(), NOTHING_BEFORE, similarity).amount == amount


@pytest.mark.parametrize("similarity", [0.85, 17 / 20, 0.9, 1.0])
def test_an_stf_that_is_alike_earns_nothing(similarity: float):
    reward = calculate_reward(contribution(), NOTHING_BEFORE, similarity)
    assert (reward.status, reward.amount) == (DecisionStatus.UNREWARDED, 0)
    assert "not new" in reward.explanation


def test_an_stf_without_a_similarity_is_not_decided():
    with pytest.raises(ValueError, match="not known"):
        calculate_reward(contribution(), NOTHING_BEFORE)


@pytest.mark.parametrize(("field", "most"), [("rewarded_on_attempt_day", 20), ("rewarded_on_decision_day", 200)])
@pytest.mark.parametrize("kind", ["stf", "fix", "golden_state", "golden_reuse", "reuse"])
def test_what_is_over_a_daily_limit_is_rate_limited(field: str, most: int, kind: str):
    at_most = calculate_reward(contribution(kind), RewardContext(**{field: most - 1}), 0.0)
    over = calculate_reward(contribution(kind), RewardContext(**{field: most}), 0.0)
    assert at_most.status is DecisionStatus.REWARDED
    assert (over.status, over.amount) == (DecisionStatus.RATE_LIMITED, 0)


def test_what_would_earn_nothing_anyway_is_not_called_rate_limited():
    over = RewardContext(rewarded_on_attempt_day=20)
    assert calculate_reward(contribution(), over, 1.0).status is DecisionStatus.UNREWARDED


def test_another_installation_may_pay_otherwise():
    generous = EconomySettings(stf_rewards=((0.5, 1_000),), fix_reward=1, golden_reuse_rewards=(3,))
    assert stf_reward(0.5, 1.0, 0.0, generous) == 1_000_000
    assert calculate_reward(contribution("fix"), NOTHING_BEFORE, economy=generous).amount == 1_000
    assert golden_reuse_reward(5, 0, generous) == 3_000
    with pytest.raises(ValueError, match="falling qualities"):
        EconomySettings(stf_rewards=((0.5, 50), (0.9, 300)))
