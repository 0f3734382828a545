"""Matches that were asked for before, in this process (DOMAIN 3.6): by signature, options (the algorithm too), epoch and
registry version.

A change of the registry changes the key, so nothing stale is found; the TTL only bounds how long an answer is kept. Not here:
matching itself (compute/stf_matcher.py).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import astuple

from debug_loop_pipeline.compute.compute_cache import cache_key
from debug_loop_pipeline.compute.matching.versions import MATCHER_VERSION
from debug_loop_pipeline.compute.stf_matcher import match_stfs
from debug_loop_pipeline.effects.match_epoch_store import CurrentIndex
from debug_loop_pipeline.models.matching import Match, MatchOptions, MatchQuery

Matcher = Callable[[MatchQuery, MatchOptions], tuple[Match, ...]]
"""Matches problems in the index of the moment."""

TTL_SECONDS = 1_800.0
_ENTRIES = 10_000


class MatchCache:
    """Least recently used answers go first; those older than the TTL are computed again. Thread-safe."""

    def __init__(
        self, ttl_s: float = TTL_SECONDS, entries: int = _ENTRIES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl_s = ttl_s
        self._size = entries
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, tuple[Match, ...]]] = OrderedDict()
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    def matcher(self, current: CurrentIndex) -> Matcher:
        """Matches in this index, by what is cached of it."""
        return lambda query, options: self.match(query, current, options)

    def match(self, query: MatchQuery, current: CurrentIndex, options: MatchOptions) -> tuple[Match, ...]:
        """The matches of a query in the current index, best first."""
        key = cache_key(
            "STFMatcherCompute",
            MATCHER_VERSION,
            query.model_dump(),
            options.model_dump(),
            current.epoch,
            astuple(current.registry),
        )
        now = self._clock()
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and now - entry[0] < self._ttl_s:
                self._entries.move_to_end(key)
                self.hits += 1
                return entry[1]
            self.misses += 1
        found = match_stfs(query, current.index, options)
        with self._lock:
            self._entries[key] = (now, found)
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)
        return found
