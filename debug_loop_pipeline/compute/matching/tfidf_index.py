"""TF-IDF vectors of short texts under a frozen IDF, and an exact threshold search over them (DOMAIN 3.6).

Belongs here: weights, the two sparse layouts of an epoch, and the pruning that finds every document at or above
a similarity without reading all postings. Not here: what a word is (words.py), quality, filters and the order of matches
(compute/stf_matcher.py), and files (effects/match_epoch_files.py).

Weight of a term in a document: (1 + ln tf) x idf, the vector scaled to length 1; idf = 1 + ln((1 + N) / (1 + df)) over
the epoch's N documents. A term the epoch does not hold has df 0, in the tail as in a query. Cosine similarity is the
float64 sum of products in term order, rounded to 6 decimals, so that no threshold or tie hangs on a last bit.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from debug_loop_pipeline.compute.matching.words import TERM_MAX_BYTES, term_of, words_of

SIMILARITY_DECIMALS = 6

_SLACK = 1e-5
"""Above every error of the 4-byte partial sums and of the rounding: pruning may keep too much, never too little."""
_POSTINGS_BUDGET = 100_000
"""Postings that are read without asking whether they could be spared (some tenths of a millisecond)."""
_SKIPPED_SHARE = 0.6
"""Share of the threshold that terms with long postings may contribute unseen, at most."""
_RESCORE_LIMIT = 4_000
"""Documents that are compared one by one; with more, reading the skipped postings is cheaper."""

Floats = NDArray[np.float64]
Weights = NDArray[np.float32]
Ints = NDArray[np.int32]
Terms = NDArray[np.bytes_]


class _TermNumbers(dict[str, int]):
    """Token -> number of its term, given out in order of first appearance; 0 for a single sign, which is no word."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[bytes, int] = {}

    def __missing__(self, token: str) -> int:
        number = self.numbers.setdefault(term_of(token), len(self.numbers) + 1) if len(token) > 1 else 0
        self[token] = number
        return number


def _count(texts: Iterable[str]) -> tuple[Terms, Any]:
    """Sorted terms, and the term frequencies as a CSR array (one row per text) with columns in that order."""
    numbers = _TermNumbers()
    number_of = numbers.__getitem__
    flat = array("i")
    ends = array("q", [0])
    for text in texts:
        flat.extend(map(number_of, words_of(text)))
        ends.append(len(flat))
    found = np.array(list(numbers.numbers), dtype=f"S{TERM_MAX_BYTES}")
    order = np.argsort(found, kind="stable")
    column = np.empty(len(found) + 1, dtype=np.int32)
    column[0] = -1
    column[order + 1] = np.arange(len(found), dtype=np.int32)
    columns = column[np.frombuffer(flat, dtype=np.int32)] if flat else np.empty(0, dtype=np.int32)
    kept = columns >= 0
    starts = np.concatenate(([0], np.cumsum(kept)))[np.frombuffer(ends, dtype=np.int64)]
    if starts[-1] >= np.iinfo(np.int32).max:
        raise ValueError(f"{starts[-1]} postings do not fit one epoch; the limit is {np.iinfo(np.int32).max}")
    counts = sparse.csr_array(
        (np.ones(int(starts[-1]), dtype=np.float32), columns[kept], starts.astype(np.int32)),
        shape=(len(ends) - 1, len(found)),
    )
    counts.sum_duplicates()
    return found[order], counts


def _weigh(counts: Any, idf: Floats) -> Weights:
    """Weights of the stored entries of `counts`: (1 + ln tf) x idf, each row scaled to length 1."""
    raw = (1.0 + np.log(counts.data.astype(np.float64))) * idf[counts.indices]
    rows = np.diff(counts.indptr)
    squares = sparse.csr_array((raw * raw, counts.indices, counts.indptr), shape=counts.shape).sum(axis=1)
    lengths = np.sqrt(np.asarray(squares, dtype=np.float64).ravel())
    return np.asarray(raw / np.repeat(lengths, rows), dtype=np.float32)


def _idf(documents: int, frequency: NDArray[Any]) -> Floats:
    return np.asarray(np.round(1.0 + np.log((1.0 + documents) / (1.0 + frequency)), SIMILARITY_DECIMALS))


