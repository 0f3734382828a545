"""The Wilson bound against scipy's, and against the equation that it solves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from debug_loop_pipeline.compute.fixes.wilson import Z_95, wilson_lower_bound

COUNTS = st.integers(1, 100_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@given(COUNTS)
def test_it_agrees_with_scipy(counts: tuple[int, int]) -> None:
    successes, total = counts
    expected = binomtest(successes, total).proportion_ci(0.95, method="wilson").low
    assert wilson_lower_bound(successes, total) == pytest.approx(expected, abs=1e-12)


@given(COUNTS)
def test_it_is_the_share_below_that_the_score_test_rejects(counts: tuple[int, int]) -> None:
    successes, total = counts
    bound = wilson_lower_bound(successes, total)
    assert 0.0 <= bound <= successes / total
    if successes:
        distance = (successes / total - bound) / (bound * (1 - bound) / total) ** 0.5
        assert distance == pytest.approx(Z_95, rel=1e-6)


@pytest.mark.parametrize("counts", [(2, 1), (-1, 3), (0, -1)])
def test_what_is_no_share_is_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson_lower_bound(*counts)
