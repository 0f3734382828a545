"""DOMAIN 4.3: novelty is 1 - the highest similarity to what was decided earlier, found exactly."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.compute import novelty_score
from debug_loop_pipeline.compute.code.stf_similarity import Hashes, shingles
from debug_loop_pipeline.compute.novelty_score import (
    NoveltyIndex,
    novelty_cache_key,
    novelty_of,
    pack_shingles,
    score_novelty,
    unpack_shingles,
)
from tests.support.economy import CODE, OTHER, RENAMED


def hashes(values: set[int]) -> Hashes:
    return np.array(sorted(values), dtype=np.uint64)


def test_the_first_stf_is_all_new_and_the_same_again_is_not():
    index = NoveltyIndex()
    assert score_novelty(CODE, "python", index).novelty_score == 1.0
    index.add("first", shingles(CODE, "python"))
    again = score_novelty(CODE, "python", index)
    assert (again.novelty_score, again.similarity, again.nearest) == (0.0, 1.0, "first")
    assert score_novelty(OTHER, "python", index).similarity < 0.3


def test_layout_comments_and_names_of_variables_do_not_make_code_new():
    index = NoveltyIndex([("first", shingles(CODE, "python"))])
    assert score_novelty(RENAMED, "python", index).similarity >= 0.85


def test_code_that_says_nothing_is_not_new():
    assert score_novelty("# only a comment\n", "python", NoveltyIndex()).novelty_score == 0.0


SETS = st.lists(st.sets(st.integers(0, 30), max_size=15), max_size=12)


@given(SETS, SETS, st.sets(st.integers(0, 35), min_size=1, max_size=15), st.booleans())
def test_the_index_answers_as_comparing_with_each_would(
    loaded: list[set[int]], added: list[set[int]], asked: set[int], merged: bool
):
    index = NoveltyIndex((f"loaded {i}", hashes(one)) for i, one in enumerate(loaded))
    for i, one in enumerate(added):
        index.add(f"added {i}", hashes(one))
    if merged:
        index._merge()
    everything = [(f"loaded {i}", one) for i, one in enumerate(loaded)]
    everything += [(f"added {i}", one) for i, one in enumerate(added)]
    best, nearest = 0.0, None
    for name, one in everything:
        alike = len(one & asked) / len(one | asked)
        if alike > best:
            best, nearest = alike, name
    assert index.nearest(hashes(asked)) == (best, nearest)
    assert novelty_of(hashes(asked), index).novelty_score == 1 - best
    assert len(index) == len(everything)


def test_many_added_one_by_one_are_merged_and_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(novelty_score, "_TAIL_SHINGLES", 50)
    index = NoveltyIndex()
    for i in range(200):
        index.add(str(i), hashes(set(range(7 * i, 7 * i + 7))))
    assert [index.nearest(hashes(set(range(7 * i, 7 * i + 7))))[1] for i in range(200)] == [str(i) for i in range(200)]


@given(st.sets(st.integers(0, 2**64 - 1)))
def test_stored_shingles_come_back(values: set[int]):
    stored = pack_shingles(hashes(values))
    assert len(stored) == 8 * len(values)
    assert np.array_equal(unpack_shingles(memoryview(stored)), hashes(values))


def test_the_nearest_of_20_000_is_found_within_a_compute_units_time():
    rng = np.random.default_rng(1)
    frequent = rng.integers(0, 2**63, 2_000, dtype=np.uint64)
    index = NoveltyIndex()
    asked = []
    for number in range(20_000):
        one = np.unique(np.concatenate([rng.choice(frequent, 20), rng.integers(0, 2**63, 60, dtype=np.uint64)]))
        index.add(str(number), one)
        asked += [one] if number % 400 == 0 else []
    took = []
    for one in asked:
        begin = time.perf_counter()
        alike, _ = index.nearest(one)
        took.append(time.perf_counter() - begin)
        assert alike == 1.0
    assert sorted(took)[len(took) // 2] < 0.1


def test_the_key_of_a_novelty_changes_with_what_was_decided():
    assert novelty_cache_key("h", "python", 1) == novelty_cache_key("h", "python", 1)
    assert novelty_cache_key("h", "python", 1) != novelty_cache_key("h", "python", 2)