@dataclass(frozen=True, eq=False)
class TfidfEpoch:
    """Documents under their own frozen IDF, by document and by term. Every array may be a read-only memory map."""

    terms: Terms
    """Sorted; shape (V,)."""
    idf: Floats
    """Shape (V,)."""
    doc_starts: Ints
    """Row pointers, shape (N + 1,)."""
    doc_terms: Ints
    doc_weights: Weights
    term_starts: Ints
    """Column pointers, shape (V + 1,)."""
    term_docs: Ints
    """Documents of each term, ascending."""
    term_weights: Weights
    term_max: Weights
    """Largest weight of each term in any document, shape (V,)."""

    @property
    def documents(self) -> int:
        """N, the number of documents."""
        return len(self.doc_starts) - 1

    @classmethod
    def fit(cls, texts: Iterable[str]) -> TfidfEpoch:
        """Epoch of these texts, in this order. The result depends on nothing else."""
        terms, counts = _count(texts)
        documents = counts.shape[0]
        frequency = np.bincount(counts.indices, minlength=len(terms))
        idf = _idf(documents, frequency)
        weights = _weigh(counts, idf)
        by_term = sparse.csr_array((weights, counts.indices, counts.indptr), shape=counts.shape).tocsc()
        largest = np.maximum.reduceat(by_term.data, by_term.indptr[:-1]) if len(terms) else by_term.data
        return cls(
            terms=terms,
            idf=idf,
            doc_starts=counts.indptr,
            doc_terms=counts.indices,
            doc_weights=weights,
            term_starts=by_term.indptr,
            term_docs=by_term.indices,
            term_weights=by_term.data,
            term_max=largest,
        )

    @property
    def unseen_idf(self) -> float:
        """The idf of a term that no document of the epoch holds."""
        return float(_idf(self.documents, np.zeros(1))[0])

    def vector(self, text: str) -> QueryVector:
        """The text as a vector of length 1 under this epoch's IDF, to whose length terms the epoch lacks add."""
        terms, counts = _count((text.lower(),))
        positions = self._positions(terms)
        known = positions >= 0
        idf = np.full(len(terms), self.unseen_idf)
        idf[known] = self.idf[positions[known]]
        raw = (1.0 + np.log(counts.data.astype(np.float64))) * idf[counts.indices]
        length = float(np.sqrt(np.sum(raw * raw)))
        weights = raw / length if length else raw
        return QueryVector(
            positions=positions[known].astype(np.int32),
            weights=weights[known],
            unseen={bytes(term): float(weight) for term, weight in zip(terms[~known], weights[~known], strict=True)},
        )

    def rows(self, texts: Sequence[str], unseen: dict[bytes, int]) -> Any:
        """Weighted CSR rows of documents that came after the epoch.

        Args:
            texts: Their documents.
            unseen: Columns (from V on) of terms that the epoch does not hold; new ones are added to it.
        """
        terms, counts = _count(texts)
        positions = self._positions(terms)
        idf = np.full(len(terms), self.unseen_idf)
        known = positions >= 0
        idf[known] = self.idf[positions[known]]
        for number in np.flatnonzero(~known):
            positions[number] = unseen.setdefault(bytes(terms[number]), len(self.terms) + len(unseen))
        weights = _weigh(counts, idf)
        rows = sparse.csr_array(
            (weights, positions[counts.indices].astype(np.int32), counts.indptr),
            shape=(len(texts), len(self.terms) + len(unseen)),
        )
        rows.sort_indices()
        return rows

    def _positions(self, terms: Terms) -> NDArray[np.int64]:
        """Column of each term, -1 where the epoch does not hold it."""
        if not len(self.terms):
            return np.full(len(terms), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.terms, terms), len(self.terms) - 1)
        return np.where(self.terms[places] == terms, places, -1)

    def similarities(self, query: QueryVector, rows: NDArray[np.intp] | None = None) -> Floats:
        """Exact cosine similarity of the given rows (None: of all), rounded to 6 decimals."""
        by_doc = sparse.csr_array(
            (self.doc_weights, self.doc_terms, self.doc_starts), shape=(self.documents, len(self.terms)), copy=False
        )
        dense = np.zeros(len(self.terms), dtype=np.float64)
        dense[query.positions] = query.weights
        return _dot(by_doc if rows is None else by_doc[rows], dense)

    def search(self, query: QueryVector, min_similarity: float, floors: Floats | None = None) -> Shortlist:
        """Every document that can reach `min_similarity`, with bounds of its similarity.

        With `floors`, shape (N,), every document that can reach its own; one at or below 0 is reached without a common word.

        Postings of terms that are long and weigh little in the query are not read at first: what they could add is
        bounded by the length of their part of the query (Cauchy-Schwarz) and by each term's largest weight.
        """
        lengths = self.term_starts[query.positions + 1] - self.term_starts[query.positions]
        skipped = self._skippable(query, lengths, min_similarity)
        partial = self._accumulate(query, ~skipped)
        return Shortlist(self, query, skipped, partial, min_similarity, floors)

    def _skippable(self, query: QueryVector, lengths: NDArray[Any], min_similarity: float) -> NDArray[np.bool_]:
        skipped = np.zeros(len(lengths), dtype=bool)
        allowed = _SKIPPED_SHARE * min_similarity
        to_read = int(lengths.sum())
        squares = most = 0.0
        for number in np.argsort(-lengths, kind="stable"):
            if to_read <= _POSTINGS_BUDGET:
                break
            weight = float(query.weights[number])
            more_squares = squares + weight * weight
            more_most = most + weight * float(self.term_max[query.positions[number]])
            if min(more_squares**0.5, more_most) > allowed:
                continue
            squares, most = more_squares, more_most
            skipped[number] = True
            to_read -= int(lengths[number])
        return skipped

    def _accumulate(self, query: QueryVector, chosen: NDArray[np.bool_]) -> Weights:
        """Dense partial similarities, shape (N,), from the chosen terms' postings."""
        columns = query.positions[chosen]
        spans = [slice(self.term_starts[column], self.term_starts[column + 1]) for column in columns]
        starts = np.cumsum([0, *(span.stop - span.start for span in spans)], dtype=np.int32)
        if not spans or not starts[-1]:
            return np.zeros(self.documents, dtype=np.float32)
        postings = sparse.csc_array(
            (
                np.concatenate([self.term_weights[span] for span in spans]),
                np.concatenate([self.term_docs[span] for span in spans]),
                starts,
            ),
            shape=(self.documents, len(spans)),
            copy=False,
        )
        partial: Weights = postings @ query.weights[chosen].astype(np.float32)
        return partial


