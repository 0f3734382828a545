"""Matching: the same ids as a full scan, the formula, the filters and the total order of DOMAIN 3.6."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import debug_loop_pipeline.compute.matching.tfidf_index as tfidf
from debug_loop_pipeline.compute.matching.text_embedding import TextEmbedder
from debug_loop_pipeline.compute.matching.words import term_of
from debug_loop_pipeline.compute.stf_matcher import MatchIndex, match_stfs
from debug_loop_pipeline.models.matching import Match, MatchCandidate, MatchOptions, MatchQuery
from debug_loop_pipeline.settings import MatchingSettings, Settings
from debug_loop_pipeline.steps.stf_matches import match_options

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
LOOSE = MatchOptions(min_quality=0.0, min_similarity=0.01, limit=20)


def stf(number: int, signature: str = "parse the config file", **fields: Any) -> MatchCandidate:
    return MatchCandidate.model_validate(
        {"stf_id": f"{number:064x}", "problem_signature": signature, "quality": 0.8} | fields
    )


def match(index: MatchIndex, text: str, options: MatchOptions | None = None, **query: Any) -> tuple[Match, ...]:
    return match_stfs(MatchQuery(problem_signature=text, **query), index, options)


def numbers(matches: tuple[Match, ...]) -> list[int]:
    return [int(found.stf_id, 16) for found in matches]


# --- a full scan written on its own ---------------------------------------------------------------------------------


def _terms(text: str) -> list[bytes]:
    found, word = [], ""
    for sign in f"{text.lower()} ":
        if sign.isalnum():
            word += sign
        else:
            if len(word) > 1:
                found.append(term_of(word))
            word = ""
    return found


def _weights(text: str, idf: dict[bytes, float], unseen: float) -> dict[bytes, float]:
    raw = {term: (1 + math.log(count)) * idf.get(term, unseen) for term, count in Counter(_terms(text)).items()}
    length = math.sqrt(sum(value * value for value in raw.values()))
    return {term: value / length for term, value in raw.items()}


_DIMENSIONS = 6
_TOKENS = np.random.default_rng(5).standard_normal((97, _DIMENSIONS)).astype(np.float16).astype(np.float64)
EMBEDDER = TextEmbedder("toy", _TOKENS, lambda texts: [[_token(word) for word in text.split()] for text in texts])
"""As many directions as a few words have: texts that share none may still be alike."""


def _token(word: str) -> int:
    return sum(word.encode()) % len(_TOKENS)


def _meaning(text: str) -> list[int]:
    """The text's vector, by the definition."""
    rows = [_TOKENS[_token(word)] for word in text.lower().split()]
    sums = [math.fsum(float(row[place]) for row in rows) for place in range(_DIMENSIONS)]
    largest = max(map(abs, sums))
    return [round(127 / largest * value) if largest else 0 for value in sums]


