"""STFMatcherCompute: a problem -> its top-k STFs (DOMAIN 3.6).

Belongs here: the columns of the STFs, the filters, the composite score and its total order, and the index of an epoch
with its tail. Not here: similarity by words (compute/matching/tfidf_index.py) and by meaning (compute/matching/text_embedding.py), files
(effects/match_epoch_files.py), caching of results (by `compute_cache.cache_key`, in the effects).

`hybrid` is the mean of both similarities, rounded to 6 decimals. By meaning every row is compared, which is exact and, for
100,000 rows, as fast as it has to be; that gives each row the similarity by words that it still needs, and the pruned search
goes on from there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from debug_loop_pipeline.compute.matching.text_embedding import TextEmbedder, TextVectors
from debug_loop_pipeline.compute.matching.tfidf_index import (
    SIMILARITY_DECIMALS,
    Floats,
    QueryVector,
    Shortlist,
    TfidfEpoch,
    tail_similarities,
)
from debug_loop_pipeline.compute.matching.versions import INDEX_VERSION
from debug_loop_pipeline.compute.matching.words import document_text
from debug_loop_pipeline.models.matching import Match, MatchCandidate, MatchOptions, MatchQuery

COMPOSITE_DECIMALS = 6

_EPOCH_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NEVER = np.iinfo(np.int64).max
_ROUNDING = 1e-5
"""Above the rounding of a composite: bounds are compared with it."""


@dataclass(frozen=True, eq=False)
class StfColumns:
    """What the matcher knows of each STF beside its words, as columns of one length."""

    ids: NDArray[np.bytes_]
    quality: Floats
    usage: NDArray[np.int64]
    success: Floats
    category: NDArray[np.bytes_]
    completed: NDArray[np.int64]
    """Microseconds since 1970 UTC; the largest integer where it is not known."""
    attempt: NDArray[np.bytes_]
    """The 16 bytes of the attempt's UUID; empty where it is not known."""
    document: NDArray[np.uint64]
    """Digest of the indexed text."""
    active: NDArray[np.bool_]
    """False for a row that was withdrawn, or told anew in a tail."""

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, candidates: Sequence[MatchCandidate], texts: Sequence[str]) -> StfColumns:
        """Columns of these STFs, in this order; `texts` are their indexed documents."""
        return cls(
            ids=np.array([candidate.stf_id.encode("ascii") for candidate in candidates], dtype=np.bytes_),
            quality=np.array([candidate.quality for candidate in candidates], dtype=np.float64),
            usage=np.array([candidate.usage_count for candidate in candidates], dtype=np.int64),
            success=np.array([candidate.success_rate for candidate in candidates], dtype=np.float64),
            category=np.array([candidate.category.encode() for candidate in candidates], dtype=np.bytes_),
            completed=np.array([_microseconds(candidate.completed_at) for candidate in candidates], dtype=np.int64),
            attempt=np.array(
                [candidate.attempt_id.bytes if candidate.attempt_id else b"" for candidate in candidates], dtype="S16"
            ),
            document=text_digests(texts),
            active=np.ones(len(candidates), dtype=bool),
        )

    def taken(self, rows: NDArray[Any]) -> StfColumns:
        """These rows only, in this order."""
        return StfColumns(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def joined(self, other: StfColumns) -> StfColumns:
        """These rows, then the other's."""
        return StfColumns(
            **{
                field.name: np.concatenate((getattr(self, field.name), getattr(other, field.name)))
                for field in fields(self)
            }
        )


@dataclass(frozen=True, eq=False)
class _Tail:
    """What came since the epoch: columns, and rows of weights over the epoch's terms and its own."""

    columns: StfColumns
    rows: Any
    unseen: Mapping[bytes, int]
    row_of: Mapping[bytes, int]
    """Newest row of each id."""
    vectors: TextVectors | None


@dataclass(frozen=True, eq=False)
class MatchIndex:
    """The STFs to match with: an epoch (frozen IDF) and a tail. Never changed, only followed by another."""

    epoch: TfidfEpoch
    columns: StfColumns
    """Of the epoch's documents, ascending by id."""
    epoch_id: str
    """Digest of the epoch's documents and of the versions of index and vectors."""
    tail: _Tail
    embedder: TextEmbedder | None
    """None where the index cannot match by `hybrid`."""
    vectors: TextVectors | None
    """Of the epoch's documents, where there is an embedder."""

    @classmethod
    def build(cls, candidates: Iterable[MatchCandidate], embedder: TextEmbedder | None = None) -> MatchIndex:
        """A new epoch of these STFs. Their order does not matter; an id that comes twice is an error."""
        ordered = sorted(candidates, key=lambda candidate: candidate.stf_id)
        texts = [_text(candidate) for candidate in ordered]
        return cls.of_columns(StfColumns.of(ordered, texts), texts, embedder)

    @classmethod
    def of_columns(cls, columns: StfColumns, texts: Sequence[str], embedder: TextEmbedder | None = None) -> MatchIndex:
        """A new epoch of columns that ascend by id, for bulk loads. `texts` come from `document_text`.

        Raises:
            ValueError: When ids are not unique and ascending.
        """
        ids = columns.ids
        if len(ids) > 1 and not bool(np.all(ids[:-1] < ids[1:])):
            raise ValueError("STF ids of an epoch must be unique and ascending")
        vectors = embedder.embed(texts) if embedder is not None else None
        return cls.of_epoch(TfidfEpoch.fit(texts), columns, epoch_digest(columns, embedder), embedder, vectors)

    @classmethod
    def of_epoch(
        cls,
        epoch: TfidfEpoch,
        columns: StfColumns,
        epoch_id: str,
        embedder: TextEmbedder | None = None,
        vectors: TextVectors | None = None,
    ) -> MatchIndex:
        """An index over an epoch that is fitted already (one read from files, or fitted in a stream), with no tail."""
        if (embedder is None) != (vectors is None):
            raise ValueError("an index has an embedder and vectors, or neither")
        none = embedder.embed(()) if embedder is not None else None
        tail = _Tail(columns.taken(np.empty(0, dtype=np.intp)), epoch.rows((), {}), {}, {}, none)
        return cls(epoch, columns, epoch_id, tail, embedder, vectors)

    def __len__(self) -> int:
        """Number of STFs that can be matched."""
        return int(np.count_nonzero(self.columns.active)) + int(np.count_nonzero(self.tail.columns.active))

    @property
    def tail_rows(self) -> int:
        """Rows of the tail, told-anew ones included: what a new epoch would take in."""
        return len(self.tail.columns)

    def followed_by(self, changed: Iterable[MatchCandidate], withdrawn: Iterable[str] = ()) -> Self:
        """The index after these STFs were added or changed and those withdrawn; the IDF stays.

        Of an STF whose text is the same only the columns change, so usage and quality stay current without a new epoch.
        One that is both changed and withdrawn is withdrawn.
        """
        latest = {candidate.stf_id: candidate for candidate in changed}
        gone = [identity.encode("ascii") for identity in set(withdrawn)]
        candidates = [latest[identity] for identity in sorted(latest.keys() - {key.decode() for key in gone})]
        texts = [_text(candidate) for candidate in candidates]
        incoming = StfColumns.of(candidates, texts)
        old_rows = self._epoch_rows(incoming.ids)
        same_text = (
            (old_rows >= 0) & (self.columns.document[np.maximum(old_rows, 0)] == incoming.document)
            if len(self.columns)
            else np.zeros(len(incoming), dtype=bool)
        )
        gone_rows = self._epoch_rows(np.array(gone, dtype=np.bytes_)) if gone else np.empty(0, dtype=np.int64)

        columns = self.columns
        patched = np.flatnonzero(same_text)
        inactive = np.concatenate((old_rows[(old_rows >= 0) & ~same_text], gone_rows[gone_rows >= 0]))
        if len(patched):
            columns = _patched(columns, old_rows[patched], incoming.taken(patched))
        if len(inactive):
            active = columns.active.copy()
            active[inactive] = False
            columns = replace(columns, active=active)

        newer = np.flatnonzero(~same_text)
        replaced = [*gone, *(bytes(identity) for identity in incoming.ids)]
        tail = self._tail_without(replaced)
        if len(newer):
            tail = self._tail_with(tail, incoming.taken(newer), [texts[number] for number in newer])
        return replace(self, columns=columns, tail=tail)

    def _epoch_rows(self, ids: NDArray[np.bytes_]) -> NDArray[np.int64]:
        """Epoch row of each id, -1 where it has none."""
        if not len(self.columns) or not len(ids):
            return np.full(len(ids), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.columns.ids, ids), len(self.columns) - 1)
        return np.where(self.columns.ids[places] == ids, places, -1)

    def _tail_without(self, ids: Iterable[bytes]) -> _Tail:
        rows = [self.tail.row_of[identity] for identity in ids if identity in self.tail.row_of]
        if not rows:
            return self.tail
        active = self.tail.columns.active.copy()
        active[rows] = False
        return replace(self.tail, columns=replace(self.tail.columns, active=active))

    def _tail_with(self, tail: _Tail, columns: StfColumns, texts: Sequence[str]) -> _Tail:
        unseen = dict(tail.unseen)
        added = self.epoch.rows(texts, unseen)
        rows = sparse.csr_array(
            (
                # Of the type that the products are summed in: converting them at every query took most of its time.
                np.concatenate((tail.rows.data, added.data), dtype=np.float64),
                np.concatenate((tail.rows.indices, added.indices)),
                np.concatenate((tail.rows.indptr, tail.rows.indptr[-1] + added.indptr[1:])),
            ),
            shape=(tail.rows.shape[0] + added.shape[0], added.shape[1]),
        )
        first = len(tail.columns)
        row_of = {**tail.row_of, **{bytes(identity): first + n for n, identity in enumerate(columns.ids)}}
        vectors = tail.vectors
        if vectors is not None and self.embedder is not None:
            vectors = TextVectors.joined((vectors, self.embedder.embed(texts)))
        return _Tail(tail.columns.joined(columns), rows, unseen, row_of, vectors)


