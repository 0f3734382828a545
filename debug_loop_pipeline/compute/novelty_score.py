"""NoveltyScoreCompute: 1 - the highest similarity to any STF decided earlier (DOMAIN 4.3).

Belongs here: the exact search for the nearest earlier STF, and the form in which a fingerprint is stored. Not here: the
similarity itself (compute/code/stf_similarity.py) or what it is worth (compute/reward_calculator.py). Formatting, comments
and the names of parameters and locals do not make code new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from debug_loop_pipeline.compute.code.stf_similarity import SIMILARITY_VERSION, Hashes, fingerprint
from debug_loop_pipeline.compute.compute_cache import cache_key
from debug_loop_pipeline.models.contribution import Novelty

NOVELTY_VERSION = f"1.{SIMILARITY_VERSION}"

_TAIL_SHINGLES = 65_536
"""Shingles that wait unsorted before they are merged into the sorted ones."""


class NoveltyIndex:
    """All STFs decided so far, to be asked for the nearest one. Exact: the same answer as comparing with each.

    An inverted index over shingles, in the order of decisions; what is added is found at once. Of equally near ones the
    earliest wins, so that the answer does not depend on how the index was filled.
    """

    def __init__(self, earlier: Iterable[tuple[str, Hashes]] = ()) -> None:
        self._names: list[str] = []
        self._sizes: list[int] = []
        self._keys: Hashes = np.empty(0, dtype=np.uint64)
        self._owners: NDArray[np.int32] = np.empty(0, dtype=np.int32)
        self._tail: list[tuple[int, Hashes]] = []
        self._tail_owners: dict[int, list[int]] = {}
        for name, shingles in earlier:
            self._append(name, shingles)
        self._tail_size = 0
        self._merge()

    def __len__(self) -> int:
        return len(self._names)

    def add(self, name: str, shingles: Hashes) -> None:
        """Take in an STF that has just been decided.

        Args:
            name: Its hash.
            shingles: Sorted, each once (`stf_similarity.shingles`).
        """
        for key in shingles.tolist():
            self._tail_owners.setdefault(key, []).append(len(self._names))
        self._append(name, shingles)
        self._tail_size += shingles.size
        if self._tail_size > max(_TAIL_SHINGLES, self._keys.size // 8):
            self._merge()

    def nearest(self, shingles: Hashes) -> tuple[float, str | None]:
        """(similarity, name) of the nearest STF; (0.0, None) where none shares a shingle."""
        owners, common = self._in_common(shingles)
        if not owners.size:
            return 0.0, None
        sizes = np.fromiter((self._sizes[owner] for owner in owners), dtype=np.int64, count=owners.size)
        similarities = common / (shingles.size + sizes - common)
        best = int(np.argmax(similarities))  # owners ascend, so the first maximum is the earliest
        return float(similarities[best]), self._names[owners[best]]

    def _in_common(self, shingles: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Every STF that shares a shingle, ascending, and how many it shares."""
        low = np.searchsorted(self._keys, shingles, side="left")
        high = np.searchsorted(self._keys, shingles, side="right")
        found = [self._owners[a:b] for a, b in zip(low, high, strict=True) if b > a]
        owners, common = np.unique(np.concatenate(found), return_counts=True) if found else (_NONE, _NONE)
        late = Counter(
            owner for key in shingles.tolist() if key in self._tail_owners for owner in self._tail_owners[key]
        )
        ordered = sorted(late)
        return (
            np.concatenate([owners.astype(np.int64), np.array(ordered, dtype=np.int64)]),
            np.concatenate([common.astype(np.int64), np.array([late[owner] for owner in ordered], dtype=np.int64)]),
        )

    def _append(self, name: str, shingles: Hashes) -> None:
        self._tail.append((len(self._names), shingles))
        self._names.append(name)
        self._sizes.append(shingles.size)

    def _merge(self) -> None:
        if not self._tail:
            return
        keys = np.concatenate([self._keys, *(shingles for _, shingles in self._tail)])
        owners = np.concatenate(
            [self._owners, *(np.full(shingles.size, n, dtype=np.int32) for n, shingles in self._tail)]
        )
        order = np.argsort(keys, kind="stable")  # stable: owners ascend inside a key
        self._keys, self._owners = keys[order], owners[order]
        self._tail, self._tail_owners, self._tail_size = [], {}, 0


_NONE: NDArray[np.int64] = np.empty(0, dtype=np.int64)


def novelty_of(shingles: Hashes, index: NoveltyIndex) -> Novelty:
    """Novelty of a piece of code among what was decided earlier. Code that says nothing (no token) is not new."""
    if not shingles.size:
        return Novelty(novelty_score=0.0, similarity=1.0, nearest=None, version=NOVELTY_VERSION)
    similarity, nearest = index.nearest(shingles)
    return Novelty(novelty_score=float(1 - similarity), similarity=similarity, nearest=nearest, version=NOVELTY_VERSION)


def score_novelty(code: str, language: str, index: NoveltyIndex) -> Novelty:
    """Novelty of source text; see `novelty_of`.

    Raises:
        SourceError: The code is too large, too deep or malformed.
        UnsupportedLanguageError: No grammar for the language.
    """
    return novelty_of(fingerprint(code, language).shingles, index)


def novelty_cache_key(code_hash: str, language: str, decided: int) -> str:
    """Key of a novelty: holds as long as nothing more is decided.

    Args:
        code_hash: SHA-256 of the raw code.
        language: Its language.
        decided: Sequence number of the last decision that the index holds.
    """
    return cache_key("NoveltyScoreCompute", NOVELTY_VERSION, code_hash, language, decided)


def pack_shingles(shingles: Hashes) -> bytes:
    """Shingles as they are stored: little-endian 64-bit numbers."""
    return shingles.astype("<u8").tobytes()


def unpack_shingles(stored: bytes | memoryview) -> Hashes:
    """The shingles in a stored value.

    Raises:
        ValueError: Not a whole number of 64-bit numbers.
    """
    return np.frombuffer(stored, dtype="<u8").astype(np.uint64)
