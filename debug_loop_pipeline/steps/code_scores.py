"""The cache of code scores: one per process, by raw code, language and scorer version (DOMAIN 3.5)."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from debug_loop_pipeline.compute.stf_quality import SCORER_VERSION, score_code
from debug_loop_pipeline.models.stf import CodeScores

_ENTRIES = 50_000


class CodeScoreCache:
    """Least recently used scores go first; older ones than asked for are scored again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[float, CodeScores]] = OrderedDict()
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    def score(self, code: str, language: str, ttl_s: float) -> CodeScores:
        """The four code dimensions of a function, as scored at most `ttl_s` seconds ago."""
        key = hashlib.sha256(f"{SCORER_VERSION}\0{language}\0{code}".encode("utf-8", "surrogatepass")).digest()
        now = self._clock()
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and now - entry[0] < ttl_s:
                self._entries.move_to_end(key)
                self.hits += 1
                return entry[1]
            self.misses += 1
        scores = score_code(code, language)
        with self._lock:
            self._entries[key] = (now, scores)
            self._entries.move_to_end(key)
            while len(self._entries) > _ENTRIES:
                self._entries.popitem(last=False)
        return scores


CODE_SCORES = CodeScoreCache()