def match_stfs(query: MatchQuery, index: MatchIndex, options: MatchOptions | None = None) -> tuple[Match, ...]:
    """The best STFs for a problem: exactly those of a full scan, best first.

    composite = min(1, (0.6 similarity + 0.4 quality) x (1.1 if usage_count > 10)), rounded to 6 decimals; ties by
    success rate, quality, usage, id. Kept are STFs of similarity >= min_similarity and quality >= min_quality, of the
    category asked for, and, where the query has a start, of other attempts complete before then.
    """
    options = options or MatchOptions()
    asked = _asked(query.problem_signature, index, options)
    found = _from_epoch(asked, query, index, options) + _from_tail(asked, query, index, options)
    found.sort()
    return tuple(_match(rank, key, columns, row) for rank, (key, columns, row) in enumerate(found[: options.limit], 1))


@dataclass(frozen=True)
class _Asked:
    """The problem as the algorithm sees it."""

    words: QueryVector
    meaning: TextVectors | None
    """None for `tfidf`."""

    def closeness(self, vectors: TextVectors | None) -> Floats | None:
        """Similarity by meaning of every row; None where it does not count."""
        return vectors.similarities(self.meaning) if vectors is not None and self.meaning is not None else None


def _asked(signature: str, index: MatchIndex, options: MatchOptions) -> _Asked:
    words = index.epoch.vector(signature)
    if options.algorithm == "tfidf":
        return _Asked(words, None)
    if index.embedder is None:
        raise ValueError("this index holds no vectors: build it with an embedder to match by `hybrid`")
    return _Asked(words, index.embedder.embed((signature,)))


