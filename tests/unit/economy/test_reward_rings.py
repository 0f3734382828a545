"""DOMAIN 4.3: peers that reuse mostly each other are reported, others are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from debug_loop_pipeline.compute.economy.reward_rings import reward_rings

Use = tuple[str, str, int]


def market(peers: int = 30, uses: int = 300, seed: int = 1) -> list[Use]:
    """Honest reuse: anybody's work by anybody."""
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, peers, (uses, 2))
    return [(f"h{a}", f"h{b}", 1) for a, b in pairs if a != b]


def clique(names: str, times: int) -> list[Use]:
    return [(a, b, times) for a in names for b in names if a != b]


def found(*uses: list[Use], **more) -> list[tuple[str, ...]]:
    rows = pd.DataFrame([row for part in uses for row in part], columns=["peer_id", "used_by_peer_id", "uses"])
    return [ring.peers for ring in reward_rings(rows, **more)]


@pytest.mark.parametrize("seed", range(5))
def test_an_honest_market_has_no_ring(seed: int):
    assert found(market(seed=seed)) == []


def test_two_that_use_each_other_are_a_ring():
    assert found(market(), clique("xy", 6)) == [("x", "y")]


def test_a_ring_that_passes_its_work_round_is_found():
    names = "abcdefgh"
    circle = [(names[i], names[i - 1], 3) for i in range(len(names))]
    assert found(market(), circle) == [tuple(names)]


def test_a_ring_that_also_deals_with_others_is_found():
    cover = [("x", "h1", 1), ("h2", "y", 1), ("h3", "x", 1)]
    assert found(market(), clique("xyz", 5), cover) == [("x", "y", "z")]


def test_two_rings_are_told_apart_the_busier_first():
    assert found(market(), clique("xy", 6), clique("uvw", 5)) == [("u", "v", "w"), ("x", "y")]


def test_who_sells_to_many_and_takes_from_many_is_no_ring():
    popular = [(f"h{i}", "star", 2) for i in range(20)] + [("star", f"h{i}", 2) for i in range(20)]
    assert found(market(), popular) == []


def test_giving_without_taking_is_no_ring():
    assert found(market(), [("teacher", "pupil", 50)]) == []


def test_a_few_uses_are_no_ring():
    assert found(market(), clique("xy", 4)) == []
    assert found(market(), clique("xy", 5)) == [("x", "y")]


def test_a_team_alone_in_its_store_is_no_ring_but_it_is_one_among_many():
    assert found(clique("abc", 10)) == []
    assert found(clique("abc", 10), active_peers=7) == [("a", "b", "c")]
    assert found(clique("abc", 10), active_peers=6) == []


def test_own_work_reused_and_nothing_at_all_are_no_ring():
    assert found([("x", "x", 100), ("y", "y", 100)], active_peers=50) == []
    assert found([]) == []


def test_the_numbers_of_a_ring_are_told():
    rows = pd.DataFrame([*market(), *clique("xy", 10), ("x", "h1", 5)], columns=["peer_id", "used_by_peer_id", "uses"])
    (ring,) = reward_rings(rows)
    assert (ring.uses_inside, ring.uses_received, ring.uses_made) == (20, 25, 20)
    assert ring.share == 0.8


def test_order_and_splitting_of_rows_change_nothing():
    whole = pd.DataFrame([*market(), *clique("xyz", 4)], columns=["peer_id", "used_by_peer_id", "uses"])
    split = whole.loc[whole.index.repeat(whole["uses"])].assign(uses=1).sample(frac=1, random_state=1)
    assert reward_rings(split) == reward_rings(whole)
    with pytest.raises(ValueError, match="lacks uses"):
        reward_rings(whole.drop(columns="uses"))