def _cosine(one: list[int], other: list[int]) -> float:
    squares = sum(a * a for a in one) * sum(b * b for b in other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / math.sqrt(squares) if squares else 0.0


def full_scan(
    query: MatchQuery, epoch: list[MatchCandidate], tail: list[MatchCandidate], options: MatchOptions
) -> list[tuple[str, float, float]]:
    """(id, similarity, composite), best first; `epoch` gives the IDF, a tail entry replaces one of the same id."""
    frequency = Counter(term for one in epoch for term in set(_terms(_document(one))))
    idf = {term: 1 + math.log((1 + len(epoch)) / (1 + count)) for term, count in frequency.items()}
    unseen = 1 + math.log(1 + len(epoch))
    asked = _weights(query.problem_signature, idf, unseen)
    current = {one.stf_id: one for one in [*epoch, *tail]}
    found = []
    for one in current.values():
        vector = _weights(_document(one), idf, unseen)
        similarity = sum(weight * vector.get(term, 0.0) for term, weight in asked.items())
        if options.algorithm == "hybrid":
            similarity = (similarity + _cosine(_meaning(query.problem_signature), _meaning(_document(one)))) / 2
        similarity = min(1.0, round(similarity, 5))
        if similarity < options.min_similarity or one.quality < options.min_quality:
            continue
        if options.category is not None and one.category != options.category:
            continue
        if query.started_at is not None and (one.completed_at is None or one.completed_at >= query.started_at):
            continue
        if query.attempt_id is not None and one.attempt_id == query.attempt_id:
            continue
        composite = min(1.0, (0.6 * similarity + 0.4 * one.quality) * (1.1 if one.usage_count > 10 else 1.0))
        found.append((-composite, -one.success_rate, -one.quality, -one.usage_count, one.stf_id, similarity))
    return [(row[4], row[5], -row[0]) for row in sorted(found)[: options.limit]]


def _document(one: MatchCandidate) -> str:
    return f"{one.problem_signature} {one.name} {one.description}"


def assert_same_as_full_scan(
    query: MatchQuery, epoch: list[MatchCandidate], tail: list[MatchCandidate], options: MatchOptions
) -> None:
    index = MatchIndex.build(epoch, EMBEDDER if options.algorithm == "hybrid" else None).followed_by(tail)
    got = match_stfs(query, index, options)
    expected = full_scan(query, epoch, tail, options)
    assert [found.rank for found in got] == list(range(1, len(got) + 1))
    got_scores = {found.stf_id: (found.similarity, found.composite) for found in got}
    expected_scores = {identity: (similarity, composite) for identity, similarity, composite in expected}
    # The oracle rounds similarity more coarsely: documents within its grain may stand on either side of a cut or a tie.
    for identity in got_scores.keys() ^ expected_scores.keys():
        similarity, composite = (got_scores | expected_scores)[identity]
        last = min([score for _, score in got_scores.values()] or [0.0])
        assert abs(similarity - options.min_similarity) < 2e-5 or abs(composite - last) < 2e-5, identity
    for identity in got_scores.keys() & expected_scores.keys():
        assert got_scores[identity] == pytest.approx(expected_scores[identity], abs=2e-5)


WORDS = ["parse", "config", "file", "fix", "test", "retry", "timeout", "cache", "index", "login", "token", "the", "in"]


@st.composite
def populations(draw: st.DrawFn) -> tuple[list[MatchCandidate], list[MatchCandidate]]:
    def candidate(number: int) -> MatchCandidate:
        return stf(
            number,
            " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8))),
            quality=draw(st.sampled_from([0.0, 0.5, 0.7, 0.85, 1.0])),
            usage_count=draw(st.sampled_from([0, 10, 11])),
            success_rate=draw(st.sampled_from([0.0, 0.5, 1.0])),
            category=draw(st.sampled_from(["testing", "other"])),
            completed_at=NOON + timedelta(hours=draw(st.integers(-2, 2))),
            attempt_id=UUID(int=draw(st.integers(0, 3))),
        )

    epoch = [candidate(number) for number in range(draw(st.integers(1, 25)))]
    tail = [candidate(draw(st.integers(0, 40))) for _ in range(draw(st.integers(0, 6)))]
    return epoch, list({one.stf_id: one for one in tail}.values())


@settings(max_examples=150, deadline=None)
@given(
    population=populations(),
    words=st.lists(st.sampled_from([*WORDS, "unheard"]), min_size=0, max_size=8),
    options=st.builds(
        MatchOptions,
        algorithm=st.sampled_from(["tfidf", "hybrid"]),
        min_quality=st.sampled_from([0.0, 0.7]),
        min_similarity=st.sampled_from([0.05, 0.5, 0.9]),
        limit=st.sampled_from([1, 3, 20]),
        category=st.sampled_from([None, "testing"]),
    ),
    started=st.sampled_from([None, NOON]),
    attempt=st.sampled_from([None, 1]),
)
def test_a_small_index_gives_the_ids_of_a_full_scan(
    population: tuple[list[MatchCandidate], list[MatchCandidate]],
    words: list[str],
    options: MatchOptions,
    started: datetime | None,
    attempt: int | None,
) -> None:
    query = MatchQuery(
        problem_signature=" ".join(words),
        started_at=started,
        attempt_id=None if attempt is None else UUID(int=attempt),
    )
    assert_same_as_full_scan(query, *population, options)


def _zipf_population(seed: int, size: int) -> list[MatchCandidate]:
    chance = random.Random(seed)
    vocabulary = [f"w{number}" for number in range(800)]
    weights = [1 / (rank + 1) for rank in range(len(vocabulary))]
    return [
        stf(
            number,
            " ".join(chance.choices(vocabulary, weights, k=chance.randint(3, 30))),
            quality=round(chance.random(), 2),
            usage_count=chance.choice([0, 0, 5, 20]),
            success_rate=round(chance.random(), 1),
        )
        for number in range(size)
    ]


@pytest.mark.parametrize("algorithm", ["tfidf", "hybrid"])
@pytest.mark.parametrize("limit", [1, 5, 20])
@pytest.mark.parametrize("min_similarity", [0.2, 0.5])
def test_pruning_changes_no_id(
    monkeypatch: pytest.MonkeyPatch, min_similarity: float, limit: int, algorithm: str
) -> None:
    population = _zipf_population(1, 1_500)
    index = MatchIndex.build(population, EMBEDDER)
    options = MatchOptions(algorithm=algorithm, min_quality=0.3, min_similarity=min_similarity, limit=limit)
    queries = [one.problem_signature for one in population[::15]]
    queries += [" ".join(text.split()[: 1 + len(text.split()) // 2]) for text in queries]
    whole = [match(index, text, options) for text in queries]
    skipped = 0
    search = tfidf.TfidfEpoch.search

    def counting(epoch: tfidf.TfidfEpoch, *args: Any) -> tfidf.Shortlist:
        nonlocal skipped
        found = search(epoch, *args)
        skipped += int(found._skipped.any())
        return found

    monkeypatch.setattr(tfidf.TfidfEpoch, "search", counting)
    for budget, rescore in ((0, 10**9), (0, 0), (50, 3)):
        monkeypatch.setattr(tfidf, "_POSTINGS_BUDGET", budget)
        monkeypatch.setattr(tfidf, "_RESCORE_LIMIT", rescore)
        assert [match(index, text, options) for text in queries] == whole
    assert skipped > len(queries), "the settings above are meant to prune"
    assert sum(len(found) for found in whole) > len(queries) / 2
    for text, found in zip(queries[::40], whole[::40], strict=True):
        expected = full_scan(MatchQuery(problem_signature=text), population, [], options)
        assert [one.stf_id for one in found] == [identity for identity, _, _ in expected]


# --- the formula ----------------------------------------------------------------------------------------------------


def test_the_composite_is_the_formula_of_the_domain() -> None:
    index = MatchIndex.build([stf(1, quality=0.7), stf(2, "other words entirely", quality=1.0)])
    (found,) = match(index, "parse the config file")
    assert (found.similarity, found.composite) == (1.0, pytest.approx(0.6 + 0.4 * 0.7))


@pytest.mark.parametrize(("usage", "factor"), [(0, 1.0), (10, 1.0), (11, 1.1)])
def test_more_than_ten_uses_lift_the_composite(usage: int, factor: float) -> None:
    index = MatchIndex.build([stf(1, quality=0.7, usage_count=usage)])
    assert match(index, "parse the config file")[0].composite == pytest.approx(0.88 * factor)


def test_the_composite_never_passes_one() -> None:
    index = MatchIndex.build([stf(1, quality=1.0, usage_count=100)])
    assert match(index, "parse the config file")[0].composite == 1.0


def test_ties_fall_to_success_rate_then_quality_then_usage_then_id() -> None:
    index = MatchIndex.build(
        [
            stf(1, quality=1.0, usage_count=20, success_rate=0.5),
            stf(2, quality=1.0, usage_count=11, success_rate=0.9),
            stf(3, quality=1.0, usage_count=20, success_rate=0.9),
            stf(4, quality=0.95, usage_count=99, success_rate=0.9),
            stf(6, quality=1.0, usage_count=20, success_rate=0.9),
        ]
    )
    # All have composite 1: the cap makes the tie.
    assert numbers(match(index, "parse the config file")) == [3, 6, 2, 4, 1]


def test_ties_between_epoch_and_tail_are_broken_the_same_way() -> None:
    index = MatchIndex.build([stf(2), stf(4)]).followed_by([stf(1), stf(3)])
    assert numbers(match(index, "parse the config file")) == [1, 2, 3, 4]


def test_thresholds_include_their_own_value() -> None:
    index = MatchIndex.build([stf(1, quality=0.7), stf(2, quality=0.69)])
    assert numbers(match(index, "parse the config file", MatchOptions(min_similarity=1.0))) == [1]


def test_no_shared_word_is_no_match_however_low_the_threshold() -> None:
    index = MatchIndex.build([stf(1)])
    assert match(index, "deploy kubernetes", LOOSE) == ()
    assert match(index, "", LOOSE) == ()
    assert match(MatchIndex.build([]), "parse the config file", LOOSE) == ()


def test_at_most_twenty_can_be_asked_for() -> None:
    with pytest.raises(ValueError, match="20"):
        MatchOptions(limit=21)


def test_the_category_filter_keeps_only_that_category() -> None:
    index = MatchIndex.build([stf(1, category="testing"), stf(2, category="other")]).followed_by(
        [stf(3, category="testing"), stf(4, category="a category longer than all before")]
    )
    assert numbers(match(index, "parse the config file", MatchOptions(category="testing"))) == [1, 3]


# --- no look-ahead --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_tail", [False, True])
def test_only_stfs_of_other_attempts_complete_before_the_start_are_matched(in_tail: bool) -> None:
    population = [
        stf(1, attempt_id=UUID(int=1), completed_at=NOON - timedelta(microseconds=1)),
        stf(2, attempt_id=UUID(int=2), completed_at=NOON),
        stf(3, attempt_id=UUID(int=3), completed_at=NOON + timedelta(days=1)),
        stf(4, attempt_id=UUID(int=9), completed_at=NOON - timedelta(days=1)),
        stf(5, attempt_id=None, completed_at=None),
    ]
    index = MatchIndex.build([]).followed_by(population) if in_tail else MatchIndex.build(population)
    asked = match(index, "parse the config file", LOOSE, started_at=NOON, attempt_id=UUID(int=9))
    assert numbers(asked) == [1]
    assert asked[0].completed_at == NOON - timedelta(microseconds=1)
    assert numbers(match(index, "parse the config file", LOOSE)) == [1, 2, 3, 4, 5]


# --- epoch and tail -------------------------------------------------------------------------------------------------


def test_the_index_does_not_depend_on_the_order_of_its_stfs() -> None:
    population = _zipf_population(2, 200)
    shuffled = random.Random(0).sample(population, len(population))
    one, other = MatchIndex.build(population), MatchIndex.build(shuffled)
    assert one.epoch_id == other.epoch_id
    text = population[3].problem_signature
    assert match(one, text, LOOSE) == match(other, text, LOOSE)


def test_other_text_is_another_epoch() -> None:
    assert MatchIndex.build([stf(1)]).epoch_id != MatchIndex.build([stf(1, "other")]).epoch_id
    assert MatchIndex.build([stf(1)]).epoch_id == MatchIndex.build([stf(1, quality=0.9)]).epoch_id


def test_changed_columns_are_seen_without_a_new_epoch_and_the_old_index_stays() -> None:
    index = MatchIndex.build([stf(1, quality=0.8), stf(2, quality=0.9)])
    after = index.followed_by([stf(1, quality=1.0, usage_count=50, category="a long category name")])
    assert after.tail_rows == 0
    assert numbers(match(after, "parse the config file")) == [1, 2]
    assert match(after, "parse the config file")[0].category == "a long category name"
    assert numbers(match(index, "parse the config file")) == [2, 1]


def test_changed_text_replaces_the_old_text() -> None:
    index = MatchIndex.build([stf(1), stf(2, "retry an upload")]).followed_by([stf(1, "rotate a login token")])
    assert match(index, "parse the config file", LOOSE) == ()
    assert numbers(match(index, "rotate a login token")) == [1]
    assert len(index) == 2
    back = index.followed_by([stf(1)])
    assert numbers(match(back, "parse the config file")) == [1]
    assert match(back, "rotate a login token", LOOSE) == ()


def test_a_withdrawn_stf_is_matched_no_more_until_it_comes_back() -> None:
    index = MatchIndex.build([stf(1), stf(2)]).followed_by([stf(3)])
    gone = index.followed_by([], withdrawn=[f"{1:064x}", f"{3:064x}", f"{9:064x}"])
    assert numbers(match(gone, "parse the config file")) == [2]
    back = gone.followed_by([stf(1), stf(3)])
    assert numbers(match(back, "parse the config file")) == [1, 2, 3]
    assert numbers(match(index.followed_by([stf(1)], [f"{1:064x}"]), "parse the config file")) == [2, 3]


def test_words_that_only_the_tail_knows_are_matched() -> None:
    index = (
        MatchIndex.build([stf(1)]).followed_by([stf(2, "migrate zookeeper quorum")]).followed_by([stf(3, "zookeeper")])
    )
    assert numbers(match(index, "migrate zookeeper quorum", LOOSE)) == [2, 3]


def test_an_id_that_comes_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="unique"):
        MatchIndex.build([stf(1), stf(1, "other")])


def test_another_process_with_another_hash_seed_finds_the_same() -> None:
    script = (
        "import tests.unit.compute.test_stf_matcher as t\n"
        "p = t._zipf_population(5, 300)\n"
        "i = t.MatchIndex.build(p[:250]).followed_by(p[250:])\n"
        "print(i.epoch_id, [m.model_dump_json() for q in p[::30] for m in t.match(i, q.problem_signature, t.LOOSE)])\n"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1
    assert len(next(iter(runs))) > 1_000


def test_hybrid_is_the_mean_of_both_similarities() -> None:
    population = _zipf_population(3, 300)
    index = MatchIndex.build(population[:250], EMBEDDER).followed_by(population[250:])
    for one in population[::10]:
        query = one.problem_signature + " w1 w2"
        by_words = {found.stf_id: found.similarity for found in match(index, query, LOOSE)}
        hybrid = MatchOptions(algorithm="hybrid", min_quality=0.0, min_similarity=0.01, limit=20)
        for found in match(index, query, hybrid):
            document = next(p.problem_signature for p in population if p.stf_id == found.stf_id)
            by_meaning = _cosine(_meaning(query), _meaning(document))
            if found.stf_id in by_words:
                assert found.similarity == pytest.approx((by_words[found.stf_id] + by_meaning) / 2, abs=1e-6)


def test_hybrid_finds_what_shares_no_word() -> None:
    same = next(f"{a}{b}" for a in "abc" for b in "abc" if a != b)
    anagram = same[::-1]
    assert _token(same) == _token(anagram)
    index = MatchIndex.build([stf(1, same), stf(2, "something else entirely")], EMBEDDER)
    assert match(index, anagram, LOOSE) == ()
    found = match(index, anagram, MatchOptions(algorithm="hybrid"))
    assert [(int(one.stf_id, 16), one.similarity) for one in found] == [(1, 0.5)]


def test_an_index_without_vectors_refuses_hybrid() -> None:
    with pytest.raises(ValueError, match="embedder"):
        match(MatchIndex.build([stf(1)]), "parse", MatchOptions(algorithm="hybrid"))


def test_an_epoch_with_vectors_is_another() -> None:
    assert MatchIndex.build([stf(1)], EMBEDDER).epoch_id != MatchIndex.build([stf(1)]).epoch_id


def test_weights_and_the_boost_of_use_are_those_of_the_settings() -> None:
    matching = MatchingSettings(similarity_weight=0.2, quality_weight=0.3, usage_boost=1.5, usage_boost_above=1)
    options = match_options(Settings(matching=matching))
    used = MatchCandidate(stf_id="a", problem_signature="read names", quality=0.8, usage_count=2)
    [match] = match_stfs(MatchQuery(problem_signature="read names"), MatchIndex.build([used]), options)
    assert match.composite == pytest.approx((0.2 * match.similarity + 0.3 * 0.8) * 1.5, abs=1e-5)
