"""The category of a problem, by the weighted keyword table in data/problem_categories.toml (DOMAIN 3.2).

Belongs here: how the table is read and applied. Not here: the words (the table) and the signature
(compute/matching/problem_signature.py). Works on a signature as on a raw request; the pipeline gives it the signature, so that
one problem has one category.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from debug_loop_pipeline.compute.matching.words import term_of, words_of
from debug_loop_pipeline.models.problem import ProblemCategory

PROBLEM_CATEGORY_VERSION = 1

_LONGEST_PHRASE = 3
_SHORTEST_STEM = 3
_LEAST_SCORE = 2
"""A single hint is not enough to tell a category."""


@dataclass(frozen=True)
class KeywordTable:
    """The table in the form it is asked in: phrases of folded words, and word beginnings."""

    phrases: Mapping[tuple[bytes, ...], Mapping[ProblemCategory, int]]
    beginnings: Mapping[str, Mapping[ProblemCategory, int]]

    @classmethod
    def parse(cls, text: str) -> KeywordTable:
        """The table of a TOML text: one table a category, `"keyword" = weight`.

        Raises:
            ValueError: For an unknown category, a weight below 1, or a keyword that no request can hold.
        """
        phrases: dict[tuple[bytes, ...], dict[ProblemCategory, int]] = defaultdict(dict)
        beginnings: dict[str, dict[ProblemCategory, int]] = defaultdict(dict)
        for name, keywords in tomllib.loads(text).items():
            category = ProblemCategory(name)
            for keyword, weight in keywords.items():
                words = words_of(keyword)
                if not isinstance(weight, int) or weight < 1:
                    raise ValueError(f"{name}: weight {weight!r} of {keyword!r} is no positive integer")
                if not words or len(words) > _LONGEST_PHRASE or keyword != keyword.lower():
                    raise ValueError(f"{name}: {keyword!r} is not one to {_LONGEST_PHRASE} lower-case words")
                if not keyword.endswith("*"):
                    phrases[tuple(term_of(word) for word in words)][category] = weight
                elif len(words) == 1 and len(words[0]) >= _SHORTEST_STEM:
                    beginnings[words[0]][category] = weight
                else:
                    raise ValueError(
                        f"{name}: {keyword!r} is not one word of {_SHORTEST_STEM} letters or more before *"
                    )
        return cls(phrases, beginnings)

    def scores(self, text: str) -> dict[ProblemCategory, int]:
        """Sum of the weights of the keywords found, for each category that has any. Linear in the text's length."""
        words = words_of(text.lower())
        totals: dict[ProblemCategory, int] = defaultdict(int)
        for weights in self._found(words):
            for category, weight in weights.items():
                totals[category] += weight
        return dict(totals)

    def _found(self, words: list[str]) -> Iterator[Mapping[ProblemCategory, int]]:
        terms = [term_of(word) for word in words]
        longest = max(map(len, self.beginnings), default=0)
        grams = {
            tuple(terms[start : start + length])
            for length in range(1, _LONGEST_PHRASE + 1)
            for start in range(len(terms) - length + 1)
        }
        stems = {word[:length] for word in set(words) for length in range(_SHORTEST_STEM, min(len(word), longest) + 1)}
        yield from (self.phrases[gram] for gram in grams & self.phrases.keys())
        yield from (self.beginnings[stem] for stem in stems & self.beginnings.keys())


@cache
def _table() -> KeywordTable:
    data = files("debug_loop_pipeline.compute") / "data" / "problem_categories.toml"
    return KeywordTable.parse(data.read_text(encoding="utf-8"))


def problem_category(text: str) -> ProblemCategory:
    """The category whose keywords weigh most in a problem signature (or a request); `other` where it is a single hint.

    Ties fall to the category that comes first in `ProblemCategory`.
    """
    scores = _table().scores(text)
    best = max(ProblemCategory, key=lambda category: scores.get(category, 0))
    return best if scores.get(best, 0) >= _LEAST_SCORE else ProblemCategory.OTHER
