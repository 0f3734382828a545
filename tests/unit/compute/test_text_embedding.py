"""Vectors of texts: exact whatever the order, and a scan by blocks that equals the comparison one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest

import debug_loop_pipeline.compute.matching.text_embedding as embedding
from debug_loop_pipeline.compute.matching.text_embedding import TextEmbedder, TextVectors

TABLE = np.random.default_rng(1).standard_normal((500, 256)).astype(np.float16).astype(np.float64)
EMBEDDER = TextEmbedder("toy", TABLE, lambda texts: [[int(word) for word in text.split()] for text in texts])


def texts(count: int, words: int = 30) -> list[str]:
    return [" ".join(map(str, row)) for row in np.random.default_rng(2).integers(0, 500, (count, words))]


def test_the_order_of_words_changes_no_bit() -> None:
    for text in texts(50):
        one, other = EMBEDDER.embed([text]), EMBEDDER.embed([" ".join(reversed(text.split()))])
        assert np.array_equal(one.components, other.components)


def test_a_text_alone_has_the_vector_that_it_has_among_others() -> None:
    all_of_them = EMBEDDER.embed(texts(40))
    for number, text in enumerate(texts(40)):
        assert np.array_equal(EMBEDDER.embed([text]).components[0], all_of_them.components[number])


@pytest.mark.parametrize("block", [1, 7, 1_024])
def test_a_scan_by_blocks_gives_the_exact_cosine_of_each_row(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(embedding, "_BLOCK_ROWS", block)
    vectors = EMBEDDER.embed([*texts(60), ""])
    query = EMBEDDER.embed([texts(1, 12)[0]])
    asked = [int(value) for value in query.components[0]]
    for row, found in zip(vectors.components, vectors.similarities(query), strict=True):
        values = [int(value) for value in row]
        product = sum(a * b for a, b in zip(values, asked, strict=True))
        lengths = math.sqrt(sum(v * v for v in values)) * math.sqrt(sum(v * v for v in asked))
        assert found == (product / lengths if lengths else 0.0)


def test_rounding_to_whole_numbers_hardly_changes_a_cosine() -> None:
    sums = np.array([TABLE[[int(word) for word in text.split()]].sum(axis=0) for text in texts(100)])
    sums /= np.linalg.norm(sums, axis=1, keepdims=True)
    vectors = EMBEDDER.embed(texts(100))
    for number in range(100):
        one = TextVectors(vectors.components[number : number + 1], vectors.lengths[number : number + 1])
        assert np.abs(vectors.similarities(one) - sums @ sums[number]).max() < 0.01


def test_no_text_and_texts_without_a_token_are_like_nothing() -> None:
    assert len(EMBEDDER.embed([])) == 0
    empty = EMBEDDER.embed(["", "1 2 3"])
    assert empty.similarities(EMBEDDER.embed([""])).tolist() == [0.0, 0.0]
    assert EMBEDDER.embed([]).similarities(EMBEDDER.embed(["1"])).tolist() == []


def test_placeholders_say_nothing() -> None:
    embedder = TextEmbedder("toy", TABLE, lambda given: [[len(word) for word in text.split()] for text in given])
    assert np.array_equal(embedder.embed(["read <path>"]).components, embedder.embed(["read"]).components)


def test_vectors_too_long_to_be_exact_are_refused() -> None:
    with pytest.raises(ValueError, match="1040"):
        TextEmbedder("toy", np.zeros((3, 1_041)), lambda _: [])