def _mean(by_words: Floats, by_meaning: Floats | None, rows: NDArray[np.intp]) -> Floats:
    return by_words if by_meaning is None else (by_words + by_meaning[rows]) / 2


def _similarity(by_words: Floats, by_meaning: Floats | None, rows: NDArray[np.intp]) -> Floats:
    mean = _mean(by_words, by_meaning, rows)
    return mean if by_meaning is None else np.minimum(np.round(mean, SIMILARITY_DECIMALS), 1.0)


@dataclass(frozen=True, order=True)
class _Key:
    """Sort key: smaller is better; ids differ, so the order is total."""

    composite: float
    success: float
    quality: float
    usage: int
    identity: bytes
    similarity: float


_Found = list[tuple[_Key, StfColumns, int]]


def _from_epoch(asked: _Asked, query: MatchQuery, index: MatchIndex, options: MatchOptions) -> _Found:
    columns = index.columns
    closeness = asked.closeness(index.vectors)
    floors = None if closeness is None else 2 * options.min_similarity - closeness
    shortlist = index.epoch.search(asked.words, options.min_similarity, floors)
    shortlist.keep(_eligible(columns, shortlist.rows, query, options))
    _keep_contenders(shortlist, columns, options, closeness)
    if shortlist.wide:
        shortlist.read_the_rest()
        _keep_contenders(shortlist, columns, options, closeness)
    similarity = _similarity(shortlist.similarities(), closeness, shortlist.rows)
    return _ranked(columns, shortlist.rows, similarity, options)


def _keep_contenders(
    shortlist: Shortlist, columns: StfColumns, options: MatchOptions, closeness: Floats | None
) -> None:
    """Drop rows whose best composite stays below the worst one that `limit` others surely have."""
    lower = _mean(shortlist.lower, closeness, shortlist.rows)
    upper = _mean(shortlist.upper, closeness, shortlist.rows)
    possible = upper >= options.min_similarity
    sure = lower >= options.min_similarity
    if np.count_nonzero(sure) >= options.limit:
        surely = _composite(columns, shortlist.rows[sure], lower[sure], options)
        bar = np.partition(surely, len(surely) - options.limit)[len(surely) - options.limit]
        possible &= _composite(columns, shortlist.rows, upper, options) >= bar - _ROUNDING
    shortlist.keep(possible)


