"""Texts as vectors of whole numbers, and their exact cosine similarity (DOMAIN 3.6, `hybrid`).

Belongs here: vectors of texts from vectors of tokens, and scanning many of them. Not here: where the tokens' vectors come
from (effects/embedding_model.py), and what is made of a similarity (compute/stf_matcher.py).

A text's vector is the sum of its tokens' vectors, scaled so that its largest component is 127, and rounded. Products of
such vectors are whole numbers below 2^24, which float32 holds exactly: whatever order a matrix product adds in, and
however the rows are cut into blocks, the similarity comes out the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from debug_loop_pipeline.compute.matching.words import without_placeholders

Floats = NDArray[np.float64]

_LARGEST = 127
_MOST_DIMENSIONS = 2**24 // _LARGEST**2
_BLOCK_ROWS = 1_024
"""Rows that are widened to float32 at once: they and the block stay in the processor's cache."""

_BATCH_TEXTS = 4_096
"""Texts whose sums are held at once, eight bytes a component."""


@dataclass(frozen=True, eq=False)
class TextVectors:
    """Vectors of texts, one a row. Every array may be a read-only memory map."""

    components: NDArray[np.int8]
    """Shape (N, D)."""
    lengths: Floats
    """Shape (N,); 0 for a text without a known token, which is like no other."""

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The rows of all parts, of which there is at least one."""
        return cls(
            np.concatenate([part.components for part in parts]), np.concatenate([part.lengths for part in parts])
        )

    def similarities(self, query: TextVectors) -> Floats:
        """Cosine similarity of every row with the one row of `query`, -1 to 1; shape (N,)."""
        products = np.empty(len(self), dtype=np.float32)
        asked = query.components[0].astype(np.float32)
        block = np.empty((min(_BLOCK_ROWS, len(self)), len(asked)), dtype=np.float32)
        for start in range(0, len(self), _BLOCK_ROWS):
            rows = self.components[start : start + _BLOCK_ROWS]
            np.copyto(block[: len(rows)], rows)
            np.dot(block[: len(rows)], asked, out=products[start : start + len(rows)])
        lengths = self.lengths * query.lengths[0]
        similarities = np.zeros(len(self))
        np.divide(products, lengths, out=similarities, where=lengths > 0)
        return similarities


@dataclass(frozen=True, eq=False)
class TextEmbedder:
    """Makes vectors of texts.

    Args:
        version: vectors of different versions cannot be compared.
        table: a vector for each token, shape (V, D) with D <= 1040, of numbers that two-byte floats hold: their sums in
            float64 are exact.
        tokens: the tokens of each text, as rows of `table`.
    """

    version: str
    table: Floats
    tokens: Callable[[Sequence[str]], Iterable[Sequence[int]]]

    def __post_init__(self) -> None:
        if self.table.shape[1] > _MOST_DIMENSIONS:
            raise ValueError(f"vectors of {self.table.shape[1]} dimensions; at most {_MOST_DIMENSIONS} are exact")

    def embed(self, texts: Sequence[str]) -> TextVectors:
        """The vectors of these texts, in this order."""
        starts = range(0, max(1, len(texts)), _BATCH_TEXTS)
        return TextVectors.joined([self._embed(texts[start : start + _BATCH_TEXTS]) for start in starts])

    def _embed(self, texts: Sequence[str]) -> TextVectors:
        tokens = list(self.tokens([without_placeholders(text.lower()) for text in texts]))
        starts = np.cumsum([0, *map(len, tokens)])
        flat = np.fromiter((token for one in tokens for token in one), dtype=np.int32, count=int(starts[-1]))
        counts = sparse.csr_array((np.ones(len(flat)), flat, starts), shape=(len(texts), len(self.table)))
        sums: Floats = counts @ self.table
        largest = np.abs(sums).max(axis=1, initial=0.0)
        scale = np.divide(_LARGEST, largest, out=np.zeros(len(texts)), where=largest > 0)
        components = np.rint(sums * scale[:, np.newaxis]).astype(np.int8)
        squares = np.square(components, dtype=np.int32).sum(axis=1)
        return TextVectors(components, np.sqrt(squares.astype(np.float64)))
