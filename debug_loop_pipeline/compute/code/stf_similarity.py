"""How alike two pieces of code are (DOMAIN 3.4): the Jaccard index of their 5-token shingles.

Names bound inside (parameters, locals, the function's own name) are folded: inside a shingle only which of them are the
same name counts. Names they call, attributes, imports and literals stay. Comments and docstrings say nothing here.

Here: shingles, their exact similarity, MinHash signatures and the bands by which candidates are found. Not here:
clusters, storage of bands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from debug_loop_pipeline.compute.code.languages import language_named
from debug_loop_pipeline.compute.code.name_scopes import resolve_names
from debug_loop_pipeline.compute.code.source_tree import parse_source
from debug_loop_pipeline.compute.code.syntax_tokens import leaf_tokens, normalised_tokens

SIMILARITY_VERSION = "1"
SHINGLE_TOKENS = 5
CLUSTER_THRESHOLD = 0.85
CLUSTER_MIN_TOKENS = 40
BANDS = 18
ROWS = 7
"""18 bands of 7 rows: a pair at 0.85 shares a band with probability 0.999, one at 0.5 with 0.13."""

Hashes = NDArray[np.uint64]
_LOCAL = "\x04"
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_STEP = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is kept of a piece of code to compare it."""

    tokens: int
    """Number of leaf tokens, docstrings left out."""
    shingles: Hashes
    """Sorted 64-bit hashes of its different shingles."""

    @property
    def clusterable(self) -> bool:
        """Whether it is long enough to share a cluster."""
        return self.tokens >= CLUSTER_MIN_TOKENS

    @property
    def bands(self) -> list[int]:
        """The band keys of its MinHash signature."""
        return bands(minhash(self.shingles))


def folded_tokens(code: str, language: str) -> list[str]:
    """The leaf tokens of a piece of code, bound names as numbers after a marker, docstrings left out.

    Raises:
        SourceError: the code is too large, too deep or malformed.
        UnsupportedLanguageError: no grammar for the language.
    """
    source = parse_source(code, language_named(language), standalone=True)
    renamed = {start: f"{_LOCAL}{number}" for start, number in resolve_names(source).local.items()}
    return leaf_tokens(normalised_tokens(source, docstrings=False, renamed=renamed))


def fingerprint(code: str, language: str) -> Fingerprint:
    """Tokens and shingles of a piece of code; raises as `folded_tokens` does."""
    tokens = folded_tokens(code, language)
    return Fingerprint(len(tokens), _shingle_hashes(tokens))


def shingles(code: str, language: str) -> Hashes:
    """The different 5-token shingles of a piece of code as sorted 64-bit hashes; raises as `folded_tokens` does.

    Code of fewer than 5 tokens is one shingle; code without any has none.
    """
    return _shingle_hashes(folded_tokens(code, language))


def similarity(a: Hashes, b: Hashes) -> float:
    """Jaccard index of two sets of shingles, 0..1. Two empty sets are not alike: nothing is known of them."""
    common = np.intersect1d(a, b, assume_unique=True).size
    union = a.size + b.size - common
    return common / union if union else 0.0


def minhash(hashes: Hashes) -> Hashes:
    """The MinHash signature of a set of shingles: 126 minima under fixed seeds; all ones for an empty set."""
    if hashes.size == 0:
        return np.full(BANDS * ROWS, np.iinfo(np.uint64).max, dtype=np.uint64)
    seeds = _mix(np.arange(1, BANDS * ROWS + 1, dtype=np.uint64) * _STEP)
    mixed = _mix(hashes[np.newaxis, :] ^ seeds[:, np.newaxis])
    return np.asarray(np.min(mixed, axis=1), dtype=np.uint64)


def bands(signature: Hashes) -> list[int]:
    """Band keys of a signature, signed 64-bit (a PostgreSQL bigint). Code that shares one may be alike.

    The number of a band is part of its key, so keys of different bands never meet.
    """
    keys = np.arange(1, BANDS + 1, dtype=np.uint64) * _STEP
    for row in signature.reshape(BANDS, ROWS).T:
        keys = _mix(keys ^ row)
    return [int(key) for key in keys.view(np.int64)]


def _shingle_hashes(tokens: Sequence[str]) -> Hashes:
    if not tokens:
        return np.empty(0, dtype=np.uint64)
    numbered = list(tokens) + [""] * (SHINGLE_TOKENS - len(tokens))
    texts = {token: _token_hash(token) for token in set(numbered) if not token.startswith(_LOCAL)}
    plain = np.array([texts.get(token, 0) for token in numbered], dtype=np.uint64)
    local = np.array([int(token[1:]) if token.startswith(_LOCAL) else -1 for token in numbered], dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(plain, SHINGLE_TOKENS).copy()
    names = np.lib.stride_tricks.sliding_window_view(local, SHINGLE_TOKENS)
    for position in range(SHINGLE_TOKENS):
        # A local stands for the place of its first occurrence in the shingle: renaming it changes nothing.
        first = (names[:, : position + 1] == names[:, position : position + 1]).argmax(axis=1)
        windows[:, position] = np.where(names[:, position] >= 0, _places()[first], windows[:, position])
    keys = np.zeros(len(windows), dtype=np.uint64)
    for position in range(SHINGLE_TOKENS):
        keys = _mix(keys * _STEP ^ windows[:, position])
    return np.unique(keys)


def _token_hash(token: str) -> int:
    return int.from_bytes(hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


@cache
def _places() -> Hashes:
    return np.array([_token_hash(f"{_LOCAL}place {n}") for n in range(SHINGLE_TOKENS)], dtype=np.uint64)


def _mix(values: Hashes) -> Hashes:
    """The finaliser of SplitMix64: every bit of the input changes half of the output."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return values ^ (values >> np.uint64(31))