def _from_tail(asked: _Asked, query: MatchQuery, index: MatchIndex, options: MatchOptions) -> _Found:
    tail = index.tail
    if not len(tail.columns):
        return []
    rows = np.arange(len(tail.columns), dtype=np.intp)
    by_words = tail_similarities(tail.rows, asked.words, tail.unseen)
    similarity = _similarity(by_words, asked.closeness(tail.vectors), rows)
    rows = np.flatnonzero(similarity >= options.min_similarity)
    rows = rows[_eligible(tail.columns, rows, query, options)]
    return _ranked(tail.columns, rows, similarity[rows], options)


def _eligible(
    columns: StfColumns, rows: NDArray[np.intp], query: MatchQuery, options: MatchOptions
) -> NDArray[np.bool_]:
    eligible: NDArray[np.bool_] = columns.active[rows] & (columns.quality[rows] >= options.min_quality)
    if options.category is not None:
        eligible &= columns.category[rows] == options.category.encode()
    if query.started_at is not None:
        eligible &= columns.completed[rows] < _microseconds(query.started_at)
    if query.attempt_id is not None:
        eligible &= columns.attempt[rows] != np.bytes_(query.attempt_id.bytes)
    return eligible


def _composite(columns: StfColumns, rows: NDArray[np.intp], similarity: Floats, options: MatchOptions) -> Floats:
    boost = np.where(columns.usage[rows] > options.usage_boost_above, options.usage_boost, 1.0)
    score = (options.similarity_weight * similarity + options.quality_weight * columns.quality[rows]) * boost
    return np.asarray(np.minimum(np.round(score, COMPOSITE_DECIMALS), 1.0))


def _ranked(columns: StfColumns, rows: NDArray[np.intp], similarity: Floats, options: MatchOptions) -> _Found:
    reached = similarity >= options.min_similarity
    rows, similarity = rows[reached], similarity[reached]
    composite = _composite(columns, rows, similarity, options)
    keys = (columns.ids[rows], -columns.usage[rows], -columns.quality[rows], -columns.success[rows], -composite)
    best = np.lexsort(keys)[: options.limit]
    return [
        (
            _Key(
                composite=-float(composite[number]),
                success=-float(columns.success[rows[number]]),
                quality=-float(columns.quality[rows[number]]),
                usage=-int(columns.usage[rows[number]]),
                identity=bytes(columns.ids[rows[number]]),
                similarity=float(similarity[number]),
            ),
            columns,
            int(rows[number]),
        )
        for number in best
    ]


def _match(rank: int, key: _Key, columns: StfColumns, row: int) -> Match:
    completed = int(columns.completed[row])
    return Match(
        rank=rank,
        stf_id=key.identity.decode("ascii"),
        similarity=key.similarity,
        composite=-key.composite,
        quality=-key.quality,
        usage_count=-key.usage,
        success_rate=-key.success,
        category=bytes(columns.category[row]).decode(),
        completed_at=None if completed == _NEVER else _EPOCH_START + completed * _MICROSECOND,
    )


def _patched(columns: StfColumns, rows: NDArray[Any], incoming: StfColumns) -> StfColumns:
    """`columns` with these rows replaced; a text column widens where a new value is longer."""
    patched: dict[str, Any] = {}
    for field in fields(columns):
        old, new = getattr(columns, field.name), getattr(incoming, field.name)
        if not np.array_equal(old[rows], new):
            copy = old.astype(np.promote_types(old.dtype, new.dtype))
            copy[rows] = new
            patched[field.name] = copy
    return replace(columns, **patched)


def _text(candidate: MatchCandidate) -> str:
    return document_text(candidate.problem_signature, candidate.name, candidate.description)


def epoch_digest(columns: StfColumns, embedder: TextEmbedder | None) -> str:
    """The id of the epoch of these columns: a digest of their ids, their documents and the versions."""
    digest = hashlib.sha256(f"index {INDEX_VERSION}".encode())
    if embedder is not None:
        digest.update(f"; vectors {embedder.version}".encode())
    digest.update(b"\n".join(columns.ids.tolist()))
    digest.update(columns.document.tobytes())
    return digest.hexdigest()


def text_digests(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Eight-byte digests of indexed documents, for `StfColumns.document`."""
    digests = (hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def _microseconds(at: datetime | None) -> int:
    return _NEVER if at is None else (at - _EPOCH_START) // _MICROSECOND