@dataclass(frozen=True)
class QueryVector:
    """A query under one epoch."""

    positions: Ints
    """Columns of the epoch, ascending."""
    weights: Floats
    unseen: dict[bytes, float]
    """Weights of terms that the epoch does not hold; a tail may."""


class Shortlist:
    """Rows that can reach a similarity, with a lower and an upper bound for each. Narrowed by its user."""

    def __init__(
        self,
        epoch: TfidfEpoch,
        query: QueryVector,
        skipped: NDArray[np.bool_],
        partial: Weights,
        min_similarity: float,
        floors: Floats | None,
    ) -> None:
        self._epoch, self._query, self._skipped, self._partial = epoch, query, skipped, partial
        weights = query.weights[skipped]
        most = float(np.sum(weights * epoch.term_max[query.positions[skipped]]))
        self._unread = min(float(np.sqrt(np.sum(weights * weights))), most)
        """What the postings not read can add to any document."""
        if floors is None:
            reach = np.float32(max(min_similarity - self._unread - _SLACK, 0.0))
            can_reach = partial >= reach if reach > 0 else partial > 0
        else:
            can_reach = partial >= floors - (self._unread + _SLACK)
        self.rows: NDArray[np.intp] = np.flatnonzero(can_reach)

    @property
    def lower(self) -> Floats:
        """Similarity that each row surely has."""
        return np.asarray(self._partial[self.rows], dtype=np.float64) - _SLACK

    @property
    def upper(self) -> Floats:
        """Similarity that each row can have at most."""
        return np.asarray(self._partial[self.rows], dtype=np.float64) + (self._unread + _SLACK)

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drop the rows where `mask` is False."""
        self.rows = self.rows[mask]

    @property
    def wide(self) -> bool:
        """Whether reading the skipped postings costs less than comparing the rows one by one."""
        return bool(len(self.rows) > _RESCORE_LIMIT and self._skipped.any())

    def read_the_rest(self) -> None:
        """Read the postings skipped so far: the bounds become tight."""
        self._partial = self._partial + self._epoch._accumulate(self._query, self._skipped)
        self._skipped = np.zeros_like(self._skipped)
        self._unread = 0.0

    def similarities(self) -> Floats:
        """Exact similarity of each row, rounded."""
        return self._epoch.similarities(self._query, self.rows)


def tail_similarities(rows: Any, query: QueryVector, unseen: Mapping[bytes, int]) -> Floats:
    """Exact cosine similarity of every tail row, rounded like an epoch's.

    Args:
        rows: CSR rows from `TfidfEpoch.rows`.
        query: Vector under the same epoch.
        unseen: Columns of the tail's own terms.
    """
    dense = np.zeros(rows.shape[1], dtype=np.float64)
    dense[query.positions] = query.weights
    for term, weight in query.unseen.items():
        column = unseen.get(term)
        if column is not None and column < len(dense):
            dense[column] = weight
    return _dot(rows, dense)


def _dot(rows: Any, dense: Floats) -> Floats:
    exact = rows.astype(np.float64, copy=False) @ dense
    return np.asarray(np.minimum(np.round(exact, SIMILARITY_DECIMALS), 1.0))
